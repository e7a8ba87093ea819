"""What a training trajectory is held against: random walks that take steps as long as the run's, each in a random direction.

One idea: a random walk in many dimensions has a persistent-homology dimension of about 2 by itself, and a tree as long as its
steps make it, so that such a number says something about a run only where walks of the same steps do not give it. How a run
ranks among 39 of them is an exact test: an extreme rank comes about once in twenty. Three questions of one run are asked of 119
walks, and corrected for being three (`trajectory_findings`).

Shapes: T iterates, P weights, B walks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.series import cannot_tell
from kleiber.diagnose.topology.graph import matrix
from kleiber.diagnose.topology.magnitude import REFERENCE as MAGNITUDE
from kleiber.diagnose.topology.magnitude import magnitude
from kleiber.diagnose.topology.refusal import refused
from kleiber.diagnose.topology.trajectory import LEAST_ITERATES, distances, lifetime_sum, slopes
from kleiber.diagnose.topology.trajectory import REFERENCE as DIMENSION
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding

WALKS, LARGEST, LEVEL = 39, 1e150, 0.05
TOGETHER = 119  # the fewest of which the most extreme of 120 is rare enough for three questions: 2 / 120 = 0.05 / 3
SPREAD = ("more spread out", "more folded")
AT_ONCE_BYTES = 2**26
Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A measure of the run, the same of the walks, and how often a walk is as extreme on either side."""

    value: float
    walks_B: NDArray[np.float64]
    chance: float

    @property
    def interval(self) -> tuple[float, float]:
        """From the least of the walks to the largest."""
        return float(self.walks_B.min()), float(self.walks_B.max())


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure of the run beside its walks, with what is said of it; `finding` gives the verdict at a level."""

    name: str
    ranked: Ranked
    value: float
    interval: tuple[float, float]
    own: str
    others: str
    more_less: tuple[str, str]
    source: str

    def finding(self, level: float = LEVEL, *, more: str = "") -> Finding:
        """Loud where a walk is as extreme with a chance of `level` or less; `more` is a caveat."""
        loud = self.ranked.chance <= level
        low, high = self.ranked.interval
        more_than, less_than = self.more_less
        word = more_than if self.ranked.value > np.median(self.ranked.walks_B) else less_than
        than = "nearly all of them" if low <= self.ranked.value <= high else "any of them"
        ends = f"which makes it {word} than {than}" if loud else "so it may be one of them"
        walks = len(self.ranked.walks_B)
        return Finding(
            name=self.name,
            verdict="found" if loud else "ok",
            evidence=f"{self.own}; {walks} random walks of its own steps {self.others}, {ends} (p = {self.ranked.chance:.2g}).",
            value=self.value,
            interval=self.interval,
            caveats=(
                "the interval is that of the walks",
                "alone it is no estimate of a gap: it follows the learning rate and the batch size as well (Tan et al. 2024)",
                *([more] if more else []),
            ),
            reference=self.source,
        )


def trajectory_dimension(trajectory_TP: ArrayLike, *, alpha: float = 1.0, seed: int = 0) -> Finding:
    """Is the path of the weights rougher or smoother than a random walk of its own steps? Its dimension, and the walks'.

    `trajectory_TP`: iterates in order, one row each. The value is the dimension, the interval that of the walks.
    """
    return _one(_dimension(trajectory_TP, alpha, seed, WALKS))


def trajectory_lifetimes(trajectory_TP: ArrayLike, *, alpha: float = 1.0, seed: int = 0) -> Finding:
    """Is the tree of the iterates, E_alpha, longer or shorter than that of a random walk of the run's own steps?"""
    return _one(_lifetimes(trajectory_TP, alpha, seed, WALKS))


def trajectory_magnitude(trajectory_TP: ArrayLike, *, scale: float | None = None, seed: int = 0) -> Finding:
    """How many points the iterates are worth (positive magnitude), beside random walks of the run's own steps.

    `scale` None: for each path one over the median distance between its own iterates, so that neither the unit of the weights nor
    how far it went matters.
    """
    return _one(_magnitude(trajectory_TP, scale, seed, WALKS))


