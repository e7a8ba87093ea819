"""Dimension 0 by our own tree, dimension 1 by gudhi: closed forms, SciPy, ripser, the field, the time limit."""

from __future__ import annotations

import importlib.util
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import minimum_spanning_tree

from kleiber.diagnose.topology import distances, functional_graph, loops, rips, spanning_lengths, topology
from kleiber.diagnose.topology.summary import LEAST_LIFE
from kleiber.errors import InputError, Refusal

needs_gudhi = pytest.mark.skipif(
    importlib.util.find_spec("gudhi") is None, reason="gudhi is not installed: pip install 'kleiber[diagnose]'"
)


@given(st.integers(2, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_tree_is_that_of_scipy(points: int, seed: int) -> None:
    distance_NN = distances(np.random.default_rng(seed).normal(size=(points, 3)))
    theirs = np.sort(minimum_spanning_tree(distance_NN).data)
    np.testing.assert_allclose(spanning_lengths(distance_NN), theirs, rtol=1e-12)


def test_tree_of_a_line_is_its_gaps_and_duplicates_have_length_0() -> None:
    place = np.array([0.0, 7.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(spanning_lengths(np.abs(place[:, None] - place)), [0.0, 1.0, 2.0, 4.0])


def test_many_trees_are_the_trees_one_by_one() -> None:
    points_BTP = np.random.default_rng(0).normal(size=(2, 3, 20, 4))
    many = spanning_lengths(distances(points_BTP))
    assert many.shape == (2, 3, 19)
    for one in np.ndindex(2, 3):
        np.testing.assert_allclose(many[one], spanning_lengths(distances(points_BTP[one])), rtol=1e-9)


def test_tree_is_ripsers_dimension_0() -> None:
    ripser = pytest.importorskip("ripser", reason="ripser is not installed")
    distance_UU = functional_graph(_relu_units(200, 80)).distance_UU
    deaths = ripser.ripser(distance_UU, distance_matrix=True, maxdim=0)["dgms"][0][:, 1]
    np.testing.assert_allclose(spanning_lengths(distance_UU), np.sort(deaths[np.isfinite(deaths)]), atol=1e-6)


def _relu_units(inputs: int, units: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(inputs, 5)) @ rng.normal(size=(5, units)), 0)


def _square() -> np.ndarray:
    """Four corners: one loop, born with the sides (1) and filled by the diagonals (sqrt 2)."""
    return distances(np.array([[0.0, 0], [0, 1], [1, 1], [1, 0]]))


@needs_gudhi
def test_loop_of_a_square() -> None:
    found = loops(_square(), cutoff=2.0)
    np.testing.assert_allclose(found.births_K, [1.0])
    np.testing.assert_allclose(found.deaths_K, [np.sqrt(2)], rtol=1e-6)
    assert found.alive == 0
    cut = loops(_square(), cutoff=1.2)
    assert cut.alive == 1
    np.testing.assert_allclose(cut.deaths_K, [1.2])


@needs_gudhi
def test_middle_of_a_life_is_half_of_birth_and_death() -> None:
    """The published code takes d + b / 2, which for b = 0.2 and d = 0.6 gives 0.7 in place of 0.4."""
    angle = np.arange(12) * np.pi / 12
    inputs = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    found = topology(np.cos(inputs[:, None] - angle), units=None, cutoff=1.0)
    graph = functional_graph(np.cos(inputs[:, None] - angle))
    bars = loops(graph.distance_UU, cutoff=1.0)
    long = bars.deaths_K - bars.births_K > LEAST_LIFE
    assert found.bars == long.sum() >= 1
    assert found.life == pytest.approx(np.mean((bars.deaths_K - bars.births_K)[long]))
    assert found.midlife == pytest.approx(np.mean((bars.births_K + bars.deaths_K)[long] / 2))
    # Neighbours are 15 degrees apart: the loop of the circle is born at 1 - cos 15 degrees.
    assert bars.births_K.min() == pytest.approx(1 - np.cos(np.pi / 12), abs=1e-6)


@needs_gudhi
@pytest.mark.parametrize("field", [2, 3])
def test_loops_are_ripsers(field: int) -> None:
    ripser = pytest.importorskip("ripser", reason="ripser is not installed")
    distance_UU = functional_graph(_relu_units(120, 60)).distance_UU
    theirs = ripser.ripser(distance_UU, distance_matrix=True, maxdim=1, coeff=field)["dgms"][1]
    ours = loops(distance_UU, cutoff=2.0, field=field)
    assert len(theirs) > 20
    np.testing.assert_allclose(np.sort(ours.births_K), np.sort(theirs[:, 0]), atol=1e-6)
    np.testing.assert_allclose(np.sort(ours.deaths_K), np.sort(theirs[:, 1]), atol=1e-6)


@needs_gudhi
def test_field_matters_on_the_projective_plane() -> None:
    """Points of a sphere up to sign: H1 of the projective plane is Z/2 over Z/2 and nothing over Z/3."""
    directions = np.random.default_rng(0).normal(size=(90, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    distance = 1 - np.abs(directions @ directions.T)
    np.fill_diagonal(distance, 0)
    longest = {field: np.ptp([*_longest(distance, field)]) for field in (2, 3)}
    assert longest[2] > 2 * longest[3]


def _longest(distance: np.ndarray, field: int) -> tuple[float, float]:
    found = loops(distance, cutoff=1.0, field=field)
    place = int(np.argmax(found.deaths_K - found.births_K))
    return found.births_K[place], found.deaths_K[place]


@needs_gudhi
def test_what_takes_too_long_is_refused() -> None:
    noise = functional_graph(np.random.default_rng(0).normal(size=(60, 600))).distance_UU
    with pytest.raises(Refusal, match="more than 1 s"):
        loops(noise, cutoff=1.0, seconds=1.0)


@needs_gudhi
@pytest.mark.parametrize("code", [rips.EXHAUSTED, -9])
def test_what_takes_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def exhausted(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, code, b"", b"")

    monkeypatch.setattr(subprocess, "run", exhausted)
    with pytest.raises(Refusal, match="more than 4 GiB"):
        loops(_square())


def test_without_gudhi_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"kleiber\[diagnose\]"):
        loops(_square())
    assert topology(_relu_units(50, 20), loops_too=False).mean_edge > 0


@pytest.mark.parametrize(("cutoff", "field"), [(0.0, 2), (-1.0, 2), (float("nan"), 2), (0.5, 4), (0.5, 1)])
def test_settings_that_are_none(cutoff: float, field: int) -> None:
    with pytest.raises(InputError):
        loops(_square(), cutoff=cutoff, field=field)
