"""What others measured, held against this model: DeepEP's all-to-all, a profile of DeepSeek-V3, and the hours of its training.

One idea: every target is a row of `published.toml` with its source, every comparison an `Against` (published, modelled,
error). No constant of the package was fitted on any of them. The constants are those of `kleiber.cost`: the parts of link and
network from dense runs and from one row of the first target's table (see `cost.efficiency`), the rest from dense runs.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from math import inf, log
from typing import Any

from kleiber.cost import Block, Practice, Shape, find_hardware, model
from kleiber.cost.stage import bench, block_work
from kleiber.experts.communication import all_to_all, even_routing
from kleiber.experts.layers import stages, wires
from kleiber.experts.pipeline.pair import Pieces, exposed
from kleiber.experts.simulate import Job, Step, routing_of, simulate

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Against:
    """A published number and the model's, in `unit`."""

    name: str
    published: float
    modelled: float
    unit: str

    @property
    def error(self) -> float:
        """modelled / published - 1."""
        return self.modelled / self.published - 1


@functools.cache
def targets() -> Mapping[str, Any]:
    """The file `published.toml`."""
    return tomllib.loads(resources.files("kleiber.experts").joinpath("published.toml").read_text(encoding="utf-8"))


def all_to_all_rows() -> list[Against]:
    """DeepEP's logical bandwidth on H800s.

    >>> [f"{row.error:+.0%}" for row in all_to_all_rows() if "dispatch" in row.name]
    ['+0%', '+9%', '-1%', '-4%']
    """
    found = []
    for table in targets()["all_to_all"]:
        wired = replace(wires(find_hardware("h800"), Practice()), latency=0.0)
        for row in table["rows"]:
            reached = even_routing(table["experts"], table["chosen"], row["nodes"], row["devices"], row["limit"])
            counted = (reached.device_LG if row["over"] == "link" else reached.node_LN).sum()
            for what, size in (("dispatch", 1.0), ("combine", 2.0)):
                sent = table["width"] * size
                seconds = float(all_to_all(reached, table["tokens"], sent, wired).seconds_L[0])
                found.append(
                    Against(
                        name=f"{what}, {row['devices']} devices, over the {row['over']}",
                        published=row[f"{what}_gb_per_s"],
                        modelled=float(table["tokens"] * sent * counted / seconds / 1e9),
                        unit="GB/s",
                    )
                )
    return found


def deepseek_job(sequences: int | None = None) -> Job:
    """The published configuration of DeepSeek-V3's pre-training, by default with the batch after the ramp."""
    given = assumptions()
    pipeline, width = int(given["pipeline"]), int(given["width"])
    return Job(
        shape=with_prediction(model("deepseek-v3"), int(given["prediction_blocks"])),
        device=find_hardware("h800"),
        nodes=width // 8,
        devices_per_node=8,
        pipeline=pipeline,
        groups=int(given["devices"]) // width // pipeline,
        schedule="dualpipe",
        sequences=int(given["last_sequences"]) if sequences is None else sequences,
        context=int(given["context"]),
        micro_batch=int(given["micro_batch"]),
        practice=Practice(
            precision="fp8",
            overlap=("pipeline", "data", "expert"),
            reserved=given["reserved"],
            node_limit=int(given["node_limit"]),
        ),
    )


def assumptions() -> dict[str, float]:
    """Everything that the hours are reckoned from, by name."""
    return {entry["name"]: float(entry["value"]) for entry in targets()["training"]["assumption"]}


def with_prediction(shape: Shape, blocks: int) -> Shape:
    """The model with further blocks behind it that predict further tokens, and the head once more for each."""
    last: Block = shape.blocks[-1]
    more = replace(last, times=last.times + blocks)
    # The head's second pass is as many multiplications as a head twice as large.
    return replace(shape, blocks=(*shape.blocks[:-1], more), vocabulary=shape.vocabulary * (1 + blocks))


def profile_rows() -> list[Against]:
    """A forward and a backward chunk of four layers of DeepSeek-V3, overlapped (milliseconds)."""
    target = targets()["profile"]
    job, layer = _profiled()
    chunk = [layer] * target["layers"]
    speeds = bench(job.hardware, job.layout, job.practice)
    block = job.shape.blocks[-1]
    scores = block_work(
        job.shape, block, job.context, job.layout, job.device, job.practice, replace(speeds, attention=inf)
    )
    whole = block_work(job.shape, block, job.context, job.layout, job.device, job.practice, speeds)
    both = 1e3 * target["layers"]
    compute = both * (whole.forward.compute + whole.backward.compute)
    products = both * 3 * whole.weight
    attention = compute - both * (scores.forward.compute + scores.backward.compute)
    dispatch, combine = 2 * both * layer.dispatch, 2 * both * layer.combine
    left = 1e3 * exposed(chunk, chunk)
    modelled = {
        "span": compute + left,
        "compute": compute,
        "products": products,
        "attention": attention,
        "rest": compute - products - attention,
        "dispatch": dispatch,
        "combine": combine,
        "comm": dispatch + combine,
        "overlapped": dispatch + combine - left,
        "exposed": left,
    }
    return [
        Against(name=name, published=target[f"{name}_ms"], modelled=value, unit="ms")
        for name, value in modelled.items()
    ]


def _profiled() -> tuple[Job, Pieces]:
    """The job of the profile, and one of its layers of experts."""
    job = replace(deepseek_job(), shape=model("deepseek-v3"), pipeline=1, groups=1, schedule="1f1b")
    took = stages(
        job.shape, job.hardware, job.layout, job.practice, job.context, routing_of(job, None, None), job.shape.depth
    )
    return job, took.pieces[job.shape.depth // 2][0]


def profile_exposed() -> tuple[float, float]:
    """What the order of the pieces leaves of messages as long as their kernels in the profile, in milliseconds.

    The waits (`notify`) come before every all-to-all, or all of them before dispatches: their split is not published.
    """
    target = targets()["profile"]
    _, layer = _profiled()
    count = 2 * target["layers"]
    found = []
    for before_dispatch in (0.5, 1.0):
        dispatch = (target["dispatch_ms"] + before_dispatch * target["notify_ms"]) / count
        combine = (target["combine_ms"] + (1 - before_dispatch) * target["notify_ms"]) / count
        chunk = [layer._replace(dispatch=dispatch / 1e3, combine=combine / 1e3)] * target["layers"]
        found.append(1e3 * exposed(chunk, chunk))
    return found[0], found[1]


def training_hours() -> Against:
    """Device-hours of DeepSeek-V3's pre-training.

    A step takes a + b m for m micro-batches (two simulations give both). While the batch grows in proportion to the tokens
    seen, the tokens R of the ramp take R ln(last/first)/(last - first) / context steps.
    """
    given = assumptions()
    ranks = given["devices"] / given["pipeline"]
    fewest = int(2 * given["pipeline"])
    low: Step = simulate(deepseek_job(int(fewest * ranks)))
    high: Step = simulate(deepseek_job())
    each = (high.seconds - low.seconds) / (high.micro_batches - fewest)
    fixed = low.seconds - each * fewest
    first, last, ramp = given["first_sequences"], given["last_sequences"], given["ramp_tokens"]
    sequences = given["tokens"] / given["context"]
    steps = ramp / given["context"] * log(last / first) / (last - first) + (sequences - ramp / given["context"]) / last
    seconds = fixed * steps + each * sequences / ranks
    return Against(
        name="DeepSeek-V3, pre-training",
        published=targets()["training"]["hours"],
        modelled=seconds * given["devices"] / SECONDS_PER_HOUR,
        unit="device-hours",
    )
