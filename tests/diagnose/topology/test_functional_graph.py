"""The functional graph: invariances, dead units, and whatever is no matrix of activations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.topology import functional_graph, functional_structure, topology
from kleiber.errors import InputError, Refusal


def _units(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(60, 3)) @ rng.normal(size=(3, 12)) + rng.normal(size=(60, 12))


def test_distance_is_one_less_the_absolute_correlation() -> None:
    activations = _units()
    expected = 1 - np.abs(np.corrcoef(activations.T))
    np.testing.assert_allclose(functional_graph(activations).distance_UU, expected, atol=1e-12)


@given(st.integers(0, 1000), st.floats(1e-150, 1e150), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_scale_shift_sign_and_order_of_inputs_change_nothing(seed: int, scale: float, shift: float) -> None:
    activations = _units()
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=activations.shape[1])
    changed = (activations * signs + shift)[rng.permutation(len(activations))] * scale
    before, after = (functional_graph(one).distance_UU for one in (activations, changed))
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_order_of_units_does_not_change_the_summary() -> None:
    activations = _units()
    turned = activations[:, np.random.default_rng(1).permutation(12)]
    assert topology(turned, loops_too=False).mean_edge == pytest.approx(
        topology(activations, loops_too=False).mean_edge
    )


def test_dead_and_constant_units_are_named_and_left_out() -> None:
    activations = _units()
    activations[:, 2] = 0.0
    activations[:, 7] = 3.5
    activations[:, 9] = 1e6 + 1e-9 * activations[:, 9]
    graph = functional_graph(activations)
    assert graph.dead == (2, 7, 9)
    assert graph.live == 9
    assert graph.left_out() == "3 of 12 units never change and are left out (columns 3, 8, 10)."
    assert np.isfinite(graph.distance_UU).all()
    assert 2 not in graph.units_U


def test_units_are_sampled_from_the_live_ones_by_seed() -> None:
    activations = _units()
    activations[:, :2] = 1.0
    first, again, other = (functional_graph(activations, units=8, seed=seed).units_U for seed in (0, 0, 3))
    assert len(first) == 8
    assert first.min() >= 2
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_integers_and_ties_and_equal_units_are_numbers() -> None:
    counted = np.random.default_rng(0).integers(0, 3, size=(40, 10))
    found = topology(np.repeat(counted, 2, axis=1), loops_too=False)
    assert np.isfinite([found.mean_edge, found.edge_spread]).all()
    # Each unit and its copy are joined at 0: half of the edges.
    assert found.mean_edge < 0.75


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.zeros(5), "matrix of rows x units"),
        (np.zeros((0, 5)), "matrix of rows x units"),
        (np.where(np.arange(600).reshape(30, 20) == 45, np.nan, 1.0), "nan at row 3, column 6"),
        (np.where(np.arange(600).reshape(30, 20) == 0, np.inf, 1.0), "inf at row 1, column 1"),
    ],
)
def test_what_is_no_matrix_of_numbers(bad: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        functional_graph(bad)


@pytest.mark.parametrize(
    ("scant", "says"),
    [(_units()[:19], "19 inputs"), (_units()[:, :7], "7 of 7 units"), (np.ones((60, 12)), "0 of 12 units")],
)
def test_too_few_inputs_or_units_is_a_refusal_and_no_number(scant: np.ndarray, says: str) -> None:
    with pytest.raises(Refusal, match=says):
        topology(scant, loops_too=False)
    finding = functional_structure(scant)
    assert finding.verdict == "cannot tell"
    assert finding.value is None


def test_too_many_units_ask_for_a_sample() -> None:
    with pytest.raises(InputError, match="--units"):
        functional_graph(np.random.default_rng(0).normal(size=(20, 6001)).astype(np.float32))
