"""Every entry of every contents page goes through the same checks.

Laws: each evaluates to finite numbers on its design, its gradient is its slope, its published values lie within its bounds, its
parameters can be told apart on its design, and changing the unit of an input never changes a prediction.

Layers: each is counted in known groups, uses nearly all of what it multiplies, and its cache grows by what a token adds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, log2, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import LAYERS
from kleiber.cost.params import GROUPS
from kleiber.laws import INPUTS, LAWS, Law, find
from tests.cost.layers import EXAMPLES, MIXERS, WIDTH
from tests.laws.designs import DESIGNS

every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
Theta = Mapping[str, float]

# The laws that are sums of powers of their inputs, which a plan can certify.
POWER_SUMS = {
    "chinchilla", "kaplan-params", "kaplan-tokens", "kaplan-compute", "kaplan-steps", "gadre", "gadre-multiplier",
    "m1", "m2", "step-lr", "step-batch", "compute-lr", "compute-batch", "critical-batch",
    "optimal-params", "optimal-tokens", "optimal-flops-per-token", "granularity", "sparsity",
    "quality", "quality-tokens", "context",
    "vocabulary-by-compute", "vocabulary-by-params",
}  # fmt: skip
# Sums of powers with a negative term, which a plan cannot certify.
SIGNED_SUMS = {"vocabulary"}


def test_every_law_has_a_design_and_a_name_of_its_own() -> None:
    assert list(DESIGNS) == [law.name for law in LAWS]
    assert all(find(law.name) is law for law in LAWS)


@every_law
def test_law_is_finite_on_its_design(law: Law) -> None:
    design = DESIGNS[law.name]()
    assert set(design.theta) == set(law.names)
    rows = {values.shape for values in design.inputs.values()}
    assert len(rows) == 1
    assert 60 <= rows.pop()[0] <= 200
    target = law.evaluate(design.theta, design.inputs)
    assert np.isfinite(target).all()
    assert (target > 0).all()
    assert np.isfinite(law.gradient(design.theta, design.inputs)).all()


@every_law
def test_law_gradient_is_its_slope(law: Law) -> None:
    """Against central differences of fourth order, to 1e-6 of the largest slope."""
    design = DESIGNS[law.name]()
    theta_P = law.theta(design.theta)
    gradient_RP = law.gradient(theta_P, design.inputs)
    for p, value in enumerate(theta_P):
        step = 1e-4 * abs(value)

        def at(shift: float, p: int = p, value: float = value) -> np.ndarray:
            moved = theta_P.copy()
            moved[p] = value + shift
            return law.evaluate(moved, design.inputs)

        slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
        assert np.abs(gradient_RP[:, p] - slope).max() <= 1e-6 * np.abs(slope).max(), law.names[p]


@every_law
def test_law_curvature_is_the_slope_of_its_gradient(law: Law) -> None:
    """The second derivatives that the fit uses (in its search coordinates), against differences of the first ones."""
    design = DESIGNS[law.name]()
    theta_P = law.theta(design.theta)
    logged = [parameter.scale == "log" for parameter in law.parameters]
    unknowns = [np.log(value) if flag else value for value, flag in zip(theta_P, logged, strict=True)]
    columns = [np.log(design.inputs[name]) for name in law.inputs]
    count = len(unknowns)
    found = law.form.all_derivatives(*unknowns, *columns)
    assert len(found) == 1 + count + len(law.form.pairs)
    for curvature, (i, j) in zip(found[1 + count :], law.form.pairs, strict=True):
        step = 1e-4 * max(abs(unknowns[j]), 0.01)

        def slope(shift: float, i: int = i, j: int = j) -> np.ndarray:
            moved = list(unknowns)
            moved[j] += shift
            return np.asarray(law.form.first_derivatives(*moved, *columns)[1 + i])

        change = (8 * (slope(step) - slope(-step)) - (slope(2 * step) - slope(-2 * step))) / (12 * step)
        assert np.abs(curvature - change).max() <= 1e-6 * np.abs(change).max() + 1e-12, (law.names[i], law.names[j])


@every_law
def test_law_takes_batches_of_parameters(law: Law) -> None:
    design = DESIGNS[law.name]()
    theta_P = law.theta(design.theta)
    batch_BP = np.stack([theta_P, theta_P * (1 + 1e-3)])
    together = law.evaluate(batch_BP, design.inputs)
    alone = [law.evaluate(row, design.inputs) for row in batch_BP]
    assert together == pytest.approx(np.stack(alone), rel=1e-12)


@every_law
def test_law_identifies_its_parameters_on_its_design(law: Law) -> None:
    """Linearised standard errors at the design's noise stay below a quarter of the value (of its unit on a log scale)."""
    design = DESIGNS[law.name]()
    theta_P = law.theta(design.theta)
    target = law.evaluate(theta_P, design.inputs)
    slopes = law.gradient(theta_P, design.inputs) * theta_P / target[:, None] / design.noise
    errors = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    assert dict(zip(law.names, errors.round(3), strict=True)) == {
        name: pytest.approx(0, abs=0.25) for name in law.names
    }


