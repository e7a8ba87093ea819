// Vega-Lite specifications from the server, drawn here without evaluating any text as code (Vega's interpreter).

import { fill, fresh, h } from "./dom.js";

/** On a dark ground the specification's own greys are exchanged; its categories are told apart on both. */
const DARK = {
  "#1b1b1f": "#ececef", "#55565e": "#b4b5be", "#d9dae0": "#3f404a", "#ffffff": "#202127", white: "#202127",
  "#0072b2": "#4aa8e0", "#d55e00": "#ff8a4c", "#009e73": "#35c79b", "#aa4499": "#d98ad0", "#56b4e9": "#8fd0f7",
  "#472a7a": "#8d6fd1", "#3a0a4e": "#b08ae8", "#38598c": "#6f95d6",
};

export const isDark = () =>
  (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function recoloured(value, key) {
  if (key === "datasets" || key === "values") return value;
  if (typeof value === "string") return DARK[value.toLowerCase()] || value;
  if (Array.isArray(value)) return value.map((each) => recoloured(each));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, recoloured(each, name)]));
  }
  return value;
}

/** Legends of a narrow chart in short rows below their title: a long row would be cut. */
function stacked(value) {
  if (Array.isArray(value)) return value.forEach(stacked);
  if (!value || typeof value !== "object") return undefined;
  for (const [name, each] of Object.entries(value)) {
    if (name === "legend" && each) Object.assign(each, { columns: 3, titleOrient: "top", titleLimit: 240 });
    else if (name !== "datasets" && name !== "values") stacked(each);
  }
  return undefined;
}

function sized(spec, width) {
  const made = structuredClone(spec);
  if (width < 480) stacked(made);
  if (made.concat) {
    const columns = width < 640 ? 1 : made.columns || 2;
    made.columns = columns;
    const each = Math.max(160, Math.min(520, Math.floor(width / columns) - 90));
    for (const panel of made.concat) panel.width = each;
    return made;
  }
  made.width = Math.max(250, Math.min(1500, Math.floor(width) - 4));
  if (made.width > 750 && typeof made.height === "number" && made.height >= 200) made.height = Math.round(made.height * Math.min(1.6, made.width / 750));
  made.autosize = { type: "fit-x", contains: "padding" };
  return made;
}

const SETTLED_MS = 150;
const drawn = new Set();
let library = null;

/** The library of the charts, loaded beside the page rather than before it. */
function vega() {
  library = library || new Promise((resolve, reject) => {
    const script = h("script", { src: "/static/vega.js" });
    script.addEventListener("load", () => resolve(window.vegaEmbed));
    script.addEventListener("error", () => reject(new Error("the charts' library did not load")));
    document.head.append(script);
  });
  return library;
}
vega();

/** A figure for one chart: `draw(spec)` draws or redraws it, `put(name, rows)` exchanges one of its data sets. */
export function chart(name, reading, { wide = false } = {}) {
  const live = h("div", { class: "live" });
  const heading = h("h3", { id: fresh("chart") });
  const notes = h("p", { class: "key" });
  const png = h("button", { type: "button", class: "quiet", on: { click: () => save() } }, "PNG");
  const figure = h("figure", { hidden: true, class: wide ? "wide" : null, "data-chart": name, "aria-labelledby": heading.id },
    h("figcaption", {}, h("div", {}, heading, reading ? h("p", {}, reading) : null, notes), png), live);
  let spec = null, result = null, turn = 0, drawnFor = 0, later = 0;

  async function render() {
    if (!spec || !figure.isConnected) return;
    const mine = ++turn;
    drawnFor = live.clientWidth || figure.clientWidth || 480;
    const made = sized(isDark() ? recoloured(spec) : spec, drawnFor);
    const options = {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    };
    const holder = h("div");
    const next = await (await vega())(holder, made, options);
    if (mine !== turn) return next.finalize();
    if (result) result.finalize();
    result = next;
    fill(live, holder);
    const picture = live.querySelector("svg");
    if (picture) {
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", `${heading.textContent}. ${notes.textContent}`);
    }
    figure.dataset.drawn = "yes";
  }

  // A neighbour that appears narrows a chart as a narrower window does; scaled down, its text would be too small to read.
  new ResizeObserver(() => {
    if (!live.clientWidth || Math.abs(live.clientWidth - drawnFor) < 8) return;
    clearTimeout(later);
    later = setTimeout(render, SETTLED_MS);
  }).observe(live);

  async function save() {
    if (!result) return;
    const address = await result.view.toImageURL("png", 2);
    h("a", { href: address, download: `${name}.png` }).click();
  }

  const made = {
    figure,
    async draw(found) {
      spec = structuredClone(found);
      const title = spec.title || {};
      delete spec.title;
      heading.textContent = [title.text].flat().join(" ");
      notes.textContent = [title.subtitle || []].flat().join(" ");
      png.setAttribute("aria-label", `Download as PNG: ${heading.textContent}`);
      figure.hidden = false;
      await render();
    },
    /** False where the chart does not have that data. */
    put(dataset, rows) {
      if (!result) return false;
      try {
        result.view.data(dataset, rows).runAsync();
        return true;
      } catch {
        return false;
      }
    },
    hide() { figure.hidden = true; },
    render,
  };
  drawn.add(made);
  return made;
}

/** Draw everything that is on the page anew: the theme is another. */
export function redraw() {
  for (const each of drawn) {
    if (each.figure.isConnected) each.render();
    else drawn.delete(each);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
