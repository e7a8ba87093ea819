// Runs: a file is dropped, its columns are named, and what is wrong with it is said with the rows concerned.

import { ask, get } from "./api.js";
import { fill, h } from "./dom.js";
import { busy, choice, drop, field, findings, problem, table as tableOf, takeaway, text, working } from "./parts.js";
import { address, change, ofFit, ofTable, read, shared } from "./state.js";

const CANONICAL = [["params", "Params"], ["tokens", "Tokens"], ["flops", "Training FLOP"], ["loss", "Loss"]];
const MORE = [["run", "Run"], ["unique_tokens", "Unique tokens"], ["lr", "Learning rate"], ["batch_tokens", "Batch (tokens)"]];
const COUNTED_WORDS = { params: "Params", flops: "FLOP", loss: "Loss" };
const COUNTED = {
  params: ["unknown", "total", "non_embedding", "active"],
  flops: ["unknown", "6nd", "counted"],
  loss: ["unknown", "nats_per_token", "nats_per_byte", "bits_per_byte"],
};

export function show(root, given) {
  const { table, open } = given;
  root.append(h("h1", {}, "Runs"), h("p", { class: "lead" },
    "A table with one row per training run: params, tokens or compute, and the final loss. What the file calls them does not matter."));
  const brought = (upload) => { location.hash = address("runs", { table: upload.sha256, name: upload.name }); if (table && upload.sha256 === table.sha256) open(); };
  const zone = drop(table ? "Another file: drop it here, or choose it" : "Drop a run table here (CSV, Parquet, JSONL), or choose it", brought);
  if (!table) {
    root.append(zone, h("div", { id: "known" }));
    known(root.lastChild);
    return;
  }
  const detail = h("div");
  root.append(detail, h("h2", {}, "Another table"), zone);
  detailed(detail, given);
}

/** Tables that are here already. */
async function known(where) {
  const seen = await get("uploads");
  if (!seen.length) return;
  fill(where, h("h2", {}, "Tables here"), h("ul", {}, seen.map((each) => h("li", {},
    h("a", { href: address("runs", { table: each.sha256, name: each.name }) }, each.name), each.served ? " (of the server)" : ""))));
}

function detailed(root, { table }) {
  const said = busy(), wrong = h("div"), summary = h("div"), mapping = h("div"), preview = h("div"), found = h("div"), next = h("div");
  const checked = { answer: null };
  const take = takeaway(() => checked.answer, {
    uploads: () => [table.id],
    rows: (answer) => [["check", "verdict", "evidence", "rows", "remedy"],
      ...answer.result.findings.map((each) => [each.name, each.verdict, each.evidence, each.rows.join(" "), each.remedy])],
  });
  const deep = h("button", { type: "button", on: { click: () => check(false) } }, "Check a law fitted to it too");
  root.append(said, wrong, summary, next, mapping, h("section", { "aria-label": "Findings" }, h("h2", {}, "What may be wrong"), found,
    h("div", { class: "row" }, deep), take), preview);
  let header = null;

  async function look() {
    const told = await working(said, wrong, "Reading the table ...", () => ask("inspect", ofTable(read().set, table.id)));
    if (!told) return;
    header = told.header;
    fill(preview, h("h2", {}, "First rows"), h("div", { class: "preview" },
      tableOf("The first rows, as the file has them", told.header.slice(0, told.rows[0]?.length || 0), told.rows, false)));
    mappingOf(told);
    if (told.problem) {
      fill(wrong, problem({ told: told.problem }));
      fill(summary); fill(found, h("p", { class: "missing" }, "Name the columns first.")); fill(next);
      deep.disabled = true;
      return;
    }
    deep.disabled = false;
    const { runs } = told;
    fill(summary, h("p", {}, h("strong", {}, runs.summary)));
    fill(next, h("div", { class: "row" }, h("a", { class: "button", href: address("law", shared(read().set)) }, "Fit a law"),
      h("a", { class: "button", href: address("plan", shared(read().set)) }, "Plan a run")));
    await check(true);
  }

  async function check(alone) {
    const wait = alone ? "Checking the table ..." : "Fitting a law and checking it: this takes a while ...";
    const answer = await working(said, found, wait, () => ask("check", { ...ofFit(read().set, table.id), table_only: alone }));
    if (!answer) return;
    checked.answer = answer;
    fill(found, findings(answer.result.findings));
  }

  function mappingOf(told) {
    const { set } = read();
    const derived = told.runs ? told.runs.derived : {};
    const column = ([name, label]) => {
      const asked = set[`map.${name}`] || "";
      const usual = derived[name] ? derived[name].replace(/^column '(.*)'$/, "$1 (recognised)") : header.includes(name) ? `${name} (recognised)` : "not in the table";
      const options = [["", usual], ...header.map((each) => [each, each])];
      if (asked && !header.includes(asked)) options.push([asked, asked]);
      return field(label, choice(options, asked, (value) => { change({ [`map.${name}`]: value }); look(); }));
    };
    const convention = (name) => {
      const now = told.runs ? told.runs.conventions[name] : "unknown";
      const options = [["", now === "unknown" ? "not stated" : `${now.replaceAll("_", " ")} (recognised)`], ...COUNTED[name].slice(1).map((word) => [word, word.replaceAll("_", " ")])];
      return field(`${COUNTED_WORDS[name]} counted as`, choice(options, set[`conv.${name}`] || "",
        (value) => { change({ [`conv.${name}`]: value }); look(); }));
    };
    const where = text(set.where, (value) => { change({ where: value }); look(); }, { placeholder: "loss < 3.44 and params > 70M" });
    const focused = document.activeElement && mapping.contains(document.activeElement)
      ? [...mapping.querySelectorAll("select, input")].indexOf(document.activeElement) : -1;
    fill(mapping, h("fieldset", {}, h("legend", {}, "Columns"), h("div", { class: "fields" }, CANONICAL.map(column)),
      h("details", { open: MORE.some(([name]) => set[`map.${name}`]) }, h("summary", {}, "More columns"), h("div", { class: "fields" }, MORE.map(column)))),
    h("fieldset", {}, h("legend", {}, "Which runs, and how they are counted"), h("div", { class: "fields" },
      field("Keep only runs where", where, "A filter over columns; leave it empty to keep all."), Object.keys(COUNTED).map(convention))));
    if (focused >= 0) mapping.querySelectorAll("select, input")[focused]?.focus();
  }

  look();
}