@every_law
def test_law_bounds_hold_what_is_published_planted_and_started_from(law: Law) -> None:
    sets = [found.values for found in law.published] + [DESIGNS[law.name]().theta]
    for values in sets:
        assert set(values) == set(law.names)
        for parameter in law.parameters:
            assert parameter.lower <= values[parameter.name] <= parameter.upper, parameter.name
    for parameter in law.parameters:
        assert parameter.meaning, parameter.name
        assert parameter.starts, parameter.name
        assert all(parameter.lower <= start <= parameter.upper for start in parameter.starts), parameter.name


@every_law
def test_law_reads_known_columns_and_can_be_typeset(law: Law) -> None:
    assert set(law.inputs) <= set(INPUTS)
    assert law.target not in law.inputs
    assert len(law.latex) > 10


@every_law
def test_law_is_recognised_as_a_sum_of_powers_where_it_is_one(law: Law) -> None:
    assert law.is_power_sum == (law.name in POWER_SUMS | SIGNED_SUMS)
    if law.is_power_sum:
        design = DESIGNS[law.name]()
        found = law.posynomial(design.theta)
        if law.name in SIGNED_SUMS:
            assert found is None
            return
        assert found is not None
        assert found.value(design.inputs) == pytest.approx(law.evaluate(design.theta, design.inputs), rel=1e-12)