def trajectory_findings(
    trajectory_TP: ArrayLike, *, alpha: float = 1.0, scale: float | None = None, seed: int = 0
) -> tuple[Finding, ...]:
    """Dimension, lifetimes and magnitude of one path, each beside 119 walks; at 5 % over the three (Holm 1979).

    The smallest chance is held against 0.05 / 3, the next against 0.05 / 2, the last against 0.05, and all after one that fails
    are quiet: of paths that are random walks at most 5 % have any of the three loud.
    """
    measured = (
        _dimension(trajectory_TP, alpha, seed, TOGETHER),
        _lifetimes(trajectory_TP, alpha, seed, TOGETHER),
        _magnitude(trajectory_TP, scale, seed, TOGETHER),
    )
    chances = sorted((each.ranked.chance, place) for place, each in enumerate(measured) if isinstance(each, Measured))
    levels, failed = [0.0] * len(measured), False
    for rank, (chance, place) in enumerate(chances):
        failed = failed or chance > LEVEL / (len(measured) - rank)
        levels[place] = 0.0 if failed else LEVEL / (len(measured) - rank)
    said = "loud at 5 % over dimension, lifetimes and magnitude together (Holm)"
    return tuple(
        each if isinstance(each, Finding) else each.finding(level, more=said)
        for each, level in zip(measured, levels, strict=True)
    )


def _one(measured: Measured | Finding) -> Finding:
    return measured if isinstance(measured, Finding) else measured.finding()


def _dimension(trajectory_TP: ArrayLike, alpha: float, seed: int, walks: int) -> Measured | Finding:
    def ask(trajectory: NDArray[np.float64]) -> Measured | Finding:
        ranked = against_walks(trajectory, lambda path: slopes(path, alpha=alpha, seed=seed), seed=seed, walks=walks)
        if ranked.value >= 1:
            return cannot_tell(
                "trajectory_dimension",
                f"The tree grows as n^{ranked.value:.2f} with n iterates; from a power of 1 on there is no dimension.",
                remedy="more iterates, evenly spaced",
                reference=DIMENSION,
            )
        low, high = (alpha / (1 - min(end, 1 - 1e-9)) for end in ranked.interval)
        value = alpha / (1 - ranked.value)
        return Measured(
            name="trajectory_dimension", ranked=ranked, value=value, interval=(low, high),
            own=f"The path of {len(trajectory)} iterates has dimension {value:.2f}", others=f"have {low:.2f} to {high:.2f}",
            more_less=("rougher", "smoother"), source=DIMENSION,
        )  # fmt: skip

    return _asked("trajectory_dimension", trajectory_TP, ask, DIMENSION)


def _lifetimes(trajectory_TP: ArrayLike, alpha: float, seed: int, walks: int) -> Measured | Finding:
    def ask(trajectory: NDArray[np.float64]) -> Measured:
        ranked = against_walks(trajectory, lambda path: lifetime_sum(path, alpha=alpha), seed=seed, walks=walks)
        low, high = ranked.interval
        return Measured(
            name="trajectory_lifetimes", ranked=ranked, value=ranked.value, interval=(low, high),
            own=f"The lifetimes of {len(trajectory)} iterates add up to {ranked.value:.4g} (alpha {alpha:g})",
            others=f"give {low:.4g} to {high:.4g}", more_less=SPREAD, source=MAGNITUDE,
        )  # fmt: skip

    return _asked("trajectory_lifetimes", trajectory_TP, ask, MAGNITUDE)


