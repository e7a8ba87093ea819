"""The diagnostics of this room, each with a null on which it is quiet and a planted effect on which it is loud.

One idea: the draws are small, so that five hundred of each take seconds; what they stand for is said at each.
"""

from __future__ import annotations

import numpy as np

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.topology.alarm import gap_above, gap_growth
from kleiber.diagnose.topology.betting import REFERENCE as BETTING
from kleiber.diagnose.topology.gap import topology_gap
from kleiber.diagnose.topology.graph import REFERENCE as FUNCTIONAL
from kleiber.diagnose.topology.magnitude import REFERENCE as MAGNITUDE
from kleiber.diagnose.topology.matched import REFERENCE as TOURNAMENT
from kleiber.diagnose.topology.matched import above_sound_runs
from kleiber.diagnose.topology.structure import functional_structure
from kleiber.diagnose.topology.trajectory import REFERENCE as DIMENSION
from kleiber.diagnose.topology.walks import trajectory_dimension, trajectory_lifetimes, trajectory_magnitude

FAMILIES, PER_FAMILY, CHECKPOINTS, TOLERATED = 5, 12, 100, 0.1


def _independent_units(rng: np.random.Generator) -> Arrays:
    return {"activations_NU": rng.lognormal(size=(60, 24)), "units": 24}


def _units_of_few_signals(rng: np.random.Generator) -> Arrays:
    """Rectified mixtures of four signals, a unit of them dead."""
    mixed = np.maximum(rng.normal(size=(60, 4)) @ rng.normal(size=(4, 24)) + rng.normal(size=(60, 24)), 0)
    mixed[:, 3] = 0
    return {"activations_NU": mixed, "units": 24}


def _reference(rng: np.random.Generator, slope: float) -> dict[str, object]:
    """Reference runs whose gap is 5 points + slope · life, with noise of 1 point and of half a point between families."""
    family = np.repeat(np.arange(FAMILIES), PER_FAMILY)
    life = rng.uniform(0.05, 0.35, size=len(family))
    gap = 0.05 + slope * life + 0.005 * rng.normal(size=FAMILIES)[family] + 0.01 * rng.normal(size=len(family))
    return {
        "reference_gap_R": gap,
        "reference_life_R": life,
        "reference_midlife_R": rng.uniform(0.2, 0.5, size=len(family)),
        "families": [f"family {kind}" for kind in family],
    }


def _gap_as_tolerated(rng: np.random.Generator) -> Arrays:
    """A run of a new family with exactly the gap that is tolerated: 5 + 50 · 0.1 points."""
    off = 0.005 * rng.normal() + 0.01 * rng.normal()
    life = 0.1 - off / 0.5
    return {**_reference(rng, 0.5), "life": float(np.clip(life, 0.06, 0.34)), "midlife": 0.35, "tolerated": 0.1}


def _gap_above(rng: np.random.Generator) -> Arrays:
    return {**_reference(rng, 0.5), "life": 0.3, "midlife": 0.35, "tolerated": 0.1}


def _still(rng: np.random.Generator) -> Arrays:
    """Estimates at the tolerated gap, their spread doubling half-way: the hardest case of the null."""
    spread = np.where(np.arange(CHECKPOINTS) < CHECKPOINTS // 2, 0.03, 0.06)
    return {"estimates_T": TOLERATED + spread * rng.uniform(-1, 1, size=CHECKPOINTS), "tolerated": TOLERATED}


def _growing(rng: np.random.Generator) -> Arrays:
    """From 5 to 20 points, each estimate off by 3."""
    ramp = np.linspace(0.05, 0.2, CHECKPOINTS)
    return {"estimates_T": ramp + 0.03 * rng.normal(size=CHECKPOINTS), "tolerated": TOLERATED}


def _exchangeable(rng: np.random.Generator) -> Arrays:
    """Rounded, so that there are ties."""
    return {"estimates_T": rng.gamma(4.0, 0.02, size=CHECKPOINTS).round(2)}


def _growing_by_rank(rng: np.random.Generator) -> Arrays:
    return {"estimates_T": _growing(rng)["estimates_T"]}


def _young(rng: np.random.Generator, effect: float) -> Arrays:
    """Nineteen sound runs and one more, whose measure rises while they learn, each with its own luck; every fifth look is lost.

    `effect`: by how much the last run rises beyond that until the end, in standard deviations between runs.
    """
    rise_S = 0.1 + 0.2 * (1 - np.exp(-np.arange(30) / 10))
    value = rise_S * (1 + 0.1 * rng.normal(size=(20, 1))) + 0.02 * rng.normal(size=(20, 30))
    last_S = value[-1] + effect * 0.1 * rise_S * np.linspace(0, 1, 30)
    last_S[rng.random(30) < 0.2] = np.nan
    return {"value_S": last_S, "sound_RS": value[:-1]}


def _walk(rng: np.random.Generator) -> Arrays:
    """A random walk with steps of very different length."""
    step = rng.normal(size=(47, 6))
    step *= (np.exp(0.5 * rng.normal(size=47)) / np.linalg.norm(step, axis=1))[:, None]
    return {"trajectory_TP": np.concatenate([np.zeros((1, 6)), np.cumsum(step, axis=0)])}


def _held_near(rng: np.random.Generator) -> Arrays:
    """Steps around a minimum that pulls back: x <- 0.5 x + noise."""
    place, path = np.zeros(6), []
    for noise in rng.normal(size=(48, 6)):
        place = 0.5 * place + noise
        path.append(place)
    return {"trajectory_TP": np.array(path)}


DIAGNOSTICS: tuple[Diagnostic, ...] = (
    Diagnostic(
        name="functional_structure", title="Do units act together?", measure=functional_structure,
        null=_independent_units, planted=_units_of_few_signals, power=0.95, reference=FUNCTIONAL,
    ),
    Diagnostic(
        name="topology_gap", title="Is the gap to the test error more than tolerated?", measure=topology_gap,
        null=_gap_as_tolerated, planted=_gap_above, power=0.9, reference=FUNCTIONAL,
    ),
    Diagnostic(
        name="gap_above", title="Has the gap gone above what is tolerated?", measure=gap_above,
        null=_still, planted=_growing, power=0.9, reference=BETTING,
    ),
    Diagnostic(
        name="gap_growth", title="Does the gap grow?", measure=gap_growth,
        null=_exchangeable, planted=_growing_by_rank, power=0.9, reference=BETTING,
    ),
    Diagnostic(
        name="above_sound_runs", title="Is the run above sound runs at the same steps?", measure=above_sound_runs,
        null=lambda rng: _young(rng, 0.0), planted=lambda rng: _young(rng, 8.0), power=0.9, reference=TOURNAMENT,
    ),
    Diagnostic(
        name="trajectory_dimension", title="Is the path rougher than a random walk?", measure=trajectory_dimension,
        null=_walk, planted=_held_near, power=0.9, reference=DIMENSION,
    ),
    Diagnostic(
        name="trajectory_lifetimes", title="Is the path more folded than a random walk?", measure=trajectory_lifetimes,
        null=_walk, planted=_held_near, power=0.9, reference=MAGNITUDE,
    ),
    Diagnostic(
        name="trajectory_magnitude", title="Is the path worth more points than a random walk?", measure=trajectory_magnitude,
        null=_walk, planted=_held_near, power=0.9, reference=MAGNITUDE,
    ),
)  # fmt: skip
