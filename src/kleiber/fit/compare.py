"""Compare: is recipe B better than recipe A, by what compute multiplier, at which budget, and where do they cross?

The way the data takes: two tables -> one joint fit (`pair`) with the floor shared, free or pinned -> the best loss of each recipe
at a budget -> how much compute A would need for B's loss, over B's compute -> its interval, and where it passes through 1.

The one idea: the number is the effective speed-up S(C) = C_A(L_B(C)) / C. For L = Linf + k C^-alpha with Linf and alpha in common
it is ((L_worse - Linf)/(L_better - Linf))^(1/alpha) at every budget; in general it depends on the budget, so it is given where
both recipes were measured. With a handful of rungs the interval is that of least squares, from the lack of fit with Student's t
and n - p degrees of freedom; with tables of params and tokens it comes from the joint draws.

A pinned floor is an assumption, not a finding: it is an explicit argument and is written into every result.

Sources: Hestness et al. 2017 (arXiv 1712.00409) for the form; Bates & Watts (1988), section 2.3, for the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, Refusal
from kleiber.fit.estimate import Estimate
from kleiber.fit.objective import Objective
from kleiber.fit.outcome import Outcome
from kleiber.fit.pair import Pair, pair
from kleiber.fit.search import STARTS
from kleiber.fit.speedup import (
    Measure,
    best_loss,
    crossing_point,
    from_draws,
    log_multiplier,
    spare_runs,
    student,
)
from kleiber.laws import Law, find
from kleiber.runs import RunTable, read

Array = NDArray[np.float64]
Better = Literal["A", "B", "cannot tell"]

RUNGS = "E + k*flops**(-alpha)"
FEWEST_RUNGS = 4  # of a recipe, below which its exponent is taken from the other
FEW = 30  # runs of both together, up to which the interval is Student's
NO_LAW = (Outcome.RISING, Outcome.TRANSIENT)  # no law of this form holds for the runs, however they are compared
LOOK_BEYOND = 3.0  # decades in which a crossing is looked for


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """How much compute A would need for B's loss at `flops`, over `flops`; above 1 B is better."""

    flops: float
    value: Estimate
    loss_a: float
    loss_b: float

    def to_json(self) -> dict[str, Any]:
        """One entry of `multipliers`."""
        return {"flops": self.flops, **self.value.to_json(), "loss_a": self.loss_a, "loss_b": self.loss_b}


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where the two recipes' losses are equal: compute (None: nowhere within three decades of the runs) and its interval.

    `inside` says whether it lies where both were measured; `share` in how many of the draws it does (None without draws).
    """

    flops: Estimate | None
    inside: bool
    share: float | None

    def to_json(self) -> dict[str, Any]:
        """The entry `crossing`."""
        return {"flops": self.flops.to_json() if self.flops else None, "inside": self.inside, "share": self.share}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Recipe B against recipe A: who is better at the largest budget both were run at, by how much, and where it turns.

    `floor_mode` is how the floor was treated and `floor` what it came to (both floors where free); `method` how the interval
    was made; `exponents` whether the two share theirs; `common` whether any compute was run with both: if not, `range` is the
    gap between them. `outcome` and its detail are the joint fit's.
    """

    better: Better
    multipliers: tuple[Multiplier, ...]
    crossing: Crossing
    floor_mode: str
    floor: tuple[float, ...]
    exponents: Literal["shared", "free"]
    law: str
    method: str
    scatter: float
    level: float
    runs: tuple[int, int]
    range: tuple[float, float]
    hashes: tuple[str, str]
    outcome: str
    outcome_detail: str = ""
    common: bool = True

    @property
    def decisive(self) -> Multiplier:
        """The multiplier that the verdict rests on: at the largest common budget, or at the one that was asked for."""
        return self.multipliers[-1]

    def to_json(self) -> dict[str, Any]:
        """The comparison as `kleiber/compare/1`."""
        return {
            "schema": "kleiber/compare/1",
            "better": self.better,
            "multipliers": [each.to_json() for each in self.multipliers],
            "crossing": self.crossing.to_json(),
            "floor": {"mode": self.floor_mode, "value": list(self.floor)},
            "exponents": self.exponents,
            "law": self.law,
            "method": self.method,
            "scatter": self.scatter,
            "level": self.level,
            "runs": {
                "a": self.runs[0],
                "b": self.runs[1],
                "common_flops": list(self.range) if self.common else None,
                "hashes": list(self.hashes),
            },
            "outcome": self.outcome,
            "sentences": list(self.sentences()),
        }

    def sentences(self) -> tuple[str, ...]:
        """The verdict with its multiplier, the crossing, and what was assumed."""
        from kleiber.fit.compare_words import sentences

        return sentences(self)

    def __str__(self) -> str:
        return "\n".join(self.sentences())