def _magnitude(trajectory_TP: ArrayLike, scale: float | None, seed: int, walks: int) -> Measured | Finding:
    def positive(path_BTT: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([_positive(path_TT, scale) for path_TT in path_BTT])

    def ask(trajectory: NDArray[np.float64]) -> Measured:
        ranked = against_walks(trajectory, positive, seed=seed, walks=walks)
        low, high = ranked.interval
        at = f" at scale {scale:.3g}" if scale is not None else ""
        return Measured(
            name="trajectory_magnitude", ranked=ranked, value=ranked.value, interval=(low, high),
            own=f"The {len(trajectory)} iterates are worth {ranked.value:.4g} points (positive magnitude{at})",
            others=f"{low:.4g} to {high:.4g}", more_less=SPREAD, source=MAGNITUDE,
        )  # fmt: skip

    return _asked("trajectory_magnitude", trajectory_TP, ask, MAGNITUDE)


def _positive(path_TT: NDArray[np.float64], scale: float | None) -> float:
    if scale is None:
        middle = float(np.median(path_TT[np.triu_indices(len(path_TT), k=1)]))
        if middle == 0:
            raise Refusal("more than half of the iterates are the same", remedy="iterates that moved, or a scale")
        scale = 1 / middle
    return magnitude(path_TT, scale=scale).positive


def against_walks(trajectory_TP: NDArray[np.float64], measure: Measure, *, seed: int = 0, walks: int = WALKS) -> Ranked:
    """A measure of distances `(B, T, T) -> (B,)` of the run and of its walks."""
    own = float(measure(distances(trajectory_TP)[None])[0])
    walks_B = np.concatenate([measure(distances(some)) for some in _walks(trajectory_TP, seed, walks)])
    as_low, as_high = int((walks_B <= own).sum()), int((walks_B >= own).sum())
    chance = min(1.0, 2 * (1 + min(as_low, as_high)) / (1 + len(walks_B)))
    return Ranked(value=own, walks_B=walks_B, chance=chance)


def _walks(trajectory_TP: NDArray[np.float64], seed: int, walks: int) -> Iterator[NDArray[np.float64]]:
    """Walks with the run's step lengths in order, a few at a time as memory allows, `(B, T, width)`."""
    length_T = np.linalg.norm(np.diff(trajectory_TP, axis=0), axis=1)
    iterates, weights = trajectory_TP.shape
    at_once = max(1, AT_ONCE_BYTES // (8 * iterates * iterates))
    rng = np.random.default_rng([seed, 1])
    for begin in range(0, walks, at_once):
        step_BTP = _directions(rng, min(at_once, walks - begin), iterates - 1, weights)
        step_BTP *= (length_T / np.linalg.norm(step_BTP, axis=-1))[..., None]
        yield np.concatenate([np.zeros((len(step_BTP), 1, step_BTP.shape[-1])), np.cumsum(step_BTP, axis=1)], axis=1)


def _directions(rng: np.random.Generator, count: int, steps: int, weights: int) -> NDArray[np.float64]:
    """Normal vectors of as many weights, `(count, steps, width)`: turned, where they are more than the steps, into as few axes.

    That is Bartlett's decomposition (1933): the first `steps` axes can be laid through the vectors one after the other, and
    what is left of the k-th beyond them has the length of a normal vector in `weights - k` dimensions. All distances keep their
    law.
    """
    if weights <= steps:
        return rng.normal(size=(count, steps, weights))
    normal = np.tril(rng.normal(size=(count, steps, steps)), k=-1)
    places = np.arange(steps)
    normal[:, places, places] = np.sqrt(rng.chisquare(weights - places, size=(count, steps)))
    return normal


def _asked(
    name: str, trajectory_TP: ArrayLike, ask: Callable[[NDArray[np.float64]], Measured | Finding], source: str
) -> Measured | Finding:
    trajectory = matrix(trajectory_TP, what="the trajectory", columns="weights")
    scale = np.abs(trajectory).max()
    if scale > LARGEST / np.sqrt(trajectory.size):
        raise InputError("the weights are too large to be squared", found=f"up to {scale:.3g}")
    try:
        if len(trajectory) < LEAST_ITERATES:
            raise Refusal(
                f"{len(trajectory)} iterates are too few", remedy=f"at least {LEAST_ITERATES} iterates, in order"
            )
        if not np.abs(np.diff(trajectory, axis=0)).max() > 1e-12 * scale:
            raise Refusal("the iterates are all the same", remedy="iterates that moved: was the learning rate 0?")
        return ask(trajectory)
    except Refusal as refusal:
        return refused(name, refusal, reference=source)
