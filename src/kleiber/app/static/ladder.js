// Ladder: the server's registry, looked at every few seconds, with bands where unfinished runs are expected to end.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { fixed, show as showNumber } from "./numbers.js";
import { busy, problem, table as tableOf, takeaway } from "./parts.js";

const EVERY_MS = 5000;
const ORDER = ["running", "failed", "stopped", "queued", "done"];

export function show(root, { about }) {
  root.append(h("h1", {}, "Ladder"), h("p", { class: "lead" }, "The runs of this server's registry, as they stand now."));
  if (!about.ladder) {
    root.append(h("p", {}, "No registry is shown here. Start the page with one:"), h("pre", { tabindex: "0" }, h("code", {}, "kleiber app --registry sqlite:///results/registry.sqlite\nkleiber app --ladder LADDER.toml")));
    return undefined;
  }
  const said = busy(), wrong = h("div"), detail = h("div"), figure = chart("ladder", null, { wide: true });
  const last = { answer: null };
  let timer = 0, gone = false, paused = false, drawn = "";
  const pause = h("button", { type: "button", "aria-pressed": "false", on: { click: () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on looking" : "Pause";
    if (!paused) look();
  } } }, "Pause");
  root.append(h("div", { class: "row" }, pause, said), wrong, h("div", { class: "panels" }, figure.figure), detail, takeaway(() => last.answer, { rows, python: false }));

  async function look() {
    clearTimeout(timer);
    try {
      const answer = await get("ladder");
      if (gone) return;
      last.answer = answer;
      fill(wrong);
      await tell(answer);
    } catch (error) {
      fill(wrong, problem(error));
    }
    if (!gone && !paused) timer = setTimeout(look, EVERY_MS);
  }

  async function tell(answer) {
    const counts = Object.entries(answer.result.counts).filter(([, count]) => count).map(([state, count]) => `${count} ${state}`).join(", ");
    said.textContent = `${answer.runs.length} runs: ${counts || "none begun"}`;
    fill(detail, answer.law ? h("p", {}, h("strong", {}, "Law so far: "), answer.law) : null,
      tableOf("Runs", ["Run", "State", "Tokens", "Loss", "Expected (95 %)", "Note"], [...answer.runs].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state)).map((run) => [
        h("span", { class: "whole" }, run.label || run.run), h("span", { class: `state-${run.state}` }, state(run)), showNumber(run.tokens), run.loss === null || run.loss === undefined ? "" : fixed(run.loss),
        run.expected === null || run.expected === undefined ? "" : `${fixed(run.expected, 3)} (${fixed(run.low, 3)} to ${fixed(run.high, 3)})`, run.reason || ""])));
    const spec = JSON.stringify(answer.spec);
    if (answer.spec && spec !== drawn) { drawn = spec; await figure.draw(answer.spec); }
  }

  said.textContent = "Looking ...";
  look();
  return () => { gone = true; clearTimeout(timer); };
}

const state = (run) => (run.state === "running" && run.tokens_done ? `running, ${Math.round((100 * run.tokens_done) / run.tokens)} %` : run.state);
const rows = ({ runs }) => [["run", "state", "tokens", "loss", "expected", "low", "high"], ...runs.map((run) => [run.label || run.run, run.state, run.tokens, run.loss, run.expected, run.low, run.high])];
