"""What else a tail could be: lognormal, power law with a cut-off, stretched exponential, exponential.

The way the data takes: tail -> log-likelihood of every distinct value under each rival -> Vuong's test of the difference from
the power law's. All are fitted by greatest likelihood. Continuous tails start at xmin; in discrete ones a value stands for
its unit interval (lognormal, stretched exponential) or has its own probability (exponential, power laws).

Forms: Clauset, Shalizi & Newman 2009, table 2.1. Legend: T distinct values of the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import optimize, special

from kleiber.diagnose.criticality.lowest import lowest
from kleiber.diagnose.criticality.sample import Sample
from kleiber.diagnose.criticality.xmin import log_zeta

Array = NDArray[np.float64]
NODES, WEIGHTS = leggauss(24)
PIECES, SUMMED = 12, 64
FLATTEST, STEEPEST_STRETCH = 1e-3, 20.0


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The power law against a rival: `ratio` is Vuong's statistic, positive where the power law fits better; p is two-sided."""

    rival: str
    ratio: float
    p: float
    nested: bool
    parameters: Mapping[str, float]


def contest(name: str, tail: Sample, xmin: float, alpha: float) -> Contest:
    """Vuong's test: sum(d) / sqrt(n var(d)), d the difference of log-likelihoods; chi-squared where the power law is nested."""
    own_T = power_law(tail, xmin, alpha)
    rival_T, parameters = RIVALS[name](tail, xmin, alpha)
    total = tail.size
    differences_T = own_T - rival_T
    whole = float(tail.counts_U @ differences_T)
    variance = float(tail.counts_U @ (differences_T - whole / total) ** 2) / total
    scale = np.sqrt(total * variance)
    nested = name == CUT_OFF
    if scale <= 1e-9 * np.sqrt(total):
        return Contest(rival=name, ratio=0.0, p=1.0, nested=nested, parameters=parameters)
    p = special.erfc(abs(np.sqrt(abs(whole)))) if nested else special.erfc(abs(whole) / scale / np.sqrt(2))
    return Contest(rival=name, ratio=whole / scale, p=float(p), nested=nested, parameters=parameters)


def _curves_down(tail: Sample, xmin: float) -> bool:
    """Whether log p bends downwards over log x.

    Where it does not, a continuous lognormal or stretched exponential fits best as it turns into the power law: over
    y = log(x / xmin) both add a term -y^2, which takes var(y) < mean(y)^2 to be worth having.
    """
    logs_T = np.log(tail.values_U / xmin)
    return tail.discrete or _spread(logs_T, tail.counts_U) < float(tail.counts_U @ logs_T) / tail.size


def power_law(tail: Sample, xmin: float, alpha: float) -> Array:
    """log p of each distinct value: x^-alpha / zeta(alpha, xmin), or (alpha - 1) / xmin (x / xmin)^-alpha."""
    if tail.discrete:
        return -alpha * np.log(tail.values_U) - log_zeta(alpha, xmin)
    return np.log((alpha - 1) / xmin) - alpha * np.log(tail.values_U / xmin)


def exponential(tail: Sample, xmin: float, alpha: float) -> tuple[Array, dict[str, float]]:
    """lambda exp(-lambda (x - xmin)), or (1 - exp(-lambda)) exp(-lambda (x - xmin))."""
    beyond = float(tail.counts_U @ tail.values_U) / tail.size - xmin
    rate = np.log1p(1 / beyond) if tail.discrete else 1 / beyond
    level = np.log(-np.expm1(-rate)) if tail.discrete else np.log(rate)
    return level - rate * (tail.values_U - xmin), {"rate": float(rate)}