def compare(
    runs_a: RunTable | str | Path | Any,
    runs_b: RunTable | str | Path | Any,
    law: Law | str | None = None,
    *,
    floor: Literal["shared", "free"] | float = "shared",
    flops: float | None = None,
    objective: Objective | None = None,
    bootstrap: int = 400,
    seed: int = 0,
    starts: int = STARTS,
    level: float = 0.95,
) -> Comparison:
    """Is recipe B better than recipe A, and by what compute multiplier?

    `law`: the form for both; by default Chinchilla's where both tables vary params and tokens over enough runs, else a power of
    compute with a floor, L = E + k C^-alpha. `floor`: one for both ("shared"), one each ("free"), or a number that pins it.
    `flops`: the budget to decide at (default: the largest at which both were run).

    Raises `Refusal` where the runs cannot bear the fit, `InputError` for a floor above a measured loss or tables whose
    conventions differ.
    """
    table_a, table_b = (each if isinstance(each, RunTable) else read(each) for each in (runs_a, runs_b))
    chosen = _law(table_a, table_b, law)
    few = min(len(table_a), len(table_b)) < FEWEST_RUNGS
    shared, pins = _sharing(chosen, floor, few, table_a, table_b)
    students = len(table_a) + len(table_b) <= FEW
    both = pair(
        table_a,
        table_b,
        chosen,
        shared=shared,
        fixed=pins,
        objective=objective or Objective(name="squared_log" if students else "huber_log"),
        bootstrap=0 if students else bootstrap,
        seed=seed,
        starts=starts,
    )
    if not np.isfinite(both.joint.theta_P).all():
        raise Refusal(
            f"Not enough runs to compare: {both.joint.outcome_detail}.",
            remedy="more rungs of either recipe, or pin the floor (--floor 1.69), which is then recorded",
        )
    if both.joint.outcome in NO_LAW:
        raise Refusal(f"Nothing to compare: {both.joint.outcome_detail}.", remedy=both.joint.outcome.value)
    return _compare(both, (table_a, table_b), floor, flops, few, students, level)


def _law(table_a: RunTable, table_b: RunTable, law: Law | str | None) -> Law:
    if isinstance(law, Law):
        return law
    if law is not None:
        return find(law)
    chinchilla = find("chinchilla")
    fits = [
        len(table) >= len(chinchilla.names) + 3
        and all(table.has(name) and np.unique(table.column(name)).size >= 3 for name in chinchilla.inputs)
        for table in (table_a, table_b)
    ]
    if all(fits):
        return chinchilla
    from kleiber.laws.unknowns import exponent, floor, scale

    # ln k is searched far out: k is the excess at one FLOP.
    return Law(
        RUNGS,
        name="compute",
        parameters=(
            floor(starts=(0.5, 1.5)),
            scale("k", "excess loss at 1 FLOP", starts=(10.0, 1e3, 1e5), lower=1e-6, upper=1e30),
            exponent("alpha", "how fast loss falls with compute", starts=(0.05, 0.1, 0.2, 0.4)),
        ),
    )


def _sharing(
    law: Law, floor: str | float, few: bool, table_a: RunTable, table_b: RunTable
) -> tuple[frozenset[str], dict[str, float]]:
    """The parameters that both recipes share, and those that are pinned."""
    names = [each.name for each in law.parameters if each.floor]
    exponents = [each.name for each in law.parameters if each.scale == "linear" and not each.floor]
    if not names and floor != "free":
        raise InputError(f"the law {law.name!r} has no floor to share or pin", remedy='floor="free"')
    common = [*(names if floor != "free" else []), *(exponents if few else [])]
    shared: frozenset[str] = frozenset(common)
    if isinstance(floor, str):
        if floor not in ("shared", "free"):
            raise InputError("no such treatment of the floor", found=repr(floor), expected="shared, free or a number")
        return shared, {}
    lowest = min(float(table.column(law.target).min()) for table in (table_a, table_b))
    if not 0 <= floor < lowest:
        raise InputError(
            "a floor cannot lie above a measured loss", found=floor, expected=f"from 0 to below {lowest:g}"
        )
    return shared, {names[0]: float(floor)}