# How the parameters answer when an input is counted in a unit `s[input]` times smaller (its numbers grow by `s`).
RESCALED: dict[str, Callable[[Theta, Theta], dict[str, float]]] = {
    "chinchilla": lambda v, s: {"A": v["A"] * s["params"] ** v["alpha"], "B": v["B"] * s["tokens"] ** v["beta"]},
    "kaplan": lambda v, s: {"Nc": v["Nc"] * s["params"], "Dc": v["Dc"] * s["tokens"]},
    "kaplan-params": lambda v, s: {"Nc": v["Nc"] * s["params"]},
    "kaplan-tokens": lambda v, s: {"Dc": v["Dc"] * s["tokens"]},
    "kaplan-compute": lambda v, s: {"Cc": v["Cc"] * s["flops"]},
    "kaplan-steps": lambda v, s: {"Nc": v["Nc"] * s["params"], "Sc": v["Sc"] * s["steps"]},
    "gadre": lambda v, s: {
        "a": v["a"] * s["params"] ** (2 * v["eta"]),
        "b": v["b"] * s["tokens"] ** (2 * v["eta"]),
    },
    "gadre-multiplier": lambda v, s: {
        "a": v["a"] * (s["flops"] / s["tokens_per_param"]) ** v["eta"],
        "b": v["b"] * (s["flops"] * s["tokens_per_param"]) ** v["eta"],
    },
    "downstream-error": lambda v, s: {"gamma": v["gamma"] / s["loss"]},
    "task-accuracy": lambda v, s: {
        "middle": v["middle"] * s["loss"],
        "steepness": v["steepness"] / s["loss"],
    },
    "broken": lambda v, s: {"b": v["b"] * s["examples"] ** v["c0"], "d1": v["d1"] * s["examples"]},
    "m3": lambda v, s: {"b": v["b"] * s["examples"] ** v["c"], "g": v["g"] / s["examples"]},
    "step-lr": lambda v, s: {"k": v["k"] * s["params"] ** v["a"] / s["tokens"] ** v["b"]},
    "step-batch": lambda v, s: {"k": v["k"] / s["tokens"] ** v["b"]},
    "compute-lr": lambda v, s: {"k": v["k"] * s["flops"] ** v["a"]},
    "compute-batch": lambda v, s: {"k": v["k"] / s["flops"] ** v["b"]},
    "critical-batch": lambda v, s: {"B": v["B"] * s["loss"] ** (1 / v["alpha_B"])},
    "optimal-params": lambda v, s: {"k": v["k"] / s["flops"] ** v["a"]},
}
RESCALED |= {
    "chinchilla-coupled": RESCALED["chinchilla"],
    "data-constrained": RESCALED["chinchilla"],
    "over-repetition": lambda v, s: {
        **RESCALED["chinchilla"](v, s),
        "P": v["P"] * (s["tokens"] / s["params"]) ** v["kappa"],
    },
    **{name: lambda v, s: {"b": v["b"] * s["examples"] ** v["c"]} for name in ("m1", "m2", "m4")},
    "optimal-tokens": RESCALED["optimal-params"],
    "optimal-flops-per-token": RESCALED["optimal-params"],
    "routed": lambda v, s: {
        "b": v["b"] - v["c"] * log10(s["active_params"]),
        "d": v["d"] - v["a"] * log10(s["active_params"]),
    },
    "joint-experts": lambda v, s: {
        "A": v["A"] / s["active_params"] ** v["alpha"],
        "B": v["B"] / s["tokens"] ** v["beta"],
        "delta": v["delta"] - v["gamma"] * log(s["active_params"]),
        "omega": v["omega"] - v["zeta"] * log(s["tokens"]),
    },
    "granularity": lambda v, s: {
        **RESCALED["chinchilla"](v, s),
        "g": v["g"] * s["params"] ** v["alpha"] * s["granularity"] ** v["gamma"],
    },
    "sparsity": lambda v, s: {
        **RESCALED["chinchilla"](v, s),
        "C": v["C"] * s["activation_ratio"] ** v["lamda"],
        "D": v["D"] * s["activation_ratio"] ** v["delta"] * s["params"] ** v["gamma"],
    },
    "quality": lambda v, s: {
        "A": v["A"] * s["params"] ** v["alpha"],
        "B": v["B"] * s["tokens"] ** v["beta"] * s["quality"] ** v["gamma"],
    },
    "quality-tokens": lambda v, s: {"B": v["B"] * s["tokens"] ** v["beta"] * s["quality"] ** v["gamma"]},
    "filtering": lambda v, s: {"a": v["a"] / s["tokens"]},
    "context": lambda v, s: {"k": v["k"] * s["context"]},
    "efficiency-leverage": lambda v, s: {
        "a": v["a"]
        - v["d"] * log10(s["flops"])
        + (v["gamma"] * log2(s["granularity"]) - v["beta"]) * log2(s["granularity"]),
        "beta": v["beta"] - 2 * v["gamma"] * log2(s["granularity"]),
    },
    "distillation": lambda v, s: {
        name: value * s["teacher_loss"] ** ((1 + v["c0"]) / v["gamma"])
        for name, value in RESCALED["chinchilla"](v, s).items()
    },
    "precision": lambda v, s: {
        **RESCALED["chinchilla"](v, s),
        "gamma_w": v["gamma_w"] * s["bits"],
        "gamma_a": v["gamma_a"] * s["activation_bits"],
        "gamma_kv": v["gamma_kv"] * s["cache_bits"],
    },
    "quantisation": lambda v, s: {
        "C": v["C"] / s["tokens"] ** v["gamma_D"] * s["params"] ** v["gamma_N"],
        "gamma_post": v["gamma_post"] * s["bits"],
    },
    "vocabulary": lambda v, s: {
        "A1": v["A1"] * s["params"] ** v["alpha1"],
        "A2": v["A2"] * (s["vocabulary"] * s["width"]) ** v["alpha2"],
        "B": v["B"] * s["tokens"] ** v["beta"],
    },
    "vocabulary-by-compute": RESCALED["optimal-params"],
    "vocabulary-by-params": lambda v, s: {"k": v["k"] / s["params"] ** v["a"]},
    "coverage": lambda v, s: {"a": v["a"] * s["samples"] ** v["b"]},
}


