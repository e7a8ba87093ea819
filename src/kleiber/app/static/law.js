// Law: a formula met with the runs: parameters with intervals, residuals, and laws compared by the runs they did not see.

import { ask } from "./api.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { percent, plain, power, show as showNumber } from "./numbers.js";
import { busy, choice, download, drop, field, findings, sentences, table as tableOf, takeaway, text, working } from "./parts.js";
import { address, change, ofFit, read, shared } from "./state.js";

const CHARTS = [
  ["compute", "If the law holds, dots lie on the thin curve of their size and none lies clearly below the orange line."],
  ["residuals", "A good law leaves a level band. A bend means that the law is wrong there; a lone dot is a run to look at."],
  ["parameters", "Each dot is the law refitted to a resample of the runs: the spread is what is not known."],
];

export function noTable(root) {
  root.append(h("p", { class: "lead" }, "A table of runs comes first."),
    drop("Drop a run table here (CSV, Parquet, JSONL), or choose it", (upload) => {
      location.hash = address(read().view, { ...read().set, table: upload.sha256, name: upload.name });
    }));
}

export function show(root, { about, table }) {
  root.append(h("h1", {}, "Law"), h("p", { class: "lead" }, "A scaling law is a formula. It is fitted to the runs, with an interval for every number, or refused where the runs do not support it."));
  if (!table) return noTable(root);
  const last = { fit: null, backtest: null };
  const said = busy(), wrong = h("div"), fitted = h("div"), compared = h("div"), comparedSaid = busy();
  const charts = CHARTS.map(([kind, reading]) => [kind, chart(kind, reading)]);
  const hidden = chart("heldout", "Each colour is a fit that saw only the runs up to its cut. Dots that drift away from zero show how an extrapolation goes wrong.", { wide: true });
  root.append(h("div", { class: "side" }, controls(), h("div", {}, said, wrong, fitted, h("div", { class: "panels" }, charts.map(([, each]) => each.figure)),
    h("section", { "aria-label": "Laws compared" }, h("h2", {}, "Would it have predicted the top of the ladder?"), comparison(), comparedSaid, compared,
      h("div", { class: "panels" }, hidden.figure)))));

  function controls() {
    const { set } = read();
    const laws = about.laws.filter((law) => law.target === "loss");
    const named = laws.map((law) => [law.name === "chinchilla" ? "" : law.name, law.title ? `${law.name}: ${law.title}` : law.name]);
    const own = set.law && !laws.some((law) => law.name === set.law);
    const formula = text(own ? set.law : "", (value) => { change({ law: value }); fit(); }, { placeholder: "E + A/params**alpha + B/tokens**beta" });
    const number = (name, usual, more) => h("input", { type: "number", value: set[name] || usual, ...more, on: { change: (event) => { change({ [name]: event.target.value }); fit(); } } });
    return h("div", { class: "controls" }, h("fieldset", {}, h("legend", {}, "The law"), h("div", { class: "fields" },
      field("One that is known", choice(named, own ? "" : set.law || "", (value) => { formula.value = ""; change({ law: value }); fit(); })),
      field("Or a formula of your own", formula, "Columns of the table are its inputs; other names are parameters."),
      field("Objective", choice([["", "Huber on log loss"], ["squared_log", "squares of log loss"], ["squared", "squares"], ["absolute", "absolute"]], set.objective || "", (value) => { change({ objective: value }); fit(); })),
      field("Resamples for the intervals", number("draws", 4000, { min: 0, max: 10000, step: 1 })),
      field("Resample groups that share", text(set.cluster, (value) => { change({ cluster: value }); fit(); }, { placeholder: "a column, such as trunk" })),
      field("Seed", number("seed", 0, { min: 0, step: 1 })))));
  }

  async function fit() {
    const answer = await working(said, wrong, `Fitting ${table.name} ...`, () => ask("fit", ofFit(read().set, table.id)));
    last.fit = answer || null;
    for (const [, each] of charts) each.hide();
    if (!answer) return fill(fitted);
    const { result } = answer;
    const refused = Object.values(result.parameters).some((each) => each.value === null) || result.outcome !== "solved";
    fill(fitted,
      h("div", { class: refused ? "decision refused" : "decision" },
        h("p", { class: "headline" }, refused ? `These runs cannot carry this law: ${result.outcome_detail || result.outcome.replaceAll("_", " ")}.` : `loss = ${result.formula}`),
        refused ? h("p", {}, `What would change it: ${result.remedy}.`) : sentences(answer.sentences)),
      tableOf("Fitted parameters", ["Parameter", "Value", "Standard error", "95 % interval"], Object.entries(result.parameters).map(([name, each]) =>
        [name, plain(each.value, 5), plain(each.se, 2), each.ci95 ? `${plain(each.ci95[0])} to ${plain(each.ci95[1])}` : "–"])),
      h("p", { class: "key" }, `${result.runs.count} runs · ${result.search.agreeing} of ${result.search.starts} starts agree · ${showNumber(result.bootstrap.draws)} resamples (${result.bootstrap.resampling}).`),
      takeaway(() => last.fit, {
        uploads: () => [table.id],
        rows: (told) => [["parameter", "value", "se", "low", "high"], ...Object.entries(told.result.parameters).map(([name, each]) => [name, each.value, each.se, each.ci95?.[0], each.ci95?.[1]])],
        report: () => report(said, wrong, table, {}),
      }),
      refused ? null : h("div", { class: "row" }, h("a", { class: "button", href: address("plan", shared(read().set)) }, "Plan with this law")),
      result.findings.length ? findings(result.findings) : null);
    if (refused) return;
    for (const [kind, each] of charts) draw(kind, each);
  }

  async function draw(kind, figure, more = {}) {
    try {
      const answer = await ask("chart", { ...ofFit(read().set, table.id), kind, flops: "10x", ...more });
      await figure.draw(answer.spec);
    } catch (error) {
      if (!error.told) throw error; // a chart that this fit does not have is left out
    }
  }

  function comparison() {
    const { set } = read();
    const chosen = new Set((set.laws || "").split(",").filter(Boolean));
    const box = (law) => h("label", { class: "inline" }, h("input", { type: "checkbox", checked: chosen.has(law.name), value: law.name, on: { change: (event) => {
      if (event.target.checked) chosen.add(law.name); else chosen.delete(law.name);
      change({ laws: [...chosen].join(",") });
    } } }), law.name);
    const suited = about.laws.filter((law) => law.target === "loss" && law.inputs.every((name) => ["params", "tokens", "flops", "unique_tokens", "epochs"].includes(name)));
    const run = h("button", { type: "button", on: { click: compare } }, "Hide the largest runs and predict them");
    return h("div", {}, h("details", { open: chosen.size > 0 }, h("summary", {}, "Other laws to compare with"), h("div", {}, suited.map(box))), h("div", { class: "row" }, run));
  }

  async function compare() {
    const { set } = read();
    const asked = [set.law || "chinchilla", ...(set.laws || "").split(",").filter(Boolean)];
    const body = { ...ofFit(set, table.id), laws: [...new Set(asked)] };
    body.fitting.bootstrap = Math.min(body.fitting.bootstrap, 200);
    const answer = await working(comparedSaid, compared, "Back-testing: every law is fitted again at several cuts ...", () => ask("backtest", body));
    if (!answer) return;
    last.backtest = answer;
    fill(compared, sentences(answer.sentences), tableOf("Laws by cut", ["Law", "Fitted up to", "Fitted", "Hidden", "Log-RMSE", "Bias", "Inside 95 %"], answer.result.folds.map((fold) =>
      [fold.law, fold.along === "flops" ? power(fold.cut) : showNumber(fold.cut), fold.fit_runs, fold.test_runs, percent(fold.log_rmse), percent(fold.bias), percent(fold.coverage95, 3)])),
    takeaway(() => last.backtest, { uploads: () => [table.id] }));
    await draw("heldout", hidden);
  }

  fit();
  return undefined;
}

/** The whole report as a file. */
export async function report(said, wrong, table, more) {
  const answer = await working(said, wrong, "Writing the report: this takes a minute ...", () => ask("report", { ...ofFit(read().set, table.id), ...more }));
  if (answer) download(answer.result.file, answer.html, "text/html");
}

