"""Replay: when to re-plan, decided by what it would have cost on a trace that is already there.

One idea: a plan is made on one window and judged on the next, never on its own. Every rule starts from the same plan of the
first window; before each later window it sees the window just served and either leaves the replicas where they are (splitting
their shares anew, which moves nothing) or moves to a fresh plan. A rule's cost is the time of the busiest devices, step by step
since they wait for each other in every one, plus the time spent moving, both in assignments of a device, so rules can be
compared by one number.

Shapes: L layers, G devices, W windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement.migrate import Migration, migrate
from kleiber.experts.placement.placement import Placement
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.shares import best_shares
from kleiber.experts.trace import Floats, RoutingTrace

SCHEMA = "kleiber/experts-replay/1"
MOVE_TOKENS = 2700.0
"""Assignments that a device serves while it receives one expert: DeepSeek-V3's (3 x 7168 x 2048 params, 2 bytes) over 50 GB/s
take 1.8 ms; 6 FLOP per param at 400 TFLOP/s take 0.66 us per assignment. Both speeds are assumptions."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a rule sees: what moving saves in one more window like the last, what it takes, and whether it paid before."""

    saved: float
    cost: float
    paid_before: bool

    @property
    def pays(self) -> bool:
        """Whether one window makes up for the move."""
        return self.saved > self.cost


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When to re-plan (None: never). `splits`: whether shares follow the last window where replicas stay."""

    name: str
    title: str
    splits: bool
    moves: Callable[[Outlook], bool] | None


RULES: tuple[Rule, ...] = (
    Rule(name="never", title="the first plan, untouched", splits=False, moves=None),
    Rule(name="split", title="the first plan, shares anew every window", splits=True, moves=None),
    Rule(name="every", title="a fresh plan every window", splits=True, moves=lambda outlook: True),
    Rule(name="pays", title="where a window pays for the move", splits=True, moves=lambda outlook: outlook.pays),
    Rule(
        name="pays-twice",
        title="where it would have paid twice in a row",
        splits=True,
        moves=lambda outlook: outlook.pays and outlook.paid_before,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One rule on one trace: balancedness of each window after the first, replicas moved before it, its cost."""

    rule: Rule
    balancedness_W: tuple[float, ...]
    moved_W: tuple[int, ...]
    serving: float
    moving: float

    @property
    def balancedness(self) -> float:
        """The mean over windows and layers."""
        return float(np.mean(self.balancedness_W))

    @property
    def cost(self) -> float:
        """Serving and moving, in assignments of a device."""
        return self.serving + self.moving

    def to_json(self, ideal: float, expert_bytes: float | None) -> dict[str, Any]:
        """The rule's entry; `cost` over that of perfect balance without moving."""
        moved = sum(self.moved_W)
        return {
            "rule": self.rule.name,
            "balancedness": self.balancedness,
            "windows": list(self.balancedness_W),
            "replans": sum(moved > 0 for moved in self.moved_W),
            "moved_replicas": moved,
            "moved_bytes": None if expert_bytes is None else moved * expert_bytes,
            "cost": self.cost / ideal if ideal else 1.0,
        }


@dataclass(frozen=True, kw_only=True)
class Replay:
    """All rules on one trace; `ideal` is the cost of perfect balance without moving."""

    rules: tuple[Replayed, ...]
    windows: int
    ideal: float
    cluster: Cluster
    policy: str
    move_tokens: float

    @property
    def best(self) -> Replayed:
        """The rule that costs least."""
        return min(self.rules, key=lambda found: found.cost)

    def to_json(self) -> dict[str, Any]:
        """The replay as `kleiber/experts-replay/1`."""
        return {
            "schema": SCHEMA,
            "policy": self.policy,
            "windows": self.windows,
            "move_tokens": self.move_tokens,
            "best": self.best.rule.name,
            "rules": [found.to_json(self.ideal, self.cluster.expert_bytes) for found in self.rules],
        }


def replay(
    trace: RoutingTrace,
    cluster: Cluster,
    policy: Policy,
    *,
    windows: int,
    groups: int | None = None,
    move_tokens: float = MOVE_TOKENS,
) -> Replay:
    """Every rule on the trace. Raises `InputError` for fewer than two windows, or more of them than steps."""
    if windows < 2:
        raise InputError("a plan is judged on the window after it", found=windows, expected="at least 2 windows")
    counts = [window.count_SLE for window in trace.windows(windows)]
    first = policy.place(counts[0].sum(axis=0), cluster, groups=groups, source=trace.source)
    rules = tuple(_replayed(rule, first, counts, policy, groups, move_tokens) for rule in RULES)
    ideal = float(sum(count_SLE.sum() for count_SLE in counts[1:]) / cluster.speed_G.sum())
    return Replay(
        rules=rules, windows=windows, ideal=ideal, cluster=cluster, policy=policy.name, move_tokens=move_tokens
    )


def _replayed(
    rule: Rule, placed: Placement, counts: Sequence[Floats], policy: Policy, groups: int | None, move_tokens: float
) -> Replayed:
    balancedness, moved, serving, moving, paid = [], [], 0.0, 0.0, False
    for before_SLE, count_SLE in pairwise(counts):
        received = 0
        if rule.splits:
            placed, step, paid = _next(rule, placed, before_SLE.sum(axis=0), policy, groups, move_tokens, paid)
            received = step.moved if step else 0
            moving += step.cost(move_tokens) if step else 0.0
        longest_L = np.sum([placed.longest_L(step_LE) for step_LE in count_SLE], axis=0)
        even_L = count_SLE.sum(axis=(0, 2)) / placed.cluster.speed_G.sum()
        balanced_L = np.divide(even_L, longest_L, out=np.ones_like(even_L), where=longest_L > 0)
        balancedness.append(float(balanced_L.mean()))
        moved.append(received)
        serving += float(longest_L.sum())
    return Replayed(rule=rule, balancedness_W=tuple(balancedness), moved_W=tuple(moved), serving=serving, moving=moving)


def _next(
    rule: Rule, placed: Placement, load_LE: Floats, policy: Policy, groups: int | None, move_tokens: float, paid: bool
) -> tuple[Placement, Migration | None, bool]:
    """The placement for the next window, the migration to it if there is one, and whether one would have paid."""
    cluster = placed.cluster
    share_LN = best_shares(placed.expert_LN, load_LE, cluster.slots_G, cluster.speed_G)
    split = replace(placed, share_LN=share_LN, load_LE=load_LE)
    if rule.moves is None:
        return split, None, False
    step = migrate(split, load_LE, policy, groups=groups)
    outlook = Outlook(saved=step.saved, cost=step.cost(move_tokens), paid_before=paid)
    return (step.placement, step, outlook.pays) if rule.moves(outlook) else (split, None, outlook.pays)
