// The pieces that views are made of: fields, tables, findings, problems, and how an answer is taken away.

import { ask, upload } from "./api.js";
import { fill, fresh, h } from "./dom.js";
import { read as readNumber, show } from "./numbers.js";
import { address, change, read as readState } from "./state.js";

/** A labelled control. */
export function field(label, control, hint) {
  const id = control.id || (control.id = fresh("field"));
  const help = hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  if (help) control.setAttribute("aria-describedby", help.id);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, help);
}

/** A choice; `options` are texts or [value, text]. */
export function choice(options, value, changed) {
  const made = h("select", { on: { change: () => changed(made.value) } }, options.map((each) => {
    const [of, text] = Array.isArray(each) ? each : [each, each];
    return h("option", { value: of, selected: of === value }, text);
  }));
  return made;
}

/** A line of text; `changed` is told when it is settled (Enter, or left). */
export function text(value, changed, more = {}) {
  const made = h("input", { type: "text", value: value || "", autocomplete: "off", spellcheck: "false", ...more,
    on: { change: () => changed(made.value.trim()) } });
  return made;
}

/** A quantity with a slider on a log scale beside it; empty, with the slider at its left end, says nothing. */
export function dial(label, value, [low, high], changed, { hint, optional = true, suffix = "" } = {}) {
  const steps = 400, span = Math.log(high / low);
  const place = (number) => Math.max(1, Math.min(steps, Math.round(1 + ((steps - 1) * Math.log(number / low)) / span)));
  const line = h("input", { type: "text", inputmode: "text", value: value || "", autocomplete: "off", spellcheck: "false",
    placeholder: optional ? "not asked" : "" });
  const slider = h("input", { type: "range", min: optional ? 0 : 1, max: steps, step: 1, "aria-label": `${label}, slider` });
  const settle = (said) => {
    line.setAttribute("aria-invalid", "false");
    slider.setAttribute("aria-valuetext", said || "not asked");
    changed(said);
  };
  const follow = () => {
    const number = readNumber(line.value);
    slider.value = line.value.trim() && number > 0 ? place(number) : line.value.trim() ? slider.value : 0;
    slider.setAttribute("aria-valuetext", line.value.trim() || "not asked");
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    line.value = at === 0 ? "" : show(low * Math.exp((span * (at - 1)) / (steps - 1)), 2) + suffix;
    settle(line.value);
  });
  line.addEventListener("change", () => { follow(); settle(line.value.trim()); });
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") { follow(); settle(line.value.trim()); } });
  follow();
  const made = field(label, line, hint);
  made.append(slider);
  return { element: made, line, slider, set(said) { line.value = said; follow(); } };
}

/** A table: heads, rows of texts (or elements). */
export function table(caption, heads, rows, numbers = true) {
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
    h("table", { class: numbers ? "numbers" : "words" }, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, rows.map(([first, ...rest]) =>
        h("tr", {}, h("th", { scope: "row" }, first ?? ""), rest.map((cell) => h("td", {}, cell ?? "")))))));
}

const WORDS = { ok: "nothing wrong", found: "found", warning: "warning", problem: "problem", "cannot tell": "cannot tell" };
const CLASSES = { ok: "ok", found: "found", warning: "warning", problem: "problem-word", "cannot tell": "unknown" };

const SHOWN_OPEN = 3; // the answer of one diagnostic is not folded away for being good news

/** Findings, the worst first; what is well is folded away. */
export function findings(found) {
  const order = ["problem", "warning", "found", "cannot tell"];
  const loud = order.flatMap((verdict) => found.filter((each) => each.verdict === verdict));
  const well = found.filter((each) => each.verdict === "ok");
  const item = (each) => h("li", {},
    h("span", { class: `badge ${each.verdict === "problem" ? "problem-badge" : CLASSES[each.verdict]}` }, WORDS[each.verdict] || each.verdict), " ",
    h("strong", {}, each.name.replaceAll("_", " ")),
    h("p", {}, each.evidence),
    each.value !== null && each.value !== undefined && each.interval
      ? h("p", { class: "key" }, `${show(each.value)} (${show(each.interval[0])} to ${show(each.interval[1])})`) : null,
    each.rows && each.rows.length && !/\brows? \d/.test(each.evidence) ? h("p", { class: "key" }, `${each.rows.length === 1 ? "Row" : "Rows"} ${spans(each.rows)}`) : null,
    each.remedy ? h("p", {}, `What to do: ${each.remedy}`) : null,
    (each.caveats || []).map((caveat) => h("p", { class: "key" }, caveat)),
    each.reference ? h("p", { class: "key" }, `Source: ${each.reference}`) : null);
  return [
    loud.length ? h("ul", { class: "findings" }, loud.map(item)) : well.length ? null : h("p", {}, "No check found anything wrong."),
    well.length ? h("details", { open: !loud.length && well.length <= SHOWN_OPEN }, h("summary", {}, `${well.length} ${well.length === 1 ? "check" : "checks"} found nothing wrong`), h("ul", { class: "findings" }, well.map(item))) : null,
  ];
}

