"""Questions about experts: how uneven they are, where to place them, what a step takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from kleiber.app.memory import limited
from kleiber.app.repeat import Code, Repeat, call

CLUSTER = "cluster.toml"


def cluster_text(cluster: Mapping[str, Any]) -> str:
    """The cluster as the file that the command takes."""
    lines = [
        f"{name} = {list(value) if isinstance(value, list) else value}" for name, value in cluster.items() if value
    ]
    return "\n".join(lines) + "\n"


def _cluster(asked: dict[str, Any]) -> Any:
    from kleiber.experts.cluster import cluster_of

    return cluster_of({name: value for name, value in asked["cluster"].items() if value}, where="the cluster")


def _trace(asked: dict[str, Any]) -> Any:
    from kleiber.experts.read import read_trace

    limited(asked["sources"][0])
    return read_trace(asked["sources"][0]["path"])


def place(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber experts place`, with the loads before and after as heat maps and the statistics of the trace."""
    from kleiber.cli.experts_place import chosen_groups
    from kleiber.experts import words
    from kleiber.experts.balance import statistics
    from kleiber.experts.placement import find

    trace, devices = _trace(asked), _cluster(asked)
    groups = chosen_groups(asked["hierarchical"], asked["groups"], trace.experts, devices)
    found = find(asked["policy"]).place(trace.load_LE, devices, groups=groups, source=asked["sources"][0]["name"])
    before = find("static").place(trace.load_LE, devices)
    known = statistics(trace)
    repeat = _repeat(asked, "place")
    repeat.option("--policy", asked["policy"], "window-fill").say("--hierarchical" if asked["hierarchical"] else None)
    repeat.option("--groups", asked["groups"])
    return repeat.answer(
        found.to_json(),
        _python(asked, f"placed = find({asked['policy']!r}).place(trace.load_LE, cluster{_grouped(groups)})"),
        sentences=[*words.of_statistics(known), *words.of_placement(found, groups)],
        cluster=cluster_text(asked["cluster"]),
        suited=_suited(trace.experts),
        balancedness={"before": before.balancedness, "after": found.balancedness},
        spec=_maps(before, found),
    )  # fmt: skip


def _suited(experts: int) -> list[str]:
    """The models that have so many experts in a layer."""
    from kleiber.cost.models import models
    from kleiber.experts.layers import sparse_layer

    sparse = [each for each in models() if any("expert" in key for key in each.config)]
    return [each.name for each in sparse if sparse_layer(each.shape).count == experts]


def _grouped(groups: int | None) -> str:
    return f", groups={groups}" if groups else ""


def _repeat(asked: dict[str, Any], command: str) -> Repeat:
    repeat = Repeat({}, "experts", command)
    if command == "place":
        repeat.say(asked["sources"][0]["name"])
    return repeat.option("--cluster", CLUSTER)


def _python(asked: dict[str, Any], body: str) -> str:
    given = {name: value for name, value in asked["cluster"].items() if value}
    return (
        "from kleiber.experts.cluster import cluster_of\nfrom kleiber.experts.placement import find\n"
        f"from kleiber.experts.read import read_trace\n\ntrace = read_trace({asked['sources'][0]['name']!r})\n"
        f"cluster = cluster_of({given!r}, where='the cluster')\n{body}\nprint(placed.balancedness)"
    )


def _maps(before: Any, after: Any) -> dict[str, Any]:
    from kleiber.figures import device_loads
    from kleiber.figures.files import specification

    worst = f"Balancedness {before.balancedness:.3f} before, {after.balancedness:.3f} after."
    pair = [
        ("Experts in order", before.device_load_LG()),
        (f"Placed by {after.policy}", after.device_load_LG()),
    ]
    return specification(
        device_loads(pair, "What each device serves", [worst, "The darkest cell of a row sets its pace."])
    )


