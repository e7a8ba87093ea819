"""What if: the same step with another expert-parallel width, node limit, number of replicas or capacity factor.

One idea: a question is a name and values, an answer is one `Step` per value; everything else of the job stays. A wider or
narrower expert-parallel group keeps the devices in all, so the groups that split the data change with it; its experts stand
side by side. So many `replicas` to spare on each device are placed by the policy window-fill on the loads of the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean
from kleiber.experts.cluster import Cluster
from kleiber.experts.layers import sparse_layer
from kleiber.experts.placement import Placement, find
from kleiber.experts.simulate import Job, Step, simulate

Floats = NDArray[np.float64]
QUESTIONS = ("width", "node-limit", "replicas", "capacity")


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The step with one thing changed, or why there is none."""

    name: str
    value: float
    step: Step | None
    why: str = ""

    def to_json(self, before: Step) -> dict[str, Any]:
        """The answer as data, `faster` being the step before over this one."""
        found: dict[str, Any] = {"name": self.name, "value": self.value}
        if self.step is None:
            return found | {"refused": self.why}
        kept = (
            "step_seconds",
            "idle_fraction",
            "exposed_comm_seconds",
            "bubble_fraction",
            "dropped_fraction",
            "memory_bytes",
        )
        written = self.step.to_json()
        return found | {name: written[name] for name in kept} | {"faster": before.seconds / self.step.seconds}


def what_if(
    job: Job, loads: Floats | None, placement: Placement | None, name: str, values: Sequence[float]
) -> list[Answer]:
    """The answers for `values` of `name`; a value that cannot be is answered with why.

    Raises `InputError` where there is no such question.
    """
    if name not in QUESTIONS:
        raise InputError("no such question", found=repr(name), remedy=did_you_mean(name, QUESTIONS), where="--what-if")
    answers = []
    for value in values:
        try:
            step = simulate(*changed(job, loads, placement, name, value))
            answers.append(Answer(name=name, value=value, step=step))
        except InputError as error:
            answers.append(Answer(name=name, value=value, step=None, why=str(error)))
    return answers


def changed(
    job: Job, loads: Floats | None, placement: Placement | None, name: str, value: float
) -> tuple[Job, Floats | None, Placement | None]:
    """The job, loads and placement with one thing changed."""
    if name == "capacity":
        return replace(job, capacity_factor=value), loads, placement
    if value != int(value) or value < 0 or (value < 1 and name != "replicas"):
        raise InputError("must be a whole number", found=value, where=f"--what-if {name}")
    if name == "node-limit":
        return replace(job, practice=replace(job.practice, node_limit=int(value))), loads, placement
    if name == "width":
        return _width(job, int(value)), loads, None
    seen = loads if loads is not None else np.ones((1, sparse_layer(job.shape).count))
    seen_LE = seen.sum(axis=0) if seen.ndim == 3 else seen
    cluster = Cluster.of(job.nodes, job.devices_per_node, -(-seen_LE.shape[1] // job.width) + int(value))
    return job, loads, find("window-fill").place(seen_LE, cluster)


def _width(job: Job, width: int) -> Job:
    """The same devices with `width` of them sharing the experts of a layer."""
    data = job.width * job.groups
    if data % width or (width > job.devices_per_node and width % job.devices_per_node):
        raise InputError(
            "the width fills neither nodes nor the data-parallel devices evenly",
            found=f"{width} of {data} devices, {job.devices_per_node} to a node",
            where="--what-if width",
        )
    nodes = max(1, width // job.devices_per_node)
    return replace(job, nodes=nodes, devices_per_node=width // nodes, groups=data // width)
