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
  const brought = {}; // array -> {upload, column}

  async function begin() {
    const told = await working(said, wrong, "Asking what there is ...", () => get("diagnostics"));
    if (!told) return;
    if (!told.result.length) return void fill(form, h("p", {}, "This installation has no diagnostics."));
    await formed(told.result);
  }

  async function formed(all) {
    const { set } = read();
    const chosen = all.find((each) => each.name === set.diagnostic) || all[0];
    const inputs = chosen.arrays.map(arrayOf);
    const run = h("button", { type: "button", class: "main", on: { click: () => measure(chosen) } }, "Diagnose");
    fill(form, h("fieldset", {}, h("legend", {}, "What to look for"),
      field("Diagnostic", choice(all.map((each) => [each.name, `${each.name.replaceAll("_", " ")}: ${each.title}`]), chosen.name, (value) => another(value, all))),
      chosen.reference ? h("p", { class: "key" }, `Source: ${chosen.reference}`) : null, inputs.map((each) => each.element),
      chosen.numbers.length ? h("div", { class: "fields" }, chosen.numbers.map(numberOf)) : null, h("div", { class: "row" }, run)));
    if (!inputs.some((each) => each.stated())) return;
    const seen = await get("uploads");
    await Promise.all(inputs.map((each) => each.restore(seen)));
    if (inputs.every((each) => brought[each.name])) await measure(chosen);
  }

  /** Another diagnostic asks for other arrays and numbers: what was said of the last one leaves the address. */
  function another(name, all) {
    const gone = Object.keys(read().set).filter((key) => /^(array|file|column|number)\./.test(key));
    change({ ...Object.fromEntries(gone.map((key) => [key, ""])), diagnostic: name });
    Object.keys(brought).forEach((array) => delete brought[array]);
    fill(found);
    return formed(all);
  }

  function arrayOf({ name, dimensions }) {
    const columns = h("div"), series = dimensions === 1;
    const put = (column) => {
      brought[name].column = column;
      if (columns.isConnected) change({ [`column.${name}`]: column }); // the visitor may have gone to another view
    };
    async function take(upload, asked = null) {
      brought[name] = { upload: upload.id, column: null };
      change({ [`array.${name}`]: upload.sha256, [`file.${name}`]: upload.name });
      try {
        const { result } = await ask("columns", { table: upload.id });
        const names = result.columns, column = names.includes(asked) ? asked : names[0];
        if (series) put(column);
        fill(columns, h("p", { class: "key" }, `${upload.name}: ${result.rows} rows, ${names.length} columns of numbers`),
          series && names.length > 1 ? field("Column", choice(names, column, put)) : null);
      } catch (error) {
        delete brought[name];
        fill(columns, problem(error));
      }
    }
    async function restore(seen) {
      const { set } = read();
      if (!set[`array.${name}`]) return;
      const upload = seen.find((each) => each.sha256 === set[`array.${name}`]);
      if (upload) await take(upload, set[`column.${name}`]);
      else fill(columns, h("p", { class: "key" }, `This link is about the file ${set[`file.${name}`] || ""}, which is not here: drop it above.`));
    }
    const words = `Drop a ${series ? "file with this series" : "matrix"} here (.npy, .csv, .parquet), or choose it`;
    const element = h("section", { "aria-label": name }, h("h3", {}, name.replaceAll("_", " ")), drop(words, (upload) => take(upload), { accept: ".npy,.csv,.parquet" }), columns);
    return { name, element, restore, stated: () => Boolean(read().set[`array.${name}`]) };
  }

  const numberOf = ({ name, such_as: usual }) => field(name.replaceAll("_", " "),
    text(read().set[`number.${name}`], (value) => change({ [`number.${name}`]: value }), { inputmode: "decimal", placeholder: `a number, such as ${usual}` }));

  async function measure(chosen) {
    const { set } = read();
    const stated = chosen.numbers.map(({ name }) => [name, set[`number.${name}`]]).filter(([, value]) => value);
    const numbers = Object.fromEntries(stated.map(([name, value]) => [name, readNumber(value)]));
    const arrays = Object.fromEntries(chosen.arrays.map(({ name }) => [name, brought[name]]).filter(([, each]) => each));
    const uploads = () => [...new Set(Object.values(arrays).map((each) => each.upload))];
    const answer = await working(said, found, "Measuring ...", () => ask("diagnose", { name: chosen.name, arrays, numbers }));
    if (answer) fill(found, h("h2", {}, "Finding"), findings(answer.result), takeaway(() => answer, { uploads, rows: rowsOf }));
  }

  begin();
}

const rowsOf = ({ result }) => [["diagnostic", "verdict", "value", "low", "high", "evidence"],
  ...result.map((each) => [each.name, each.verdict, each.value, each.interval?.[0], each.interval?.[1], each.evidence])];
