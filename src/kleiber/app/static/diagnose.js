// Diagnose: one diagnostic at a time, on columns of files that are dropped here.

import { ask, get } from "./api.js";
import { fill, h } from "./dom.js";
import { read as readNumber } from "./numbers.js";
import { busy, choice, drop, field, findings, problem, takeaway, text, working } from "./parts.js";
import { change, read } from "./state.js";

export function show(root) {
  root.append(h("h1", {}, "Diagnose"), h("p", { class: "lead" }, "When not to believe the curve: arrays in, a finding out, or \"cannot tell\"."));
  const said = busy(), wrong = h("div"), form = h("div"), found = h("div");
  root.append(said, wrong, form, found);
  const brought = {}, stated = {}; // array -> {upload, column}; number -> its text

  async function begin() {
    const told = await working(said, wrong, "Asking what there is ...", () => get("diagnostics"));
    if (!told) return;
    if (!told.result.length) return void fill(form, h("p", {}, "This installation has no diagnostics."));
    formed(told.result);
  }

  function formed(all) {
    const { set } = read();
    const chosen = all.find((each) => each.name === set.diagnostic) || all[0];
    const arrays = h("div", {}, chosen.arrays.map((array) => arrayOf(array)),
      chosen.numbers.length ? h("div", { class: "fields" }, chosen.numbers.map(numberOf)) : null);
    const run = h("button", { type: "button", class: "main", on: { click: () => measure(chosen) } }, "Diagnose");
    fill(form, h("fieldset", {}, h("legend", {}, "What to look for"),
      field("Diagnostic", choice(all.map((each) => [each.name, `${each.name.replaceAll("_", " ")}: ${each.title}`]), chosen.name, (value) => { change({ diagnostic: value }); fill(found); formed(all); })),
      chosen.reference ? h("p", { class: "key" }, `Source: ${chosen.reference}`) : null, arrays, h("div", { class: "row" }, run)));
  }

  function arrayOf(array) {
    const columns = h("div");
    return h("section", { "aria-label": array.name }, h("h3", {}, array.name.replaceAll("_", " ")),
      drop(array.dimensions === 2 ? "Drop a matrix here (.npy, .csv, .parquet), or choose it" : "Drop a file with this series (.npy, .csv, .parquet), or choose it", async (upload) => {
        brought[array.name] = { upload: upload.id, column: null };
        try {
          const told = await ask("columns", { table: upload.id });
          const names = told.result.columns;
          brought[array.name].column = array.dimensions === 1 ? names[0] : null;
          fill(columns, h("p", { class: "key" }, `${upload.name}: ${told.result.rows} rows, ${names.length} columns of numbers`),
            array.dimensions === 1 && names.length > 1 ? field("Column", choice(names, names[0], (value) => { brought[array.name].column = value; })) : null);
        } catch (error) {
          delete brought[array.name];
          fill(columns, problem(error));
        }
      }, { accept: ".npy,.csv,.parquet" }), columns);
  }

  const numberOf = ({ name, such_as: usual }) => field(name.replaceAll("_", " "),
    text(stated[name], (value) => { stated[name] = value; }, { inputmode: "decimal", placeholder: `a number, such as ${usual}` }));

  async function measure(chosen) {
    const numbers = Object.fromEntries(chosen.numbers.filter(({ name }) => stated[name]).map(({ name }) => [name, readNumber(stated[name])]));
    const arrays = Object.fromEntries(chosen.arrays.map((array) => array.name).filter((name) => brought[name]).map((name) => [name, brought[name]]));
    const answer = await working(said, found, "Measuring ...", () => ask("diagnose", { name: chosen.name, arrays, numbers }));
    if (answer) fill(found, h("h2", {}, "Finding"), findings(answer.result), takeaway(() => answer, { rows: rowsOf, link: false }));
  }

  begin();
}

const rowsOf = ({ result }) => [["diagnostic", "verdict", "value", "low", "high", "evidence"],
  ...result.map((each) => [each.name, each.verdict, each.value, each.interval?.[0], each.interval?.[1], each.evidence])];
