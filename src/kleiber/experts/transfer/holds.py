"""What still holds of a plan after a tweak: one check per part of it, each with what to do and what that costs.

One idea: a part of a plan holds as long as what it rests on stays. A placement rests on which experts there are and how they
are loaded; a capacity on its margin over the noise of counting; an overlap on messages being shorter than the compute they
hide behind; a layout on memory.

Noise of counting: an even router sends an expert k T/E of T tokens on average, give or take the square root, so the busiest
of E lies about sqrt(2 ln E) deviations above. A capacity factor below 1 + sqrt(2 ln E) sqrt(E/(k T)) drops tokens by noise
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Literal

from kleiber.cost.layouts import USABLE
from kleiber.experts.layers import sparse_depth, sparse_layer
from kleiber.experts.placement import Placement
from kleiber.experts.simulate import Job, Step
from kleiber.experts.transfer.tweak import Tweak

Verdict = Literal["holds", "redo", "cannot tell"]
HOURS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A part of the plan: whether it holds, why, what to do, and the seconds that costs on every device (None: not known)."""

    name: str
    verdict: Verdict
    why: str
    remedy: str = ""
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The check as data."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "why": self.why,
            "remedy": self.remedy,
            "seconds": self.seconds,
        }


def placement_holds(before: Job, after: Job, tweak: Tweak, placement: Placement | None, traced: bool) -> Holding:
    """Whether experts may stay where they are."""
    old, new = sparse_layer(before.shape), sparse_layer(after.shape)
    move = moving_seconds(after)
    if placement is None and not traced:
        why = "experts stand side by side under even loads; no placement was tuned"
        return Holding(name="placement", verdict="holds", why=why)
    if new.count != old.count:
        why = f"there are {new.count} experts, not {old.count}: the trace and the placement speak of others"
        remedy = "record a trace of the new shape, then place anew"
        return Holding(name="placement", verdict="redo", why=why, remedy=remedy, seconds=move)
    if after.nodes != before.nodes:
        why = f"{after.nodes} nodes, not {before.nodes}: slots stay on their devices, but groups no longer share a node"
        return Holding(name="placement", verdict="redo", why=why, remedy="place anew on the new cluster", seconds=move)
    if tweak.changes("routing"):
        why = "the experts are as many, but the router is trained anew: nothing says that its loads stay"
        remedy = "record a trace of the new shape and look at the balance before moving anything"
        return Holding(name="placement", verdict="cannot tell", why=why, remedy=remedy, seconds=move)
    return Holding(name="placement", verdict="holds", why="experts, loads and devices are the same")


def moving_seconds(job: Job) -> float:
    """Seconds in which every device sends its experts (weights and optimiser) elsewhere, once."""
    layer = sparse_layer(job.shape)
    wide = job.hardware
    experts = layer.count / job.width * sparse_depth(job.shape) / job.pipeline
    each = layer.maps * job.shape.width * layer.hidden * sum(job.layout.bytes_per_param(job.groups))
    wire = wide.network if job.nodes > 1 else wide.link / 2
    return experts * each / wire if wire and job.width > 1 else 0.0


def capacity_holds(before: Job, after: Job) -> Holding:
    """Whether the capacity factor still clears the noise of counting."""
    factor = after.capacity_factor
    if factor is None:
        return Holding(name="capacity", verdict="holds", why="no token is dropped, whatever the loads")
    needed = [1 + noise(job) for job in (before, after)]
    slots = [
        factor * tokens_seen(job) * sparse_layer(job.shape).chosen / sparse_layer(job.shape).count
        for job in (before, after)
    ]
    why = f"{slots[0]:,.0f} slots an expert become {slots[1]:,.0f}; an even router alone needs a factor of {needed[1]:.3f}"
    if factor >= needed[1] or needed[1] <= needed[0]:
        return Holding(name="capacity", verdict="holds", why=why)
    return Holding(name="capacity", verdict="redo", why=why, remedy=f"a capacity factor of {needed[1]:.3g} at least")


def tokens_seen(job: Job) -> float:
    """Tokens that the experts of a layer see in a micro-batch, from all devices that share them."""
    return float(job.width * job.micro_batch * job.context)


def noise(job: Job) -> float:
    """How far above the mean an even router's busiest expert lies, by counting alone."""
    layer = sparse_layer(job.shape)
    return sqrt(2 * log(max(2, layer.count))) * sqrt(layer.count / (layer.chosen * tokens_seen(job)))


def overlap_holds(before: Step, after: Step) -> Holding:
    """Whether messages are still shorter than the compute of a forward and a backward pass beside them."""
    ratios = [_ratio(step) for step in (before, after)]
    why = f"all-to-all over compute beside it: {ratios[0]:.2f} before, {ratios[1]:.2f} after"
    if ratios[1] <= 1 or ratios[1] <= ratios[0]:
        return Holding(name="overlap", verdict="holds", why=why)
    lost = after.exposed_comm - before.exposed_comm
    return Holding(
        name="overlap",
        verdict="redo",
        why=why,
        remedy="a lower node limit, fewer devices to an expert group, or larger micro-batches",
        seconds=max(0.0, lost),
    )


def _ratio(step: Step) -> float:
    """The worst stage's messages over its compute, both passes."""
    found = step.stages
    messages = found.forward_messages + found.backward_messages
    return float((messages / (found.forward + found.backward)).max())


def memory_holds(before: Step, after: Step) -> Holding:
    """Whether the fullest device still holds everything."""
    room = USABLE * after.job.device.memory
    why = f"{before.memory_bytes / 1e9:.3g} GB on the fullest device become {after.memory_bytes / 1e9:.3g} of {room / 1e9:.3g}"
    if after.memory_bytes <= room:
        return Holding(name="memory", verdict="holds", why=why)
    if before.memory_bytes > room:
        return Holding(
            name="memory",
            verdict="cannot tell",
            why=f"{why}: the plan before was already beyond what Kleiber reckons a device holds",
        )
    return Holding(
        name="memory", verdict="redo", why=why, remedy="more pipeline stages, wider groups, or recomputation"
    )
