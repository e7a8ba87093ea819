"""The published speeds of `steps.toml`, each with what is modelled for it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kleiber.cost import Attention, Block, FeedForward, Hardware, Layout, Shape, find_hardware, model, train_flops
from kleiber.cost.efficiency import CALIBRATED, Efficiency, Practice
from kleiber.cost.step import StepTime, step_time

DEGREES = ("tensor", "pipeline", "virtual", "micro_batch", "expert", "expert_tensor", "zero")
LIMITED = 0.67
"""Part of the H100's best matrix product that the one limited to 500 W reaches: fitted on one row of torchtitan."""


@dataclass(frozen=True)
class Published:
    """One row."""

    name: str
    source: str
    use: str
    why: str
    shape: Shape
    device: Hardware
    layout: Layout
    practice: Practice
    sequences: int
    context: int
    seconds: float

    def modelled(self, efficiency: Efficiency = CALIBRATED) -> StepTime:
        practice = replace(self.practice, efficiency=efficiency)
        return step_time(
            self.shape, self.device, self.layout, sequences=self.sequences, context=self.context, practice=practice
        )

    def error(self, efficiency: Efficiency = CALIBRATED) -> float:
        """modelled / published - 1."""
        return self.modelled(efficiency).seconds / self.seconds - 1


def gpt(width: int, heads: int, depth: int) -> Shape:
    """A GPT with 51,200 tokens and 2,048 positions."""
    mixer = Attention(heads=heads, kv_heads=heads, head_width=width // heads, biases="all")
    block = Block(mixer=mixer, feed_forward=FeedForward(hidden=4 * width, gated=False, biases=True), times=depth)
    return Shape(width=width, vocabulary=51200, tied=True, blocks=(block,), positions=2048, norm_bias=True)


def published() -> list[Published]:
    """All rows, in the order of the file."""
    data = tomllib.loads((Path(__file__).parent / "steps.toml").read_text(encoding="utf-8"))
    return [row for kind in ("gpt", "model") for group in data[kind] for row in _rows(group)]


def limited() -> Hardware:
    """The H100 of torchtitan's tables."""
    h100 = find_hardware("h100")
    return replace(h100, bandwidth=2.4e12, matmul={name: LIMITED * speed for name, speed in h100.matmul.items()})


def _rows(group: Mapping[str, Any]) -> Iterator[Published]:
    name = group.get("device", "a100")
    device = limited() if name == "h100-500w" else find_hardware(name)
    for row in group["rows"]:
        facts = {**group, **row}
        degrees = {name: value for name, value in {**group["layout"], **row}.items() if name in DEGREES}
        virtual = degrees.get("virtual", 1)
        ranks = degrees.get("tensor", 1) * degrees.get("pipeline", 1) * row.get("context", 1)
        extra = {"schedule": "interleaved"} if virtual > 1 else {}
        layout = Layout(
            data=row["devices"] // ranks, context=row.get("context", 1), **{**group["layout"], **degrees, **extra}
        )
        assert layout.devices == row["devices"]
        shape, context = _shape(row), facts.get("length", 2048)
        practice = Practice(
            precision=facts.get("precision", "bf16"),
            overlap=tuple(group["overlap"]),
            reserved=group.get("reserved", 0.0),
            node_limit=group.get("node_limit"),
        )
        yield Published(
            name=row["name"],
            source=group["source"],
            use=row["use"],
            why=group.get("why", ""),
            shape=shape,
            device=device,
            layout=layout,
            practice=practice,
            sequences=row["sequences"],
            context=context,
            seconds=_seconds(facts, shape, context),
        )


def _shape(row: Mapping[str, Any]) -> Shape:
    if "shape" in row:
        return gpt(*row["shape"])
    shape = model(row["name"].split(",")[0].split(" ")[0])
    last = shape.blocks[-1]
    more = replace(last, times=last.times + row.get("extra_blocks", 0))
    return replace(shape, blocks=(*shape.blocks[:-1], more))


def _seconds(facts: Mapping[str, Any], shape: Shape, context: int) -> float:
    tokens, devices = facts["sequences"] * context, facts["devices"]
    if "seconds" in facts:
        return facts["seconds"]
    if "tokens_per_second" in facts:
        return tokens / facts["tokens_per_second"] / devices
    if facts["count"] == "kleiber":
        return tokens * train_flops(shape, context) / devices / (facts["tflops"] * 1e12)
    h, depth = shape.width, shape.depth
    factor, head = {"narayanan": (96, 16), "korthikanti": (72, 12)}[facts["count"]]
    flops = factor * tokens * depth * h * h * (1 + context / (6 * h) + shape.vocabulary / (head * depth * h))
    return flops / devices / (facts["tflops"] * 1e12 if "tflops" in facts else facts["mfu"] * 312e12)


def table() -> str:
    """The table of docs/cost.md."""
    lines = ["| run | published | modelled | error | use |", "|---|--:|--:|--:|---|"]
    for row in published():
        modelled = row.modelled().seconds
        error = f"{100 * row.error():+.1f} %"
        lines.append(f"| {row.source}: {row.name} | {row.seconds:.2f} s | {modelled:.2f} s | {error} | {row.use} |")
    return "\n".join(lines)


def errors(use: str, sparse: bool | None = None) -> list[float]:
    """The errors without sign of the rows of one use, of sparse models alone or of dense ones alone."""
    return [
        abs(row.error()) for row in published() if row.use == use and sparse in (None, row.shape.family == "experts")
    ]


KINDS = {
    "calibrated": ("calibrated", None),
    "held out, dense": ("held out", False),
    "held out, sparse": ("held out", True),
    "named": ("named", None),
}


def means() -> str:
    """The summary of docs/cost.md."""
    lines = ["| rows | | mean error | largest |", "|---|--:|--:|--:|"]
    for words, kind in KINDS.items():
        found = errors(*kind)
        lines.append(f"| {words} | {len(found)} | {100 * sum(found) / len(found):.1f} % | {100 * max(found):.1f} % |")
    return "\n".join(lines)