# Numbers that have no unit: one expert is one expert, and a share of 1 is all of them.
PURE = {"experts", "activation_ratio"}


@every_law
@given(exponents=st.lists(st.floats(-6, 6), min_size=5, max_size=5))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_law_does_not_depend_on_units(law: Law, exponents: list[float]) -> None:
    """x -> s x with the parameters rescaled predicts the same; tokens share one unit, and so do losses with the target."""
    design = DESIGNS[law.name]()
    units = dict(zip(law.inputs, (10.0**e for e in exponents), strict=False))
    if "unique_tokens" in units:
        units["unique_tokens"] = units["tokens"]
    for name in PURE & units.keys():
        units[name] = 1.0
    if "teacher_loss" in units:
        units["supervised_loss"] = units["teacher_loss"]
    inputs = {name: values * units[name] for name, values in design.inputs.items()}
    theta = {**design.theta, **RESCALED[law.name](design.theta, units)}
    expected = law.evaluate(design.theta, design.inputs) * units.get("teacher_loss", 1.0)
    assert law.evaluate(theta, inputs) == pytest.approx(expected, rel=1e-9)


@every_law
@given(exponents=st.lists(st.floats(-6, 6), min_size=5, max_size=5))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_posynomial_terms_carry_their_own_units(law: Law, exponents: list[float]) -> None:
    """Each coefficient divided by the unit to its exponent: what a plan may do with the terms alone."""
    if law.name not in POWER_SUMS | SIGNED_SUMS:
        return
    design = DESIGNS[law.name]()
    units = dict(zip(law.inputs, (10.0**e for e in exponents), strict=False))
    coefficients_T, exponents_TI = law.term_arrays(law.theta(design.theta))
    factors = np.array([units[name] for name in law.inputs])
    logs_RI = np.stack([np.log(design.inputs[name] * units[name]) for name in law.inputs], axis=-1)
    rescaled_T = coefficients_T * np.prod(factors**-exponents_TI, axis=-1)
    value = (rescaled_T * np.exp(logs_RI @ exponents_TI.T)).sum(axis=-1)
    assert value == pytest.approx(law.evaluate(design.theta, design.inputs), rel=1e-9)


each_layer = pytest.mark.parametrize("layer", EXAMPLES, ids=lambda layer: type(layer).__name__)
each_mixer = pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)


def test_every_layer_has_an_example() -> None:
    assert tuple(type(layer) for layer in EXAMPLES) == LAYERS


@each_layer
def test_layer_counts_agree_with_each_other(layer) -> None:
    groups = layer.params(WIDTH)
    assert set(groups) <= set(GROUPS)
    assert all(isinstance(count, int) and count >= 0 for count in groups.values())
    total, idle, multiplied = sum(groups.values()), layer.idle(WIDTH), layer.multiplied(WIDTH)
    assert 0 <= idle < total
    # What is not multiplied is norms, biases, decays and skips: a few numbers per channel.
    assert 0 <= total - idle - multiplied <= 0.1 * total
    kept = layer.activations(WIDTH, False)
    assert kept.whole >= 2 * WIDTH
    assert kept.split > 0
    masked = layer.activations(WIDTH, True)
    assert masked.whole == kept.whole + WIDTH


@each_mixer
def test_layer_caches_grow_by_what_a_token_adds(mixer) -> None:
    fixed = mixer.cached_values(WIDTH, 0)
    for context in (1, 7, 32):
        assert mixer.cached_values(WIDTH, context) == fixed + context * mixer.values_per_token()
    assert mixer.cached_values(WIDTH, 10**6) >= mixer.cached_values(WIDTH, 32)