def stretched_exponential(tail: Sample, xmin: float, alpha: float) -> tuple[Array, dict[str, float]]:
    """beta theta x^(beta - 1) exp(-theta (x^beta - xmin^beta)); theta has a closed form where values are continuous."""
    if not _curves_down(tail, xmin):
        return power_law(tail, xmin, alpha), {}
    units_T, counts_T = tail.values_U / xmin, tail.counts_U

    def likelihoods(log_stretch: float, log_rate: float | None = None) -> tuple[Array, float]:
        stretch = np.exp(log_stretch)
        if not tail.discrete:
            powers_T = np.expm1(stretch * np.log(units_T))
            rate = tail.size / float(counts_T @ powers_T)
            return np.log(stretch * rate / xmin) + (stretch - 1) * np.log(units_T) - rate * powers_T, rate
        assert log_rate is not None
        half = 0.5 / xmin
        edges_2T = np.stack([np.maximum(units_T - half, 1e-300), units_T + half]) / (1 - half)
        grown_2T = np.exp(log_rate) * np.expm1(stretch * np.log(edges_2T))
        return -grown_2T[0] + _log_one_minus(grown_2T[1] - grown_2T[0]), float(np.exp(log_rate))

    if tail.discrete:
        start = optimize.minimize(
            lambda u: -float(counts_T @ likelihoods(u[0], u[1])[0]), np.array([-1.0, 1.0]), method="Nelder-Mead",
            bounds=[(np.log(FLATTEST), np.log(STEEPEST_STRETCH)), (-20, 20)], options={"xatol": 1e-6, "fatol": 1e-8},
        )  # fmt: skip
        found_T, rate = likelihoods(*start.x)
        return found_T, {"stretch": float(np.exp(start.x[0])), "rate": rate}
    best = lowest(
        lambda u: -float(counts_T @ likelihoods(u)[0]), np.log(FLATTEST), np.log(STEEPEST_STRETCH), tolerance=1e-8
    )
    found_T, rate = likelihoods(best)
    return found_T, {"stretch": float(np.exp(best)), "rate": rate}


def lognormal(tail: Sample, xmin: float, alpha: float) -> tuple[Array, dict[str, float]]:
    """A normal density of log x cut at xmin; its mean is free to lie far below, where it becomes the power law itself."""
    if not _curves_down(tail, xmin):
        return power_law(tail, xmin, alpha), {}
    logs_T, counts_T, start = np.log(tail.values_U), tail.counts_U, np.log(xmin)

    def likelihoods(mean: float, log_width: float) -> Array:
        width = np.exp(log_width)
        if not tail.discrete:
            standard_T = (logs_T - mean) / width
            beyond = special.log_ndtr((mean - start) / width)
            return -0.5 * standard_T**2 - logs_T - log_width - 0.5 * np.log(2 * np.pi) - beyond
        low_T, high_T = (-(np.log(tail.values_U + shift) - mean) / width for shift in (-0.5, 0.5))
        first_T = special.log_ndtr(low_T)
        inside_T = first_T + _log_one_minus(np.maximum(first_T - special.log_ndtr(high_T), 1e-300))
        return inside_T - special.log_ndtr(-(np.log(xmin - 0.5) - mean) / width)

    first = np.array([logs_T @ counts_T / tail.size, np.log(max(_spread(logs_T, counts_T), 1e-3))])
    best = optimize.minimize(
        lambda u: -float(counts_T @ likelihoods(u[0], u[1])) if abs(u[1]) < 5 else np.inf, first, method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 1000, "maxfev": 2000},
    )  # fmt: skip
    return likelihoods(*best.x), {"mean": float(best.x[0]), "width": float(np.exp(best.x[1]))}


def cut_off(tail: Sample, xmin: float, alpha: float) -> tuple[Array, dict[str, float]]:
    """x^-alpha exp(-lambda x), lambda >= 0: convex in (alpha, lambda); at lambda = 0 the power law."""
    logs_T = np.log(tail.values_U / xmin)
    mean_log, mean = float(tail.counts_U @ logs_T) / tail.size, float(tail.counts_U @ tail.values_U) / tail.size / xmin

    def cost(slope: float, log_rate: float) -> float:
        return (
            slope * mean_log + np.exp(log_rate) * (mean - 1) + _log_mass(slope, np.exp(log_rate), xmin, tail.discrete)
        )

    guess = np.array([alpha, -np.log(mean) - 3])
    best = optimize.minimize(
        lambda u: cost(u[0], u[1]) if -30 < u[1] < 10 and abs(u[0]) < 50 else np.inf, guess, method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 800},
    )  # fmt: skip
    slope, rate = float(best.x[0]), float(np.exp(best.x[1]))
    found_T = -slope * logs_T - rate * (tail.values_U / xmin - 1) - _log_mass(slope, rate, xmin, tail.discrete)
    if not tail.discrete:
        found_T = found_T - np.log(xmin)
    pure_T = power_law(tail, xmin, alpha)
    if tail.counts_U @ (found_T - pure_T) <= 0:
        return pure_T, {"alpha": alpha, "rate": 0.0}
    return found_T, {"alpha": slope, "rate": rate / xmin}


