// Experts: how uneven the routing is, where to place experts, and what a training step takes.

import { ask, get } from "./api.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { busy, choice, download, drop, field, sentences, table as tableOf, takeaway, text, working } from "./parts.js";
import { change, read } from "./state.js";

export function show(root, { about }) {
  root.append(h("h1", {}, "Experts"), h("p", { class: "lead" }, "Tokens that experts of a sparse model were given (Megatron's JSONL, CSV, Parquet or .npy, layers × experts), and where to put those experts."));
  const last = { placed: null, step: null };
  const said = busy(), wrong = h("div"), placed = h("div"), stepSaid = busy(), stepped = h("div"), which = h("p", { class: "key" });
  const maps = chart("loads", "A balanced layer is a row of one colour.", { wide: true });
  const timeline = chart("timeline", "Empty ground is a device that waits.", { wide: true });
  let trace = null;

  const number = (name, usual, label, more = {}) => field(label, h("input", { type: "number", min: 1, value: read().set[name] || usual, ...more, on: { change: (event) => { change({ [name]: event.target.value }); place(); } } }));
  const cluster = () => {
    const { set } = read();
    return { nodes: Number(set.nodes || 1), devices_per_node: Number(set.per_node || 8), slots_per_device: Number(set.slots || 9) };
  };

  async function found() {
    const { set } = read();
    if (!set.trace) return;
    trace = (await get("uploads")).find((each) => each.sha256 === set.trace) || null;
    which.textContent = trace ? `Trace: ${trace.name.split("/").at(-1)}` : `This link is about the trace ${set.trace_name || ""}, which is not here: drop it above.`;
    if (trace) await place();
  }

  async function place() {
    if (!trace) return;
    const { set } = read();
    const body = { trace: trace.id, cluster: cluster(), policy: set.policy || "window-fill", hierarchical: set.groups === "yes" };
    const answer = await working(said, placed, "Placing experts ...", () => ask("experts/place", body));
    maps.hide();
    if (!answer) return;
    last.placed = answer;
    const { before, after } = answer.balancedness;
    fill(placed, h("div", { class: "decision" }, h("p", { class: "headline" }, `Balancedness ${before.toFixed(3)} as the experts stand, ${after.toFixed(3)} placed.`), sentences(answer.sentences)),
      takeaway(() => last.placed, { uploads: () => [trace.id], rows: rowsOf }),
      h("div", { class: "row" }, h("button", { type: "button", on: { click: () => download("cluster.toml", answer.cluster, "application/toml") } }, "cluster.toml"),
        h("button", { type: "button", on: { click: () => download("placement.json", JSON.stringify(answer.result, null, 2), "application/json") } }, "placement.json")));
    if (!read().set.model && answer.suited.length) model.value = answer.suited[0];
    await maps.draw(answer.spec);
  }

  async function simulate() {
    const { set } = read();
    const layout = Object.fromEntries([["pipeline", set.pipeline], ["groups", set.replicas]].filter(([, value]) => value).map(([name, value]) => [name, Number(value)]));
    const body = { model: model.value, cluster: cluster(), trace: trace && set.use !== "even" ? trace.id : null, placed: set.use === "placed", policy: set.policy || "window-fill", hardware: set.hardware || "h100", schedule: set.schedule || "1f1b", layout, context: set.context || "4096" };
    const answer = await working(stepSaid, stepped, "Simulating a step ...", () => ask("experts/simulate", body));
    timeline.hide();
    if (!answer) return;
    last.step = answer;
    const shown = answer.seconds >= 1 ? `${answer.seconds.toPrecision(3)} s` : `${(1000 * answer.seconds).toPrecision(3)} ms`;
    fill(stepped, h("div", { class: "decision" }, h("p", { class: "headline" }, `${shown} a step`)),
      tableOf("What it is spent on", ["", "Share", "Seconds"], answer.parts.filter((part) => part.seconds > 0).map((part) => [part.words, `${((100 * part.seconds) / answer.seconds).toFixed(1)} %`, part.seconds.toPrecision(3)])),
      takeaway(() => last.step, { link: false }));
    await timeline.draw(answer.spec);
  }

  const pick = (name, options, usual, act = place) => choice(options, read().set[name] || usual, (value) => { change({ [name]: value }); act && act(); });
  const model = pick("model", about.models, about.models[0], null);
  const settle = (name) => text(read().set[name], (value) => change({ [name]: value }));
  root.append(
    drop("Drop a routing trace here, or choose it", (upload) => { change({ trace: upload.sha256, trace_name: upload.name }); return found(); }, { accept: ".npy,.csv,.parquet,.jsonl,.json" }), which,
    h("fieldset", {}, h("legend", {}, "The devices"), h("div", { class: "fields" }, number("nodes", 1, "Nodes"), number("per_node", 8, "Devices per node"), number("slots", 9, "Expert slots per device"),
      field("Policy", pick("policy", about.policies, "window-fill")), field("Groups of experts stay in a node", pick("groups", [["no", "no"], ["yes", "yes"]], "no")))),
    said, wrong, placed, h("div", { class: "panels" }, maps.figure),
    h("h2", {}, "A training step"),
    h("fieldset", {}, h("legend", {}, "The step"), h("div", { class: "fields" }, field("Model", model), field("Hardware", pick("hardware", about.hardware, "h100", null)),
      field("Schedule", pick("schedule", about.schedules, "1f1b", null)), field("Pipeline devices", settle("pipeline")), field("Groups", settle("replicas")), field("Context (tokens)", settle("context")),
      field("Routing", pick("use", [["trace", "as the trace says"], ["placed", "the trace, experts placed"], ["even", "even"]], "trace", null))),
    h("div", { class: "row" }, h("button", { type: "button", class: "main", on: { click: simulate } }, "Simulate"))),
    stepSaid, stepped, h("div", { class: "panels" }, timeline.figure));
  found();
}

const rowsOf = ({ result }) => [["layer", "slot", "device", "expert", "share"], ...result.layers.flatMap((layer, at) => layer.physical_to_logical.map((expert, slot) => [at, slot, layer.device_of_slot[slot], expert, layer.share[slot]]))];
