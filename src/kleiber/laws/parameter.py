"""What a law says of its unknowns: bounds, scale, starts; and the published values of them.

One idea: a parameter is data. Positive scale factors (A, B) are searched in their logarithm, exponents and floors as
they are; everything that the fit needs to know about an unknown stands in its `Parameter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from kleiber.quantity import show

Scale = Literal["log", "linear"]
EXPONENT_BOUND = 2.5
ROUNDING = 1e-9  # a number on the end of a range lies inside it, whatever floating point makes of it


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One unknown of a law: bounds and starts in natural units, and the scale it is searched on.

    `upper` of a floor is lowered by the fit to the smallest observed value, since a floor above a measurement is absurd.

    >>> Parameter(name="alpha", lower=0.0, upper=2.5, scale="linear", starts=(0.2, 0.4)).scale
    'linear'
    """

    name: str
    lower: float
    upper: float
    scale: Scale
    starts: tuple[float, ...] = ()
    meaning: str = ""
    floor: bool = False

    def __post_init__(self) -> None:
        assert self.lower < self.upper, self
        assert self.scale == "linear" or self.lower > 0, self


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """One published set of values: where from, fitted over what range, to what tolerance, and what is wrong with it."""

    name: str
    values: Mapping[str, float]
    source: str
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    conventions: str = ""
    tolerance: float = 0.0
    note: str = ""

    def extrapolation(self, inputs: Mapping[str, float]) -> Mapping[str, float]:
        """How far `inputs` lie outside the fitted range: for each that does, the factor to its nearer end (above 1).

        Inputs whose range is not known are left out, which does not mean that they lie inside.

        >>> found = Coefficients(name="x", values={}, source="", domain={"params": (1e8, 1e9), "tokens": (1e9, 1e11)})
        >>> dict(found.extrapolation({"params": 4e10, "tokens": 1e10}))
        {'params': 40.0}
        """
        return extrapolation(self.domain, inputs)


def extrapolation(domain: Mapping[str, tuple[float, float]], inputs: Mapping[str, float]) -> Mapping[str, float]:
    """For each of `inputs` outside its (low, high) in `domain`, the factor by which it is outside.

    >>> dict(extrapolation({"experts": (1.0, 32.0)}, {"experts": 64.0, "tokens": 1e9}))
    {'experts': 2.0}
    """
    factors = {
        name: max(low / value if value > 0 else inf, value / high)
        for name, (low, high) in domain.items()
        if (value := inputs.get(name)) is not None
    }
    return {name: factor for name, factor in factors.items() if factor > 1 + ROUNDING}


def badge(factors: Mapping[str, float]) -> str:
    """What to print beside a number that a law gave outside its range; nothing inside.

    >>> badge({"params": 40.0, "tokens": 1.3})
    'extrapolated ×40 in params, ×1.3 in tokens'
    >>> badge({})
    ''
    """
    worst_first = sorted(factors.items(), key=lambda item: -item[1])
    words = ", ".join(f"×{show(factor, 2)} in {name.replace('_', ' ')}" for name, factor in worst_first)
    return f"extrapolated {words}" if words else ""


def infer(name: str, expression: Any, inputs: tuple[str, ...]) -> Parameter:
    """Guess bounds and scale of parameter `name` from the role it plays in the SymPy `expression`.

    A term of its own is a floor (linear, from 0); a factor of an input-dependent term is a positive scale (log);
    anything in an exponent is an exponent (linear, within +-2.5, positive where the formula already carries the minus);
    the rest is a positive quantity on a log scale.
    """
    import sympy

    unknown = sympy.Symbol(name, real=True)
    slope = sympy.diff(expression, unknown)
    symbols = {str(piece) for piece in slope.free_symbols}
    if not slope.free_symbols:
        return Parameter(name=name, lower=0.0, upper=1e12, scale="linear", starts=(), meaning="floor", floor=True)
    if _in_exponent(expression, unknown):
        lower = 0.0 if _always_negative(expression, unknown) else -EXPONENT_BOUND
        starts = (0.1, 0.25, 0.4, 0.6, 0.9, 1.4)
        starts = starts if lower == 0.0 else tuple(-value for value in starts) + starts
        return Parameter(name=name, lower=lower, upper=EXPONENT_BOUND, scale="linear", starts=starts)
    meaning = "scale" if name not in symbols and symbols & set(inputs) else "positive"
    return Parameter(name=name, lower=1e-12, upper=1e30, scale="log", starts=(), meaning=meaning)


def _exponents(expression: Any, unknown: Any) -> list[Any]:
    import sympy

    powers = [power.exp for power in expression.atoms(sympy.Pow) if power.exp.has(unknown)]
    return powers + [call.args[0] for call in expression.atoms(sympy.exp) if call.args[0].has(unknown)]


def _in_exponent(expression: Any, unknown: Any) -> bool:
    return any(
        not (exponent / unknown).has(unknown) or exponent.has(unknown) for exponent in _exponents(expression, unknown)
    )


def _always_negative(expression: Any, unknown: Any) -> bool:
    import sympy

    slopes = [sympy.diff(exponent, unknown) for exponent in _exponents(expression, unknown)]
    return all(slope.is_Number and slope < 0 for slope in slopes)
