// The page: which view is open, which table it is about, and the theme.

import { ask, get } from "./api.js";
import { redraw, isDark } from "./charts.js";
import { show as showDiagnose } from "./diagnose.js";
import { fill, h } from "./dom.js";
import { show as showExperts } from "./experts.js";
import { show as showLadder } from "./ladder.js";
import { show as showLaw } from "./law.js";
import { drop, problem } from "./parts.js";
import { show as showPlan } from "./plan.js";
import { show as showRuns } from "./runs.js";
import { address, change, read, shared } from "./state.js";

const TITLES = { runs: "Runs", law: "Law", plan: "Plan", ladder: "Ladder", experts: "Experts", diagnose: "Diagnose" };
const SHOW = { runs: showRuns, law: showLaw, plan: showPlan, ladder: showLadder, experts: showExperts, diagnose: showDiagnose };
const content = document.getElementById("content");
const line = document.getElementById("table");
let about = null, left = () => {};

const tried = new Set();

/** The keys in an address open the files they belong to for this session: the table, and whatever else the view is about. */
async function openShared(set) {
  const fresh = (set.key || "").split(",").filter((key) => key && !tried.has(key));
  fresh.forEach((key) => tried.add(key));
  await Promise.allSettled(fresh.map((key) => ask("uploads/open", { key })));
}

/** The upload that the address is about, or null. */
const tableOf = async (set) => (set.table && (await get("uploads")).find((each) => each.sha256 === set.table)) || null;

function navigate(view, set) {
  fill(document.getElementById("views"), Object.entries(TITLES).map(([name, title]) =>
    h("li", {}, h("a", { href: address(name, shared(set)), "aria-current": name === view ? "page" : null }, title))));
}

function sayTable(table, set) {
  if (!table) return fill(line);
  fill(line, "Runs: ", h("strong", { title: table.name }, table.name.split("/").at(-1)), ` · ${Math.max(1, Math.round(table.bytes / 1024)).toLocaleString("en")} kB · `,
    h("span", { class: "key" }, `SHA-256 ${table.sha256.slice(0, 12)}…`), set.where ? ` · where ${set.where}` : "");
}

/** A link about a table that this server does not have. */
function missing(set) {
  const wrong = h("div");
  return [
    h("h1", {}, "Which table?"),
    h("p", { class: "lead" }, "This link is about ", h("strong", {}, set.name || "a table"),
      `, which the server does not have (SHA-256 ${set.table.slice(0, 16)}…). Drop that file here, and the same view appears.`),
    drop(`Drop ${set.name || "the file"} here, or choose it`, (upload) => {
      if (upload.sha256 === set.table) return open();
      fill(wrong, h("div", { class: "problem", role: "alert" }, h("strong", {}, `${upload.name} is another file than the link's.`),
        h("p", {}, "Its bytes differ, so the answers would too. Drop the right file, or go on with this one."),
        h("button", { type: "button", on: { click: () => { change({ table: upload.sha256, name: upload.name, key: "" }); open(); } } }, "Go on with this one")));
    }),
    wrong,
  ];
}

async function open() {
  const { view, set } = read();
  left();
  left = () => {};
  navigate(view, set);
  document.title = `${TITLES[view]} · Kleiber`;
  try {
    about = about || (await get("about"));
    await openShared(set);
    const needs = ["runs", "law", "plan"].includes(view);
    const table = needs ? await tableOf(set) : null;
    sayTable(table, set);
    if (needs && set.table && !table) return fill(content, missing(set));
    const given = { about, table, set, open, go: (to, more = {}) => { location.hash = address(to, { ...shared(read().set), ...more }); } };
    fill(content);
    left = SHOW[view](content, given) || (() => {});
  } catch (error) {
    fill(content, problem(error));
  }
}

function theme() {
  const kept = localStorage.getItem("kleiber-theme");
  if (kept) document.documentElement.dataset.theme = kept;
  const button = document.getElementById("theme");
  const say = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme"); };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("kleiber-theme", next);
    say();
    redraw();
  });
  say();
}

let viewed = read().view;
window.addEventListener("hashchange", async () => {
  const moved = read().view !== viewed;
  viewed = read().view;
  await open();
  if (moved) content.focus({ preventScroll: true });
});
theme();
open();
