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
from math import log
from typing import Any

from kleiber.cost import Block, Practice, Shape, find_hardware, model
from kleiber.experts.communication import all_to_all, even_routing
from kleiber.experts.layers import stages, wires
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
    job = replace(deepseek_job(), shape=model("deepseek-v3"), pipeline=1, groups=1, schedule="1f1b")
    took = stages(
        job.shape, job.hardware, job.layout, job.practice, job.context, routing_of(job, None, None), job.shape.depth
    )
    layer = job.shape.depth // 2
    count = target["layers"]
    compute = 1e3 * count * float(took.even_forward[layer] + took.even_backward[layer])
    dispatch, combine = 2e3 * count * took.dispatch, 2e3 * count * took.combine
    comm = dispatch + combine
    exposed = max(0.0, comm - compute)
    modelled = {
        "span": compute + exposed,
        "compute": compute,
        "dispatch": dispatch,
        "combine": combine,
        "comm": comm,
        "overlapped": comm - exposed,
        "exposed": exposed,
    }
    return [
        Against(name=name, published=target[f"{name}_ms"], modelled=value, unit="ms")
        for name, value in modelled.items()
    ]


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