def _log_mass(slope: float, rate: float, xmin: float, discrete: bool) -> float:
    """log of the sum or integral of u^-slope exp(-rate (u - 1)) over u = x / xmin from 1 on."""
    if not discrete:
        return float(np.log(_integral(slope, rate, 1.0)))
    units = 1 + np.arange(SUMMED) / xmin
    terms = units**-slope * np.exp(-rate * (units - 1))
    last = 1 + SUMMED / xmin
    edge = last**-slope * np.exp(-rate * (last - 1))
    steepness = (slope / last + rate) / xmin  # of the log, per unit of x
    rest = xmin * _integral(slope, rate, last) + edge * (0.5 + steepness / 12)  # Euler and Maclaurin
    return float(np.log(terms.sum() + rest))


def _integral(slope: float, rate: float, first: float) -> float:
    """The integral of u^-slope exp(-rate (u - 1)) from `first` on, over log u by Gauss's rule in pieces."""
    end = np.log1p(60 / rate / first) if slope <= 1.2 else min(np.log1p(60 / rate / first), 60 / (slope - 1))
    edges = end * np.linspace(0, 1, PIECES + 1) ** 1.5
    half = 0.5 * np.diff(edges)[:, None]
    at = edges[:-1, None] + half * (1 + NODES)
    values = np.exp((1 - slope) * (np.log(first) + at) - rate * (first * np.exp(at) - 1))
    return float((half * WEIGHTS * values).sum())


def _spread(values_T: Array, counts_T: Array) -> float:
    mean = counts_T @ values_T / counts_T.sum()
    return float(np.sqrt(counts_T @ (values_T - mean) ** 2 / counts_T.sum()))


def _log_one_minus(drop_T: Array) -> Array:
    """log(1 - exp(-drop)), precise at both ends."""
    return np.log(np.maximum(-np.expm1(-drop_T), 1e-300))


CUT_OFF = "power law with a cut-off"
RIVALS: Mapping[str, Callable[[Sample, float, float], tuple[Array, dict[str, float]]]] = {
    "lognormal": lognormal,
    CUT_OFF: cut_off,
    "stretched exponential": stretched_exponential,
    "exponential": exponential,
}


def density(name: str, values: Array, xmin: float, alpha: float, parameters: Mapping[str, float]) -> Array:
    """The density of a rival over `values`, up to a factor; without parameters that of the power law that it turned into."""
    units = values / xmin
    if not parameters:
        return units**-alpha
    if name == "lognormal":
        return (
            np.exp(-0.5 * ((np.log(values) - parameters["mean"]) / parameters["width"]) ** 2 + _peak(parameters, xmin))
            / units
        )
    if name == CUT_OFF:
        return units ** -parameters["alpha"] * np.exp(-parameters["rate"] * (values - xmin))
    if name == "stretched exponential":
        return units ** (parameters["stretch"] - 1) * np.exp(-parameters["rate"] * (units ** parameters["stretch"] - 1))
    return np.exp(-parameters["rate"] * (values - xmin))


def _peak(parameters: Mapping[str, float], xmin: float) -> float:
    """What makes a lognormal 1 at xmin, so that one whose middle lies far below does not vanish."""
    return float(0.5 * ((np.log(xmin) - parameters["mean"]) / parameters["width"]) ** 2)
