"""What a training trajectory is held against: random walks that take steps as long as the run's, each in a random direction.

One idea: a random walk in many dimensions has a persistent-homology dimension of about 2 by itself, and a tree as long as its
steps make it, so that such a number says something about a run only where walks of the same steps do not give it. How a run
ranks among 39 of them is an exact test: an extreme rank comes about once in twenty.

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

WALKS, LARGEST = 39, 1e150
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


def trajectory_dimension(trajectory_TP: ArrayLike, *, alpha: float = 1.0, seed: int = 0) -> Finding:
    """Is the path of the weights rougher or smoother than a random walk of its own steps? Its dimension, and the walks'.

    `trajectory_TP`: iterates in order, one row each. The value is the dimension, the interval that of the walks.
    """

    def ask(trajectory: NDArray[np.float64]) -> Finding:
        ranked = against_walks(trajectory, lambda path: slopes(path, alpha=alpha, seed=seed), seed=seed)
        if ranked.value >= 1:
            return cannot_tell(
                "trajectory_dimension",
                f"The tree grows as n^{ranked.value:.2f} with n iterates; from a power of 1 on there is no dimension.",
                remedy="more iterates, evenly spaced",
                reference=DIMENSION,
            )
        low, high = (alpha / (1 - min(end, 1 - 1e-9)) for end in ranked.interval)
        own = alpha / (1 - ranked.value)
        words = f"The path of {len(trajectory)} iterates has dimension {own:.2f}", f"have {low:.2f} to {high:.2f}"
        return _finding("trajectory_dimension", ranked, own, (low, high), words, ("rougher", "smoother"), DIMENSION)

    return _asked("trajectory_dimension", trajectory_TP, ask, DIMENSION)


def trajectory_lifetimes(trajectory_TP: ArrayLike, *, alpha: float = 1.0, seed: int = 0) -> Finding:
    """Is the tree of the iterates, E_alpha, longer or shorter than that of a random walk of the run's own steps?"""

    def ask(trajectory: NDArray[np.float64]) -> Finding:
        ranked = against_walks(trajectory, lambda path: lifetime_sum(path, alpha=alpha), seed=seed)
        low, high = ranked.interval
        words = (
            f"The lifetimes of {len(trajectory)} iterates add up to {ranked.value:.4g} (alpha {alpha:g})",
            f"give {low:.4g} to {high:.4g}",
        )
        return _finding("trajectory_lifetimes", ranked, ranked.value, (low, high), words, SPREAD, MAGNITUDE)

    return _asked("trajectory_lifetimes", trajectory_TP, ask, MAGNITUDE)


def trajectory_magnitude(trajectory_TP: ArrayLike, *, scale: float | None = None, seed: int = 0) -> Finding:
    """How many points the iterates are worth (positive magnitude), beside random walks of the run's own steps.

    `scale` None: for each path one over the median distance between its own iterates, so that neither the unit of the weights nor
    how far it went matters.
    """

    def ask(trajectory: NDArray[np.float64]) -> Finding:
        def positive(path_BTT: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.array([_positive(path_TT, scale) for path_TT in path_BTT])

        ranked = against_walks(trajectory, positive, seed=seed)
        low, high = ranked.interval
        at = f" at scale {scale:.3g}" if scale is not None else ""
        words = (
            f"The {len(trajectory)} iterates are worth {ranked.value:.4g} points (positive magnitude{at})",
            f"{low:.4g} to {high:.4g}",
        )
        return _finding("trajectory_magnitude", ranked, ranked.value, (low, high), words, SPREAD, MAGNITUDE)

    return _asked("trajectory_magnitude", trajectory_TP, ask, MAGNITUDE)


def _positive(path_TT: NDArray[np.float64], scale: float | None) -> float:
    if scale is None:
        middle = float(np.median(path_TT[np.triu_indices(len(path_TT), k=1)]))
        if middle == 0:
            raise Refusal("more than half of the iterates are the same", remedy="iterates that moved, or a scale")
        scale = 1 / middle
    return magnitude(path_TT, scale=scale).positive


def against_walks(trajectory_TP: NDArray[np.float64], measure: Measure, *, seed: int = 0) -> Ranked:
    """A measure of distances `(B, T, T) -> (B,)` of the run and of its walks."""
    own = float(measure(distances(trajectory_TP)[None])[0])
    walks_B = np.concatenate([measure(distances(some)) for some in _walks(trajectory_TP, seed)])
    as_low, as_high = int((walks_B <= own).sum()), int((walks_B >= own).sum())
    chance = min(1.0, 2 * (1 + min(as_low, as_high)) / (1 + len(walks_B)))
    return Ranked(value=own, walks_B=walks_B, chance=chance)


def _walks(trajectory_TP: NDArray[np.float64], seed: int) -> Iterator[NDArray[np.float64]]:
    """Walks with the run's step lengths in order, a few at a time as memory allows, `(B, T, width)`."""
    length_T = np.linalg.norm(np.diff(trajectory_TP, axis=0), axis=1)
    iterates, weights = trajectory_TP.shape
    at_once = max(1, AT_ONCE_BYTES // (8 * iterates * iterates))
    rng = np.random.default_rng([seed, 1])
    for begin in range(0, WALKS, at_once):
        step_BTP = _directions(rng, min(at_once, WALKS - begin), iterates - 1, weights)
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


def _asked(name: str, trajectory_TP: ArrayLike, ask: Callable[[NDArray[np.float64]], Finding], source: str) -> Finding:
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


def _finding(
    name: str,
    ranked: Ranked,
    value: float,
    interval: tuple[float, float],
    words: tuple[str, str],
    more_less: tuple[str, str],
    source: str,
) -> Finding:
    loud = ranked.chance <= 0.05
    higher = ranked.value > ranked.interval[1]
    more, less = more_less
    ends = f"which makes it {more if higher else less} than any of them" if loud else "so it may be one of them"
    own, others = words
    return Finding(
        name=name,
        verdict="found" if loud else "ok",
        evidence=f"{own}; {WALKS} random walks of its own steps {others}, {ends}.",
        value=value,
        interval=interval,
        caveats=(
            "the interval is that of the walks",
            "alone it is no estimate of a gap: it follows the learning rate and the batch size as well (Tan et al. 2024)",
        ),
        reference=source,
    )
