// Plan: a budget is moved, and the optimum moves with its doubt; what else is asked makes it a plan for a model's whole life.

import { ask, get } from "./api.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { noTable, report } from "./law.js";
import { plain, power, read as readNumber, show as showNumber } from "./numbers.js";
import { busy, choice, dial, field, problem, sentences, table as tableOf, takeaway, text, working } from "./parts.js";
import { at, change, ofFit, ownRuns, read } from "./state.js";

const LIFE = ["context", "hardware", "devices", "price", "max_memory_gb", "max_ttft_ms", "max_tpot_ms", "unique_tokens", "max_cost", "deadline_days", "family", "also"];
const SETTLED_MS = 500;

export function show(root, { about, table }) {
  root.append(h("h1", {}, "Plan"), h("p", { class: "lead" }, "Which params and how many tokens a budget should buy, how sure that is, and what would change it."));
  if (!table) return noTable(root);
  const said = busy(), wrong = h("div"), decision = h("div", { "aria-live": "polite", id: "decision" }), details = h("div"), pareto = h("div"), paretoSaid = busy();
  const contours = chart("contours", "Follow a dashed line of equal compute: the plan is where it meets the orange path; the dots are what each resample would have decided.", { wide: true });
  const optimum = chart("optimum", "Each dot is what one refit would have decided. Wide but flat means that size hardly matters.");
  const forecast = chart("forecast", "Everything on the tinted ground is extrapolated: no run has been there.");
  const frontier = chart("frontier", "What no other design beats: further left or lower is not to be had.", { wide: true });
  const last = { answer: null, frontier: null };
  let largest = null, tables = [], running = false, again = false, waiting = 0, gone = false, drawing = false;
  const controls = h("div", { class: "controls" });
  const take = takeaway(() => last.answer, { uploads: () => [table.id, ...Object.values(ownRuns(read().set))], rows, report: () => report(said, wrong, table, { flops: read().set.flops || "1000x" }) });
  const tryParetoButton = h("button", { type: "button", on: { click: tryPareto } }, "Draw what no other design beats");
  const axes = choice([["loss,serving_cost", "loss and serving cost"], ["loss,training_flops", "loss and training compute"], ["loss,tpot_ms", "loss and time per token"], ["loss,memory_gb", "loss and memory"], ["loss,training_cost", "loss and training cost"]],
    read().set.axes || "loss,serving_cost", (value) => change({ axes: value }));
  root.append(h("div", { class: "side" }, controls, h("div", {}, said, wrong, decision, take, details,
    h("div", { class: "panels" }, contours.figure), h("div", { class: "panels" }, optimum.figure, forecast.figure),
    h("section", { "aria-label": "Pareto front" }, h("h2", {}, "What no other design beats"), h("div", { class: "row" }, field("Over", axes), tryParetoButton), paretoSaid, pareto,
      h("div", { class: "panels" }, frontier.figure)))));

  async function begin() {
    tables = (await get("uploads")).filter((each) => each.sha256 !== table.sha256);
    const told = await working(said, wrong, `Fitting ${table.name} ...`, () => ask("fit", ofFit(read().set, table.id)));
    if (!told || gone) return;
    if (told.result.outcome !== "solved") {
      fill(wrong, problem({ told: { kind: "refusal", message: `These runs cannot carry a plan: ${told.result.outcome_detail || told.result.outcome}.`, remedy: told.result.remedy } }));
      return;
    }
    largest = told.ranges.flops ? told.ranges.flops[1] : 6 * told.ranges.params[1] * told.ranges.tokens[1];
    if (!read().set.flops) change({ flops: power(1000 * largest, 3) });
    fieldsOf(told);
    await now();
  }

  function fieldsOf(told) {
    const { set } = read();
    const put = (name) => (value) => { change({ [name]: value }); soon(); };
    const budget = set.flops && set.flops.endsWith("x") ? power(Number(set.flops.slice(0, -1)) * largest) : set.flops;
    const flops = dial("Budget (training FLOP)", budget, [largest / 10, Math.max(1e27, largest * 1e4)], put("flops"), { optional: false, hint: `The largest run took ${power(largest)} FLOP.` });
    const serve = dial("Tokens to serve", set.serve, [1e9, 1e15], put("serve"), { hint: "Over the model's life; the budget then pays for them too." });
    const among = (key) => new Set((read().set[key] || "").split(",").filter(Boolean));
    const box = (key) => (name) => h("label", { class: "inline" }, h("input", { type: "checkbox", value: name, checked: among(key).has(name), on: { change: (event) => {
      const chosen = among(key);
      if (event.target.checked) chosen.add(name); else chosen.delete(name);
      change({ [key]: [...chosen].join(",") });
      soon();
    } } }), name);
    const suited = about.laws.filter((law) => law.target === "loss" && law.name !== (set.law || "chinchilla") && law.inputs.length && law.inputs.every((name) => ["params", "tokens"].includes(name)));
    const own = (family) => field(family, choice([["", "none of their own"], ...tables.map((each) => [each.sha256, each.name.split("/").at(-1)])], set[`own.${family}`] || "", put(`own.${family}`)));
    const others = [...new Set(about.laws.find((law) => law.name === (set.law || "chinchilla"))?.inputs || [])].filter((name) => !["params", "tokens", "flops"].includes(name));
    fill(controls,
      h("fieldset", {}, h("legend", {}, "Budget"), flops.element, serve.element, others.map((name) =>
        field(name.replaceAll("_", " "), text(set[`at.${name}`], (value) => put(`at.${name}`)(Number.isNaN(readNumber(value)) ? value : String(readNumber(value))), {}), "An input of this law."))),
      folded("The model's life", LIFE, h("p", { class: "hint" }, "Any of these makes it a plan for a shape to build, with its rivals: seconds rather than an instant."),
        h("div", { role: "group", "aria-label": "Families" }, about.families.map(box("family"))),
        dial("Context (tokens)", set.context, [1e3, 1e6], put("context")).element,
        field("Hardware", choice([["", "not asked"], ...about.hardware], set.hardware || "", put("hardware"))),
        dial("Price (USD per device and hour)", set.price, [0.2, 20], put("price"), { hint: "A range 2..4 is its middle 80 %." }).element,
        dial("Memory per device (GB)", set.max_memory_gb, [8, 1000], put("max_memory_gb")).element,
        dial("Time to the first token (ms)", set.max_ttft_ms, [10, 60000], put("max_ttft_ms")).element,
        dial("Time per token (ms)", set.max_tpot_ms, [1, 1000], put("max_tpot_ms")).element,
        dial("Unique tokens", set.unique_tokens, [1e9, 1e14], put("unique_tokens"), { hint: "Before data repeats." }).element,
        dial("Cost of all (USD)", set.max_cost, [1e3, 1e9], put("max_cost")).element),
      folded("Laws weighed, families apart", ["also", ...about.families.map((family) => `own.${family}`)],
        h("div", { role: "group", "aria-label": "Other laws of the same runs" }, h("p", { class: "hint" }, "Other laws of the same runs, each weighed by how well it would have predicted them."), suited.map((law) => box("also")(law.name))),
        tables.length ? h("div", { role: "group", "aria-label": "Runs of a family's own" }, h("p", { class: "hint" }, "Runs of a family's own, measured alike; the law is fitted to them too."), about.families.map(own))
          : h("p", { class: "hint" }, "A table of a family's own runs, dropped under Runs, can stand for that family here.")),
      folded("Limits of size", ["max_params", "max_tokens"], dial("Params at most", set.max_params, [1e6, 1e13], put("max_params")).element, dial("Tokens at most", set.max_tokens, [1e9, 1e15], put("max_tokens")).element));
  }

  /** Fields that are out of the way until one of them is used. */
  function folded(title, names, ...parts) {
    return h("details", { class: "folded", open: names.some((name) => read().set[name]) }, h("summary", {}, title), parts);
  }

  function asked() {
    const { set } = read();
    const life = Object.fromEntries(LIFE.filter((name) => set[name]).map((name) => [name, name === "also" ? set.also.split(",") : set[name]]));
    if (Object.keys(ownRuns(set)).length) life.family_fit = ownRuns(set);
    return { ...ofFit(set, table.id), flops: set.flops || null, serve_tokens: set.serve || null, max_params: set.max_params || null, max_tokens: set.max_tokens || null, at: at(set), life };
  }

  const isLife = () => LIFE.some((name) => read().set[name]) || Object.keys(ownRuns(read().set)).length > 0;

  /** Ask once more; questions that pile up become one. */
  function soon() {
    if (running) { again = true; return; }
    now();
  }

  async function now() {
    running = true;
    if (isLife()) said.textContent = "Trying every shape of every family ...";
    decision.classList.add("stale");
    const began = performance.now();
    try {
      const answer = await ask("plan", asked());
      if (gone) return;
      last.answer = answer;
      fill(wrong);
      told(answer);
      root.dataset.answeredMs = String(Math.round(performance.now() - began));
    } catch (error) {
      last.answer = null;
      fill(wrong, problem(error));
      fill(decision);
      fill(details);
    } finally {
      running = false;
      decision.classList.remove("stale");
      said.textContent = "";
    }
    if (again) { again = false; return now(); }
    settled();
  }

  /** Charts follow when the questions have come to rest, one round at a time. */
  function settled() {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      if (drawing) return settled();
      drawing = true;
      await drawAll();
      drawing = false;
    }, SETTLED_MS);
  }

  function told(answer) {
    const { result } = answer;
    const [first, ...rest] = answer.sentences;
    fill(decision, h("div", { class: "decision" }, h("p", { class: "headline" }, first), sentences(rest)));
    fill(details, numbersOf(result), prices(answer), rivals(answer), rulesOf(answer, result), result.caveats.length && !rest.includes(result.caveats[0]) ? sentences(result.caveats) : null);
    if (answer.dots.length) {
      contours.put("plan", [{ params: result.params.value, tokens: result.tokens.value, loss: result.loss.value }]);
      contours.put("cloud", answer.dots.map(([params, tokens]) => ({ params, tokens })));
    }
  }

  async function drawAll() {
    const question = asked(), life = isLife(), same = () => !gone && JSON.stringify(asked()) === JSON.stringify(question);
    for (const [kind, figure] of [["contours", contours], ["optimum", optimum], ["forecast", forecast]]) {
      if (life) { figure.hide(); continue; }
      if (!same()) return;
      try {
        const answer = await ask("chart", { ...question, kind });
        if (same()) await figure.draw(answer.spec);
      } catch (error) {
        if (!error.told) throw error;
        figure.hide();
      }
    }
  }

  async function tryPareto() {
    const body = { ...asked(), over: axes.value };
    if (/cost|_ms|days/.test(axes.value) && !body.life.hardware) {
      fill(pareto, problem({ told: { message: "Costs and times need the hardware", remedy: "choose one under The model's life" } }));
      return;
    }
    const answer = await working(paretoSaid, pareto, "Trying every shape of every family: this takes a while ...", () => ask("frontier", body));
    if (!answer || gone) return;
    last.frontier = answer;
    fill(pareto, sentences(answer.sentences), tableOf("Some of these designs", answer.table.heads, answer.table.rows), takeaway(() => last.frontier, { link: false }));
    await frontier.draw(answer.spec);
  }

  begin();
  return () => { gone = true; clearTimeout(waiting); };
}