def _step_python(asked: dict[str, Any], job: Any, placed: bool) -> str:
    """The same step in Python: the fields of the job that are not as they usually are."""
    plain = {
        "shape": Code(f"find_model({asked['model']!r}).shape"),
        "device": Code(f"find_hardware({asked['hardware']!r})"),
    }
    practice = Code(f"Practice({', '.join(f'{name}={value!r}' for name, value in _unusual(job.practice).items())})")
    given = {**_unusual(job), **plain, **({"practice": practice} if "practice" in _unusual(job) else {})}
    lines = ["from kleiber.cost import Practice, find_hardware", "from kleiber.cost.models import find_model",
             "from kleiber.experts.simulate import Job, simulate"]  # fmt: skip
    loads = ""
    if asked["sources"]:
        lines += [
            "from kleiber.experts.read import read_trace",
            "",
            f"trace = read_trace({asked['sources'][0]['name']!r})",
        ]
        loads = ", trace.count_SLE"
    if placed:
        cluster = {name: value for name, value in asked["cluster"].items() if value}
        lines += ["from kleiber.experts.cluster import cluster_of", "from kleiber.experts.placement import find", "",
                  f"cluster = cluster_of({cluster!r}, where='the cluster')",
                  f"placed = find({asked['policy']!r}).place(trace.load_LE, cluster)"]  # fmt: skip
        loads += ", placed"
    made = call("Job", "", **given).replace("(, ", "(", 1)
    return "\n".join([*lines, f"job = {made}", f"step = simulate(job{loads})", "print(step.seconds)"])


def _unusual(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults."""
    found = {}
    for each in fields(value):
        usual = each.default_factory() if each.default_factory is not MISSING else each.default
        if getattr(value, each.name) != usual:
            found[each.name] = getattr(value, each.name)
    return found


def simulate(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber experts simulate`, with the timeline of its pipeline."""
    from kleiber.cli.experts_job import JobOptions, living
    from kleiber.cli.experts_simulate import WORDS
    from kleiber.cost import find_hardware
    from kleiber.cost.models import find_model
    from kleiber.experts.layers import sparse_layer
    from kleiber.experts.placement import find
    from kleiber.experts.simulate import simulate as run
    from kleiber.figures import pipeline_timeline
    from kleiber.figures.files import specification

    layout = [f"{name}={value}" for name, value in asked["layout"].items()]
    job_options = JobOptions(
        model=asked["model"], cluster=CLUSTER, hardware=asked["hardware"], layout=layout or None, schedule=asked["schedule"],
        batch_tokens=asked["batch_tokens"], context=asked["context"], recompute=asked["recompute"],
        node_limit=asked["node_limit"], capacity=asked["capacity"], hide=asked["hide"],
    )  # fmt: skip
    shape, devices = find_model(asked["model"]).shape, _cluster(asked)
    sparse_layer(shape)
    job = job_options._job(shape, devices, find_hardware(asked["hardware"]))
    trace = _trace(asked) if asked["sources"] else None
    placed = None
    if trace is not None and asked["placed"]:
        placed = find(asked["policy"]).place(trace.load_LE, devices)
    step = run(job, None if trace is None else living(trace), placed)
    repeat = _repeat(asked, "simulate").option("--model", asked["model"])
    repeat.option("--trace", asked["sources"][0]["name"] if asked["sources"] else None)
    repeat.option("--placement", "placement.json" if placed is not None else None)
    repeat.option("--hardware", asked["hardware"], "h100").option("--layout", asked["layout"])
    for name, usual in (("schedule", "1f1b"), ("batch_tokens", None), ("context", "4096"), ("node_limit", None),
                        ("recompute", "none"), ("capacity", None)):  # fmt: skip
        repeat.option("--" + name.replace("_", "-"), asked[name], usual)
    repeat.say("--hide" if asked["hide"] else None)
    parts = [{"words": words, "seconds": getattr(step, name)} for name, words in WORDS.items()]
    title = f"{job.shape.name}: {job.schedule}, {step.micro_batches} micro-batches"
    return repeat.answer(
        step.to_json() | {"what_if": []}, _step_python(asked, job, placed is not None),
        parts=parts, seconds=step.seconds, cluster=cluster_text(asked["cluster"]),
        spec=specification(pipeline_timeline(step.run, title)),
    )  # fmt: skip
