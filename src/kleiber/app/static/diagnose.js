// Diagnose: one diagnostic at a time, on columns of files that are dropped here.

import { ask, get } from "./api.js";
import { fill, h } from "./dom.js";
import { busy, choice, drop, field, findings, problem, working } from "./parts.js";
import { change, read } from "./state.js";

export function show(root) {
  root.append(h("h1", {}, "Diagnose"), h("p", { class: "lead" }, "When not to believe the curve: arrays in, a finding out, or \"cannot tell\"."));
  const said = busy(), wrong = h("div"), form = h("div"), found = h("div");
  root.append(said, wrong, form, found);
  const brought = {}; // array -> {upload, columns}

  async function begin() {
    const told = await working(said, wrong, "Asking what there is ...", () => get("diagnostics"));
    if (!told) return;
    if (!told.result.length) return void fill(form, h("p", {}, "This installation has no diagnostics."));
    formed(told.result);
  }

  function formed(all) {
    const { set } = read();
    const chosen = all.find((each) => each.name === set.diagnostic) || all[0];
    const arrays = h("div", {}, chosen.arrays.map((array) => arrayOf(array)));
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

  async function measure(chosen) {
    const arrays = Object.fromEntries(chosen.arrays.map((array) => array.name).filter((name) => brought[name]).map((name) => [name, brought[name]]));
    const answer = await working(said, found, "Measuring ...", () => ask("diagnose", { name: chosen.name, arrays }));
    if (answer) fill(found, h("h2", {}, "Finding"), findings(answer.result));
  }

  begin();
}
