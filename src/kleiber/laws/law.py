"""Law: a scaling law is a formula, written once as text; everything else is derived from it.

The way the data takes: text -> `formula.parse` -> SymPy expression -> `evaluate.search_form` (fast value, gradient, Hessian
for the fit), `posynomial.terms` (what a plan can certify), LaTeX (for a report) and the list of inputs a table must have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.errors import FormulaError, InputError, did_you_mean
from kleiber.laws import formula as formula_text
from kleiber.laws import posynomial as posynomial_terms
from kleiber.laws.evaluate import SearchForm, search_form, to_search
from kleiber.laws.implicit import ImplicitForm
from kleiber.laws.parameter import Coefficients, Parameter, infer
from kleiber.laws.posynomial import Posynomial

Array = NDArray[np.float64]

# Names that mean a column of the run table when they stand in a formula; all other names are parameters.
INPUTS = (
    "params", "tokens", "flops", "unique_tokens", "epochs", "steps", "examples", "lr", "batch_tokens", "context",
    "experts", "active_params", "granularity", "activation_ratio", "quality", "depth", "width", "vocabulary", "bits",
    "activation_bits", "cache_bits", "teacher_loss", "supervised_loss", "samples", "tokens_per_param", "loss",
    "noise", "data", "compute",
)  # fmt: skip


@dataclass(frozen=True)
class Law:
    """A scaling law: `formula` in run-table columns (inputs) and unknowns (parameters).

    Parameters that are not described are inferred from the role they play (see `parameter.infer`).
    `inputs` adds names to the known columns; `between` brackets the target of an implicit equation.

    Raises `FormulaError` if the text is no formula or uses no input at all.

    >>> law = Law("E + A/params**alpha + B/tokens**beta")
    >>> law.inputs, law.names
    (('params', 'tokens'), ('E', 'A', 'alpha', 'B', 'beta'))
    >>> float(law.evaluate([1.8172, 482.01, 0.3478, 2085.43, 0.3658], {"params": 70e9, "tokens": 1.4e12}).round(4))
    1.9739
    """

    formula: str
    _: KW_ONLY
    name: str = "custom"
    title: str = ""
    parameters: tuple[Parameter, ...] = ()
    source: str = ""
    validity: str = ""
    published: tuple[Coefficients, ...] = ()
    target: str = "loss"
    extra_inputs: tuple[str, ...] = ()
    between: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        scanned = self._scanned
        if not self.inputs:
            raise FormulaError(
                "the formula uses no column of the run table", found=self.formula, expected="params, tokens, flops, ..."
            )
        given = {parameter.name: parameter for parameter in self.parameters}
        names = [name for name in scanned.names if name not in self.inputs]
        unknown = [name for name in given if name not in names]
        if unknown:
            raise FormulaError(
                f"parameter {unknown[0]!r} is not in the formula", remedy=did_you_mean(unknown[0], names)
            )
        if scanned.implicit != (self.between is not None):
            raise FormulaError("an equation needs `between`, a plain formula must not have it", found=self.formula)
        if self.name == "custom" or len(given) < len(names):
            _ = self.expression  # a stranger's formula is built at once, so that what is wrong with it is said at once
        # Described parameters keep the order of their description, which is the order of every array of theta.
        order = [*given, *(name for name in names if name not in given)]
        complete = tuple(given.get(name) or infer(name, self.expression, self.inputs) for name in order)
        object.__setattr__(self, "parameters", complete)

    @cached_property
    def _scanned(self) -> formula_text.Scanned:
        # Names alone, without SymPy: the shipped laws are described in full, and importing them must cost nothing.
        return formula_text.scan(self.formula, inputs=(*INPUTS, *self.extra_inputs), target=self.target)

    @cached_property
    def _parsed(self) -> formula_text.Parsed:
        return formula_text.parse(self.formula, inputs=(*INPUTS, *self.extra_inputs), target=self.target)

    @property
    def expression(self) -> Any:
        """The SymPy expression in natural units (left - right for an equation)."""
        return self._parsed.expression

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns a table must have."""
        known = {*INPUTS, *self.extra_inputs} - {self.target}
        return tuple(name for name in self._scanned.names if name in known)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameter names, in the order of every array of parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def form(self) -> SearchForm | ImplicitForm:
        """The law in search coordinates, for the fit."""
        import sympy

        scales = [(parameter.name, parameter.scale == "log") for parameter in self.parameters]
        if self.between is None:
            return search_form(self.expression, scales, self.inputs)
        target = self.expression.xreplace({sympy.Symbol(self.target, positive=True): sympy.Symbol("y", positive=True)})
        sides = [formula_text.parse(side, inputs=self.inputs, target="\0").expression for side in self.between]
        return ImplicitForm(
            residual=search_form(target, scales, self.inputs),
            lower=search_form(sides[0], scales, self.inputs),
            upper=search_form(sides[1], scales, self.inputs),
        )

    def evaluate(self, theta: Mapping[str, float] | ArrayLike, inputs: Mapping[str, ArrayLike]) -> Array:
        """The target at `inputs` (each (R,) or scalar) for `theta` (mapping, or (..., P)): shape (..., R)."""
        theta_P, arguments = self._arguments(theta, inputs)
        value = np.asarray(self.form.value(*arguments), dtype=float)
        shape = np.broadcast_shapes(value.shape, *(np.shape(argument) for argument in arguments))
        return np.broadcast_to(value, shape) if theta_P.ndim > 1 or shape else value

    def gradient(self, theta: Mapping[str, float] | ArrayLike, inputs: Mapping[str, ArrayLike]) -> Array:
        """The exact derivatives of the target by every parameter, in natural units: shape (..., R, P)."""
        theta_P, arguments = self._arguments(theta, inputs)
        slopes = self.form.first_derivatives(*arguments)[1:]
        scale = [1.0 / theta_P[..., i, None] if logged else np.ones(1) for i, logged in enumerate(self.form.logged)]
        shape = np.broadcast_shapes(*(np.shape(argument) for argument in arguments))
        return np.stack(
            [np.broadcast_to(slope * factor, shape or (1,)) for slope, factor in zip(slopes, scale, strict=True)],
            axis=-1,
        )

    def theta(self, values: Mapping[str, float] | ArrayLike) -> Array:
        """Parameters as an array (..., P) in the order of `names`; a mapping must name them all."""
        if not isinstance(values, Mapping):
            array = np.asarray(values, dtype=float)
            if array.shape[-1:] != (len(self.names),):
                raise InputError(f"{self.name} has {len(self.names)} parameters", found=f"shape {array.shape}")
            return array
        missing = [name for name in self.names if name not in values]
        if missing:
            raise InputError(f"no value for parameter {missing[0]!r}", expected=", ".join(self.names))
        return np.array([float(values[name]) for name in self.names])

    def unknowns(self, theta_KP: ArrayLike) -> list[Array]:
        """Parameter sets (K, P) as columns (K, 1) in search coordinates: made once where many points follow (`value_at`)."""
        with np.errstate(divide="ignore"):
            u_KP = to_search(self.theta(theta_KP), self.form.logged)
        return [u_KP[:, i, None] for i in range(u_KP.shape[1])]

    def value_at(self, unknowns: Sequence[Array], logs: Sequence[Array]) -> Array:
        """The target at the logarithms of `inputs` (each (R,) or (K, R)), for parameters made ready by `unknowns`: (K, R)."""
        value = np.asarray(self.form.value(*unknowns, *logs), dtype=float)
        return np.broadcast_to(value, np.broadcast_shapes(value.shape, *(each.shape for each in (*unknowns, *logs))))

    def _arguments(
        self, theta: Mapping[str, float] | ArrayLike, inputs: Mapping[str, ArrayLike]
    ) -> tuple[Array, list[Any]]:
        theta_P = self.theta(theta)
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise InputError(f"{self.name} needs {missing[0]!r}", found=", ".join(inputs) or "nothing")
        with np.errstate(divide="ignore"):
            u = to_search(theta_P, self.form.logged)
        times = [np.log(np.asarray(inputs[name], dtype=float)) for name in self.inputs]
        wide = theta_P.ndim > 1 or any(time.ndim for time in times)
        unknowns = [u[..., i, None] if wide else u[i] for i in range(u.shape[-1])]
        return theta_P, [*unknowns, *times]

    @cached_property
    def latex(self) -> str:
        """The formula in LaTeX."""
        import sympy

        if self._scanned.implicit:
            left, _, right = self.formula.splitlines()[-1].split(";")[-1].partition("==")
            names = (*INPUTS, *self.extra_inputs)
            sides = [
                formula_text.parse(side, inputs=(*names, self.target), target="\0").expression for side in (left, right)
            ]
            return " = ".join(sympy.latex(side) for side in sides)
        return f"\\mathrm{{{self.target}}} = {sympy.latex(self.expression)}".replace("_", r"\_")

    @cached_property
    def _terms(self) -> list[tuple[Any, tuple[Any, ...]]] | None:
        return None if self._scanned.implicit else posynomial_terms.terms(self.expression, self.inputs)

    @cached_property
    def _term_function(self) -> Any:
        import sympy

        symbols = [sympy.Symbol(name, real=True) for name in self.names]
        assert self._terms is not None
        rows = [[coefficient, *exponents] for coefficient, exponents in self._terms]
        return sympy.lambdify(symbols, rows, modules="numpy")

    @property
    def is_power_sum(self) -> bool:
        """Whether the law is a sum of terms `coefficient * product of powers of inputs`, whatever the signs."""
        return self._terms is not None

    def term_arrays(self, theta: ArrayLike) -> tuple[Array, Array]:
        """Coefficients (..., T) and exponents (..., T, I) of the terms at `theta` (..., P); needs `is_power_sum`."""
        theta_P = self.theta(theta)
        columns = np.moveaxis(theta_P, -1, 0)
        rows = [[np.broadcast_to(cell, theta_P.shape[:-1]) for cell in row] for row in self._term_function(*columns)]
        table = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
        return table[..., 0], table[..., 1:]

    def posynomial(self, theta: Mapping[str, float] | ArrayLike) -> Posynomial | None:
        """The law as a posynomial at one `theta`, or None where it is none (or a coefficient is negative there)."""
        if not self.is_power_sum:
            return None
        coefficients_T, exponents_TI = self.term_arrays(self.theta(theta))
        if (coefficients_T < 0).any():
            return None
        kept = coefficients_T > 0
        return Posynomial(inputs=self.inputs, coefficients_T=coefficients_T[kept], exponents_TI=exponents_TI[kept])

    def coefficients(self, name: str) -> Coefficients:
        """The published set `name`."""
        for found in self.published:
            if found.name == name:
                return found
        names: Sequence[str] = [found.name for found in self.published]
        raise InputError(f"{self.name} has no published set {name!r}", remedy=did_you_mean(name, names))