def _compare(
    both: Pair,
    tables: tuple[RunTable, RunTable],
    floor: str | float,
    flops: float | None,
    few: bool,
    students: bool,
    level: float,
) -> Comparison:
    low, high, common = _range(tables)
    budgets = [float(flops)] if flops is not None else sorted({low, float(np.sqrt(low * high)), high})
    measure = student(both, level) if students else from_draws(both, level)
    multipliers = tuple(_multiplier(both, budget, measure) for budget in budgets)
    if not all(np.isfinite([each.loss_a, each.loss_b]).all() for each in multipliers):
        raise Refusal(
            f"Nothing to compare: the law of one recipe has no best loss at a budget ({both.joint.outcome_detail}).",
            remedy="look at each table alone first: kleiber fit A, kleiber fit B",
        )
    decisive = multipliers[-1].value
    sure = bool(decisive.excludes(1.0))
    names = [name for name in both.law.names if _is_floor(both.law, name)]
    values = both.joint.parameters
    return Comparison(
        better=("B" if decisive.value > 1 else "A") if sure else "cannot tell",
        multipliers=multipliers,
        crossing=_crossing(both, low, high, common, measure),
        floor_mode=floor if isinstance(floor, str) else "pinned",
        floor=tuple(
            values[each] for name in names for each in ([name] if name in both.shared else [f"{name}_a", f"{name}_b"])
        ),
        exponents="shared" if few else "free",
        law=both.law.formula,
        method="Student's t on the lack of fit" if students else f"{len(both.joint.draws_BP)} draws",
        scatter=float(np.sqrt((both.joint.residuals_R**2).sum() / max(spare_runs(both), 1))),
        level=level,
        runs=(len(tables[0]), len(tables[1])),
        range=(low, high),
        hashes=(tables[0].hash, tables[1].hash),
        outcome=both.joint.outcome.label,
        outcome_detail=both.joint.outcome_detail,
        common=common,
    )


def _is_floor(law: Law, name: str) -> bool:
    return next(each.floor for each in law.parameters if each.name == name)


def _range(tables: tuple[RunTable, RunTable]) -> tuple[float, float, bool]:
    """The compute at which both recipes were run, and whether there is any; else the gap between them."""
    spans = []
    for table in tables:
        flops = table.column("flops") if table.has("flops") else 6 * table.column("params") * table.column("tokens")
        spans.append((float(flops.min()), float(flops.max())))
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    return min(low, high), max(low, high), low <= high


def _multiplier(both: Pair, flops: float, measure: Measure) -> Multiplier:
    found = measure(lambda joint_KQ: log_multiplier(both, joint_KQ, flops))
    interval = found.interval and (float(np.exp(found.interval[0])), float(np.exp(found.interval[1])))
    point = both.joint.theta_P[None]
    loss_a, loss_b = (float(best_loss(both.law, both.of(recipe, point), flops)[0][0]) for recipe in ("a", "b"))
    value = Estimate(value=float(np.exp(found.value)), interval=interval, level=found.level)
    return Multiplier(flops=flops, value=value, loss_a=loss_a, loss_b=loss_b)


def _crossing(both: Pair, low: float, high: float, common: bool, measure: Measure) -> Crossing:
    """The equality of the two losses that lies nearest the runs, looked for up to three decades beyond them."""

    def log10_crossing(joint_KQ: Array) -> Array:
        return crossing_point(both, joint_KQ, np.log10(low) - LOOK_BEYOND, np.log10(high) + LOOK_BEYOND)

    point = float(log10_crossing(both.joint.theta_P[None])[0])
    draws = log10_crossing(both.joint.draws_BP) if len(both.joint.draws_BP) else np.empty(0)
    inside_B = (draws >= np.log10(low)) & (draws <= np.log10(high))
    share = float(inside_B.mean()) if draws.size else None
    if not np.isfinite(point):
        return Crossing(flops=None, inside=False, share=share)
    found = measure(log10_crossing)
    interval = None
    if found.interval is not None and np.isfinite(found.interval).all():
        ends = np.clip(found.interval, -300, 300)
        interval = (float(10 ** ends[0]), float(10 ** ends[1]))
    flops = Estimate(value=float(10**point), interval=interval, level=found.level)
    return Crossing(flops=flops, inside=common and low <= flops.value <= high, share=share)