function spans(rows) {
  const found = [];
  for (const row of [...new Set(rows)].sort((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && row === last[1] + 1) last[1] = row;
    else found.push([row, row]);
  }
  const words = found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return words.length > 14 ? `${words.slice(0, 14).join(", ")}, ...` : words.join(", ");
}

/** A problem in words, said aloud. */
export function problem(error) {
  const told = error.told || { message: error.message || String(error) };
  const inside = [told.found && `found ${told.found}`, told.expected && `expected ${told.expected}`].filter(Boolean).join("; ");
  const refused = told.kind === "refusal";
  return h("div", { class: "problem", role: "alert" },
    h("strong", {}, told.where ? `${told.where}: ${told.message}` : `${told.message.slice(0, 1).toUpperCase()}${told.message.slice(1)}`),
    inside ? h("p", {}, `${inside[0].toUpperCase()}${inside.slice(1)}.`) : null,
    told.remedy ? h("p", {}, `${refused ? "What would change it" : "What to do"}: ${told.remedy}.`.replace("..", ".")) : null);
}

export const sentences = (lines) => h("ul", {}, lines.map((line) => h("li", {}, line[0].toUpperCase() + line.slice(1))));

/** A region that says what is going on. */
export const busy = () => h("p", { class: "busy", role: "status" });

/** Run a question; `where` shows a problem, `line` that it is being worked on. */
export async function working(line, where, words, question) {
  line.textContent = words;
  fill(where);
  try {
    return await question();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    fill(where, problem(error));
    return undefined;
  } finally {
    line.textContent = "";
  }
}

/** Where a file is dropped or chosen. */
export function drop(words, brought, { accept = ".csv,.tsv,.parquet,.jsonl,.json,.txt,.log" } = {}) {
  const said = busy(), wrong = h("div");
  const input = h("input", { type: "file", accept, id: fresh("file"), on: { change: () => input.files[0] && take(input.files[0]) } });
  async function take(file) {
    const kept = await working(said, wrong, `Reading ${file.name} ...`, () => upload(file));
    if (kept) await brought(kept);
  }
  const zone = h("div", { class: "drop" }, h("p", {}, h("label", { for: input.id }, words)), input, said);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  return h("div", {}, zone, wrong);
}

async function copied(text, said, words) {
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `${words} copied.`;
  } catch {
    said.textContent = "The browser keeps the clipboard to itself: copy it from the field.";
  }
}

export function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 5000);
}

const cell = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  const guarded = /^[=+\-@\t\r]/.test(text) && !/^[-+]?[\d.]/.test(text) ? `'${text}` : text; // a spreadsheet must not run it
  return /[",\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
};
export const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";

/** The keys of uploads, for a link; a table of the server's own needs none. */
async function keysOf(uploads) {
  const asked = await Promise.allSettled(uploads.map((id) => ask(`uploads/${id}/share`, {})));
  return asked.filter((each) => each.status === "fulfilled").map((each) => each.value.key);
}

/** How an answer is taken away: as a link, a command, a program, a table, a report. `now()` gives the last answer, `uploads()` what it is about. */
export function takeaway(now, { uploads = () => [], rows = null, report = null, link = true, python = true } = {}) {
  const said = h("span", { class: "copied", role: "status" });
  const shown = h("input", { type: "text", readonly: true, "aria-label": "Copied text", hidden: true });
  const button = (words, act) => h("button", { type: "button", on: { click: act } }, words);
  const give = (words, text) => { shown.hidden = false; shown.value = text; return copied(text, said, words); };
  const share = async () => {
    const { view, set } = readState();
    const shared = new URL(location.href);
    shared.hash = address(view, { ...set, key: (await keysOf(uploads())).join(",") });
    await give("Link", shared.href);
  };
  return h("div", { class: "share" },
    link ? button("Copy link", share) : null,
    button("Copy as command", () => now() && give("Command", now().command)),
    python && button("Copy as Python", () => now() && now().python && give("Python", now().python)),
    rows ? button("CSV", () => now() && download("kleiber.csv", csv(rows(now())), "text/csv")) : null,
    report ? button("Report", report) : null,
    said, shown);
}

/** Keep a setting in the address. */
export const keep = (name) => (value) => change({ [name]: value });
export const setting = (name) => readState().set[name] || "";
