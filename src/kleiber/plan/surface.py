"""Surface: the loss over (params, tokens) that a law gives at its point estimate and at every draw.

The way the data takes: law + parameters (K rows: the point estimate first, then the draws) -> loss anywhere, and the best
point on the boundary that the limits leave, for all rows at once.
The one idea: row 0 and the draws go through the same arithmetic, so an interval is always about the same question.

Legend: K rows, R points, T terms, P parameters, 2 = (params, tokens).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.laws.follows import FOLLOWS
from kleiber.laws.law import Law
from kleiber.plan import closed_form, search
from kleiber.plan.boundary import Boundary

Array = NDArray[np.float64]
FEWEST_TOKENS_PER_PARAM, MOST_TOKENS_PER_PARAM = 1e-4, 1e8


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """Loss over (params, tokens) of `law` at `theta_KP`; `at` gives the law's other inputs.

    Raises `InputError` where the law does not depend on both params and tokens, or needs an input that is not given.

    >>> law = Law("E + A/params**alpha + B/tokens**beta")
    >>> surface = Surface(law=law, theta_KP=np.array([[1.8172, 482.01, 0.3478, 2085.43, 0.3658]]))
    >>> surface.loss(70e9, 1.4e12).round(4)
    array([[1.9739]])
    """

    law: Law
    theta_KP: Array
    at: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        driven = [name for name in self.law.inputs if name in self._derived]
        powers = np.array([self._derived[name][1:] for name in driven]).reshape(-1, 2)
        if np.linalg.matrix_rank(powers) < 2:
            raise InputError(
                f"the law {self.law.name!r} cannot say how to split compute between params and tokens",
                found=f"inputs {', '.join(self.law.inputs)}",
                expected="a law of params and tokens",
                remedy="fit such a law, for instance --law chinchilla",
            )
        missing = [name for name in self.law.inputs if name not in self._derived and name not in self.at]
        if missing:
            raise InputError(f"the law {self.law.name!r} needs a value of {missing[0]!r}", remedy=f"give {missing[0]}")

    @cached_property
    def _derived(self) -> Mapping[str, tuple[float, float, float]]:
        repeated = {"epochs": (1.0 / self.at["unique_tokens"], 0.0, 1.0)} if "unique_tokens" in self.at else {}
        return {name: entry for name, entry in {**FOLLOWS, **repeated}.items() if name not in self.at}

    def rows(self, which: slice) -> Surface:
        """The same surface at some of its rows."""
        return Surface(law=self.law, theta_KP=self.theta_KP[which], at=self.at)

    @cached_property
    def draws(self) -> Surface:
        """The draws without the point estimate."""
        return self.rows(slice(1, None))

    @cached_property
    def point(self) -> Surface:
        """Row 0, the point estimate, alone."""
        return self.rows(slice(0, 1))

    @cached_property
    def _unknowns(self) -> list[Array]:
        return self.law.unknowns(self.theta_KP)

    def loss(self, params: Array | float, tokens: Array | float) -> Array:
        """Loss of every row at points (R,), or at points of its own (K, R): (K, R)."""
        params, tokens = np.atleast_1d(np.asarray(params, dtype=float)), np.atleast_1d(np.asarray(tokens, dtype=float))
        with np.errstate(all="ignore"):
            return self.loss_at(np.log(params), np.log(tokens))

    def loss_at(self, x: Array, y: Array) -> Array:
        """`loss` at x = ln(params), y = ln(tokens)."""
        logs = []
        for name in self.law.inputs:
            factor, p, q = self._derived.get(name) or (self.at[name], 0.0, 0.0)
            parts = [power * log for power, log in ((p, x), (q, y)) if power]  # 0 times infinity is not wanted
            logs.append(
                sum(parts, np.log(factor)) if parts else np.full(np.broadcast_shapes(x.shape, y.shape), np.log(factor))
            )
        with np.errstate(all="ignore"):
            value = self.law.value_at(self._unknowns, logs)
        return np.broadcast_to(value, (len(self.theta_KP), value.shape[-1]))

    @cached_property
    def terms(self) -> tuple[Array, Array] | None:
        """Coefficients (K, T) and exponents (K, T, 2), where the law is a posynomial that falls with tokens in every row."""
        if not self.law.is_power_sum:
            return None
        raw_KT, exponents_KTI = self.law.term_arrays(self.theta_KP)
        log_factor = np.zeros(raw_KT.shape)
        exponents_KT2 = np.zeros((*raw_KT.shape, 2))
        for index, name in enumerate(self.law.inputs):
            power_KT = exponents_KTI[..., index]
            factor, p, q = self._derived.get(name) or (float(self.at[name]), 0.0, 0.0)
            log_factor += power_KT * np.log(factor)
            exponents_KT2 += power_KT[..., None] * np.array([p, q])
        coefficients_KT = raw_KT * np.exp(log_factor)
        varying_KT = np.any(exponents_KT2 != 0, axis=-1)
        if np.any(coefficients_KT[varying_KT] < 0) or np.any(exponents_KT2[..., 1] > 0):
            return None
        return np.where(varying_KT, coefficients_KT, 0.0), exponents_KT2

    @cached_property
    def _ready(self) -> closed_form.Terms | None:
        return closed_form.Terms.of(*self.terms) if self.terms is not None else None

    def token_term(self) -> tuple[Array, Array] | None:
        """(coefficient_K, exponent_K) where tokens stand in one term coefficient / tokens**exponent and in no other."""
        if self.terms is None:
            return None
        coefficients_KT, exponents_KT2 = self.terms
        of_tokens_T = np.any((exponents_KT2[..., 1] != 0) & (coefficients_KT > 0), axis=0)
        if of_tokens_T.sum() != 1 or np.any(exponents_KT2[:, of_tokens_T, 0] != 0):
            return None
        return coefficients_KT[:, of_tokens_T][:, 0], -exponents_KT2[:, of_tokens_T, 1][:, 0]

    @property
    def certified(self) -> bool:
        """Whether an optimum is global by convexity; otherwise it is searched on a range."""
        return self.terms is not None

    def best(self, limits: Boundary) -> Array:
        """ln(params) of the least loss on the boundary, for every row: (K,)."""
        if self._ready is not None:
            return closed_form.lowest(self._ready, limits)
        return search.lowest(lambda x_KG: self.along(x_KG, limits), *self.range(limits))

    def best_on_average(self, limits: Boundary) -> float:
        """ln(params) of the least loss on average over all rows."""
        if self._ready is not None:
            return closed_form.lowest_on_average(self._ready, limits)
        mean = lambda x_KG: self.along(x_KG, limits).mean(axis=0, keepdims=True)  # noqa: E731
        return float(search.lowest(mean, *self.range(limits))[0])

    def along(self, x: Array, limits: Boundary) -> Array:
        """Loss at ln(params) = x (R,) or (K, R) on the boundary: (K, R)."""
        return self.loss_at(x, limits.at(x)[0])

    def range(self, limits: Boundary) -> tuple[float, float]:
        """Where ln(params) is looked for: all that the limits allow, within 1e-4 to 1e8 tokens per param."""
        if self.certified:
            return limits.low, limits.high
        x_R = np.linspace(limits.low, limits.high, 4001)
        ratio_R = limits.at(x_R)[0] - x_R
        kept = x_R[(ratio_R >= np.log(FEWEST_TOKENS_PER_PARAM)) & (ratio_R <= np.log(MOST_TOKENS_PER_PARAM))]
        return (float(kept[0]), float(kept[-1])) if kept.size else (limits.low, limits.high)

    def slopes(self, x: float, y: float) -> Array:
        """d ln(loss) / d ln(params) and / d ln(tokens) of row 0 at one point: (2,)."""
        total = float(self.point.loss(np.exp(x), np.exp(y))[0, 0])
        if self.terms is not None:
            coefficients_T, exponents_T2 = self.terms[0][0], self.terms[1][0]
            return (coefficients_T * np.exp(exponents_T2 @ np.array([x, y]))) @ exponents_T2 / total
        h = 1e-4
        points = np.array([[x + h, y], [x - h, y], [x, y + h], [x, y - h]])
        value = self.point.loss(*np.exp(points.T))[0]
        return np.array([value[0] - value[1], value[2] - value[3]]) / (2 * h * total)
