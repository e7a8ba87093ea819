// The state of a view is its address: `#/plan?table=...&flops=1e24`. Whoever opens the address sees the same view.

export const VIEWS = ["runs", "law", "plan", "ladder", "experts", "diagnose"];

/** The view and its settings, as the address says. */
export function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { view: VIEWS.includes(path) ? path : "runs", set: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a view with settings. */
export function address(view, set) {
  const kept = Object.entries(set).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** Change settings of the view at hand, without a new entry in the browser's history. */
export function change(more) {
  const { view, set } = read();
  history.replaceState(null, "", address(view, { ...set, ...more }));
}

/** Settings that stay when one goes from view to view: the table, how it is read, how it is fitted. */
const SHARED = ["table", "name", "where", "format", "law", "draws", "seed", "objective", "cluster"];
export const shared = (set) =>
  Object.fromEntries(Object.entries(set).filter(([name]) => SHARED.includes(name) || /^(map|conv|fix)\./.test(name)));

const group = (set, stem) =>
  Object.fromEntries(Object.entries(set).filter(([name, value]) => name.startsWith(`${stem}.`) && value !== "")
    .map(([name, value]) => [name.slice(stem.length + 1), value]));

const numbers = (pairs) => Object.fromEntries(Object.entries(pairs).map(([name, value]) => [name, Number(value)]));

/** The request's part about a table. */
export const ofTable = (set, table) => ({
  table,
  reading: { map: group(set, "map"), conventions: group(set, "conv"), where: set.where || null, format: set.format || null },
});

/** The request's part about a fit. */
export const ofFit = (set, table) => ({
  ...ofTable(set, table),
  fitting: {
    law: set.law || null, objective: set.objective || null, cluster: set.cluster || null,
    bootstrap: set.draws ? Number(set.draws) : 4000, seed: Number(set.seed || 0), fix: numbers(group(set, "fix")),
  },
});

/** Families that have runs of their own: family -> table. */
export const ownRuns = (set) => group(set, "own");

/** Other inputs of the law. */
export const at = (set) => numbers(group(set, "at"));