const interval = (amount) => {
  const key = Object.keys(amount).find((name) => name.startsWith("ci"));
  return key && amount[key] ? `${showNumber(amount[key][0], 4)} to ${showNumber(amount[key][1], 4)}` : "–";
};

function numbersOf(result) {
  const rows = [["Params", result.params], ["Tokens", result.tokens], ["Tokens per param", result.tokens_per_param], [`Loss (${result.loss_unit})`, result.loss]];
  const near = result.near_optimal;
  const costs = Object.entries(result.costs || {}).flatMap(([part, each]) => (each && typeof each === "object" ? Object.entries(each).filter(([, value]) => typeof value === "number").map(([name, value]) => [`${part}: ${name.replaceAll("_", " ")}`, plain(value, 3)]) : []));
  const ends = near && (near.params || near);
  return [
    tableOf("The plan", ["", "Value", "95 % interval"], rows.filter(([, each]) => each).map(([name, each]) => [name, showNumber(each.value, 4), interval(each)])),
    Array.isArray(ends) && showNumber(ends[0]) !== showNumber(ends[1])
      ? h("p", { class: "key" }, `Anything from ${showNumber(ends[0])} to ${showNumber(ends[1])} params is nearly as good.`) : null,
    costs.length ? h("details", {}, h("summary", {}, "What it costs"), tableOf("Costs", ["", "Value"], costs)) : null,
  ];
}

function prices(answer) {
  if (!answer.prices.length) return null;
  return h("section", { "aria-label": "Shadow prices" }, h("h2", {}, "What one percent more of each limit buys"), sentences(answer.prices.map((each) => each.words)));
}

function rivals(answer) {
  if (!answer.table.rows.length) return null;
  return h("section", { "aria-label": "Rivals" }, h("h2", {}, "Rivals"), tableOf("The plan, and the best of the other families", answer.table.heads, answer.table.rows));
}

function rulesOf(answer, result) {
  if (!answer.rules.length) return null;
  return h("section", { "aria-label": "Rules of thumb" }, h("h2", {}, "What the rules of thumb would have trained"),
    tableOf("With the same budget", ["Rule", "Params", "Tokens", "Loss", `Above the plan (${result.loss_unit})`],
      answer.rules.map((rule) => [rule.words, showNumber(rule.params), showNumber(rule.tokens), plain(rule.loss), plain(rule.excess, 2)])));
}

function rows({ result }) {
  const line = (name, each) => [name, each.value, ...(each[Object.keys(each).find((key) => key.startsWith("ci"))] || ["", ""])];
  return [["quantity", "value", "low", "high"], line("params", result.params), line("tokens", result.tokens), line("loss", result.loss)];
}
