"""Where a power law starts and how steep it is: the start whose tail lies closest to a power law.

The way the data takes: distinct values -> for every one of them as xmin the exponent of greatest likelihood -> the largest
distance between the tail's distribution and that power law -> the smallest of these. Clauset, Shalizi & Newman 2009, section
3.

The one idea: the distance at 32 places bounds the distance at all, so nearly every start is ruled out without being measured
in full.

Legend: U distinct values, C candidates for xmin, T values of one tail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import zeta

from kleiber.diagnose.criticality.sample import Sample

Array = NDArray[np.float64]
PROBES, STEEPEST = 32, 50.0
LEAST_TAIL = 50  # a few samples lie near some power law or other
NEWTON_STEPS, NUDGE = 12, 1e-4


@dataclass(frozen=True, kw_only=True)
class Start:
    """p(x) ~ x^-alpha from `xmin` on, its distance from the `tail` samples there, and the standard error given xmin."""

    xmin: float
    alpha: float
    distance: float
    tail: int
    alpha_error: float


def find_start(sample: Sample) -> Start:
    """The start and exponent of the tail, of 50 samples or more, that lies closest to a power law; needs two distinct values."""
    ends_U = np.cumsum(sample.counts_U[::-1])[::-1]  # samples from each value on
    alpha_C = _exponents(sample, ends_U)
    bound_C = np.where(ends_U[:-1] >= min(LEAST_TAIL, ends_U[0]), _bounds(sample, ends_U, alpha_C), np.inf)
    best, place = np.inf, 0
    for candidate in np.argsort(bound_C, kind="stable"):
        if bound_C[candidate] > best:
            break
        distance = float(np.abs(_gap(sample, ends_U, alpha_C, int(candidate), slice(int(candidate), None))).max())
        if (distance, candidate) < (best, place):
            best, place = distance, int(candidate)
    return _start(sample, ends_U, alpha_C, place, best)


def start_at(sample: Sample, xmin: float) -> Start:
    """The exponent of the tail from `xmin` on."""
    tail = sample.beyond(xmin)
    ends_U = np.cumsum(tail.counts_U[::-1])[::-1]
    alpha_C = _exponents(tail, ends_U, from_=xmin)[:1]
    survival_T = _survival(tail.values_U, xmin, float(alpha_C[0]), tail.discrete)
    distance = float(np.abs(ends_U / ends_U[0] - survival_T).max())
    alpha = float(alpha_C[0])
    error = _error(alpha, xmin, int(ends_U[0]), tail.discrete)
    return Start(xmin=xmin, alpha=alpha, distance=distance, tail=int(ends_U[0]), alpha_error=error)


def _start(sample: Sample, ends_U: Array, alpha_C: Array, place: int, distance: float) -> Start:
    xmin, alpha, tail = float(sample.values_U[place]), float(alpha_C[place]), int(ends_U[place])
    return Start(
        xmin=xmin, alpha=alpha, distance=distance, tail=tail, alpha_error=_error(alpha, xmin, tail, sample.discrete)
    )


def _exponents(sample: Sample, ends_U: Array, from_: float | None = None) -> Array:
    """The exponent of greatest likelihood for every start but the last distinct value, or for the one start `from_`."""
    logs_U = np.log(sample.values_U)
    mean_U = np.cumsum((sample.counts_U * logs_U)[::-1])[::-1] / ends_U
    starts_C = sample.values_U[:-1] if from_ is None else np.array([from_])
    return _alphas(mean_U[: starts_C.size], starts_C, sample.discrete)


def _alphas(mean_log_C: Array, xmin_C: Array, discrete: bool) -> Array:
    """The exponents of greatest likelihood of tails from `xmin_C` on with these means of log x."""
    if not discrete:
        return 1 + 1 / np.maximum(mean_log_C - np.log(xmin_C), 1e-12)
    return _discrete_exponents(mean_log_C, xmin_C)


def _discrete_exponents(mean_log_C: Array, xmin_C: Array) -> Array:
    """Newton on the likelihood -log zeta(alpha, xmin) - alpha mean(log x), which is concave in alpha."""
    alpha_C = np.clip(1 + 1 / np.maximum(mean_log_C - np.log(xmin_C - 0.5), 1e-9), 1.01, STEEPEST)
    for _ in range(NEWTON_STEPS):
        below, at, above = (log_zeta(alpha_C + shift, xmin_C) for shift in (-NUDGE, 0.0, NUDGE))
        slope = -(above - below) / (2 * NUDGE) - mean_log_C
        curvature = np.maximum((above - 2 * at + below) / NUDGE**2, 1e-6)
        step = np.clip(slope / curvature, -0.5 * (alpha_C - 1), 2.0)
        alpha_C = np.clip(alpha_C + step, 1.0 + 2 * NUDGE, STEEPEST)
        if np.abs(step).max() < 1e-9:
            break
    return alpha_C


def log_zeta(alpha: float | Array, first: ArrayLike) -> Array:
    """log of the sum of k^-alpha over k = first, first + 1, ...; far out by Euler and Maclaurin: quick, without underflow.

    >>> round(float(log_zeta(2.0, 1.0)), 6)  # pi^2 / 6
    0.4977
    """
    alphas, firsts = np.broadcast_arrays(np.asarray(alpha, dtype=np.float64), np.asarray(first, dtype=np.float64))
    near = firsts < 10 * alphas
    a, k = alphas, np.where(near, 10 * alphas, firsts)
    sums = k / (a - 1) + 0.5 + a / (12 * k) - a * (a + 1) * (a + 2) / (720 * k**3)
    found = np.asarray(np.log(sums) - a * np.log(k))
    if near.any():
        found = found.copy()
        found[near] = np.log(zeta(alphas[near], firsts[near]))
    return found


def alphas_at(sample: Sample, counts_BU: Array, xmin: float) -> Array:
    """The exponents alone, `(B,)`, of tails from `xmin` on in which the distinct values occur so often; nan with fewer than two.

    >>> alphas_at(Sample(values_U=np.array([1.0, np.e]), counts_U=np.ones(2), discrete=False), np.ones((1, 2)), 1.0)
    array([3.])
    """
    first = int(np.searchsorted(sample.values_U, xmin))
    logs_T, counts_BT = np.log(sample.values_U[first:]), counts_BU[:, first:]
    alpha_B = np.full(len(counts_BU), np.nan)
    kept_B = (counts_BT > 0).sum(axis=1) >= 2
    if kept_B.any():
        mean_B = counts_BT[kept_B] @ logs_T / counts_BT[kept_B].sum(axis=1)
        alpha_B[kept_B] = _alphas(mean_B, np.full(mean_B.size, xmin), sample.discrete)
    return alpha_B


def _error(alpha: float, xmin: float, tail: int, discrete: bool) -> float:
    """The curvature of the likelihood: (alpha - 1) / sqrt(n) for continuous values."""
    if not discrete:
        return float((alpha - 1) / np.sqrt(tail))
    step = 1e-3
    nudged = np.array([alpha - step, alpha, alpha + step])
    bends = log_zeta(np.maximum(nudged, 1 + 1e-6), xmin)
    return float(1 / np.sqrt(tail * max((bends[0] - 2 * bends[1] + bends[2]) / step**2, 1e-12)))


def _survival(values_T: Array, xmin: float, alpha: float, discrete: bool) -> Array:
    """P(X >= x) of the power law."""
    if discrete:
        return np.exp(log_zeta(alpha, values_T) - log_zeta(alpha, xmin))
    return (values_T / xmin) ** (1 - alpha)


def _gap(sample: Sample, ends_U: Array, alpha_C: Array, start: int, where: slice | NDArray[np.int64]) -> Array:
    """How far the sample's P(X >= x) lies above the power law's, at the places `where`."""
    xmin, alpha = float(sample.values_U[start]), float(alpha_C[start])
    return ends_U[where] / ends_U[start] - _survival(sample.values_U[where], xmin, alpha, sample.discrete)


def _bounds(sample: Sample, ends_U: Array, alpha_C: Array) -> Array:
    """For every start the distance at a few places of its tail: no more than the distance itself."""
    starts_C = np.arange(alpha_C.size)
    last, shares_P = sample.values_U.size - 1, np.linspace(0.0, 1.0, PROBES) ** 2
    if last < PROBES:
        return np.zeros(alpha_C.size)
    places_CP = starts_C[:, None] + np.rint((last - starts_C)[:, None] * shares_P).astype(np.int64)
    found_CP = ends_U[places_CP] / ends_U[starts_C, None]
    values_CP, xmin_C1, alpha_C1 = sample.values_U[places_CP], sample.values_U[starts_C, None], alpha_C[:, None]
    if sample.discrete:
        expected_CP = np.exp(log_zeta(alpha_C1, values_CP) - log_zeta(alpha_C1, xmin_C1))
    else:
        expected_CP = (values_CP / xmin_C1) ** (1 - alpha_C1)
    return np.abs(found_CP - expected_CP).max(axis=1)
