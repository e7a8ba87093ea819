"""The map to the gap: exact on a line, honest errors, intervals that hold, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.topology import (
    ReferenceRuns,
    estimated_gap,
    gap_map,
    labels_worth,
    partial_spearman,
    reference_runs,
    within_cells,
)
from kleiber.diagnose.topology.answers import free_rivals
from kleiber.diagnose.topology.gap_map import chance
from kleiber.errors import ColumnError, InputError, Refusal


def _runs(rng: np.random.Generator, *, slope: float = 0.5, between: float = 0.005, families: int = 6) -> ReferenceRuns:
    family = np.repeat(np.arange(families), 10)
    life, norm = rng.uniform(0.05, 0.35, len(family)), rng.normal(size=len(family))
    gap = 0.05 + slope * life + between * rng.normal(size=families)[family] + 0.01 * rng.normal(size=len(family))
    columns = {"life": life, "midlife": rng.uniform(0.2, 0.5, len(family)), "norm": norm}
    return reference_runs(gap, [f"f{kind}" for kind in family], columns)


def test_errors_are_those_of_refitting_without_the_family() -> None:
    runs = _runs(np.random.default_rng(0))
    found = gap_map(runs, ["life"])
    for fold in runs.folds():
        slope, start = np.polyfit(runs.columns["life"][~fold], runs.gap_R[~fold], 1)
        np.testing.assert_allclose(
            found.errors_R[fold], runs.gap_R[fold] - (start + slope * runs.columns["life"][fold])
        )
    mean = gap_map(runs)
    first = runs.folds()[0]
    np.testing.assert_allclose(mean.errors_R[first], runs.gap_R[first] - runs.gap_R[~first].mean())


def test_interval_holds_on_runs_of_new_families() -> None:
    """A line with noise and family offsets: 95 % intervals hold 95 % of 400 fresh runs, to within chance."""
    inside = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        found = gap_map(_runs(rng), ["life"])
        life = float(rng.uniform(0.1, 0.3))
        truth = 0.05 + 0.5 * life + 0.005 * rng.normal() + 0.01 * rng.normal()
        inside += abs(found.estimate({"life": life}) - truth) <= found.half_width(0.95)
    # 380 expected; a binomial's four standard deviations.
    assert abs(inside - 380) <= 4 * np.sqrt(400 * 0.95 * 0.05)


def test_a_run_beyond_the_reference_has_no_estimate() -> None:
    runs = _runs(np.random.default_rng(0))
    answer = estimated_gap({"life": 0.9, "midlife": 0.3}, runs)
    assert answer.estimate is None
    assert answer.finding.verdict == "cannot tell"
    assert answer.finding.value is None
    assert "beyond the reference runs" in answer.finding.evidence


def test_topology_that_says_nothing_gives_no_number() -> None:
    runs = _runs(np.random.default_rng(1), slope=0.0)
    answer = estimated_gap({"life": 0.2, "midlife": 0.3}, runs)
    assert answer.estimate is None
    assert "better than gaps dealt anew" in answer.finding.evidence
    assert answer.findings[1].name == "topology_against_free"


def test_a_relation_between_families_alone_does_not_count() -> None:
    """Each family has its own life and gap, and within it the two have nothing to do with each other."""
    family = np.repeat(np.arange(4), 12)
    low = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        life = 0.1 * family + 0.01 * rng.normal(size=48)
        gap = 0.05 * family + 0.01 * rng.normal(size=48)
        low += chance(reference_runs(gap, [str(kind) for kind in family], {"life": life}), ["life"], times=99) <= 0.05
    assert low <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)


def test_estimate_says_what_it_is_worth() -> None:
    runs = _runs(np.random.default_rng(0))
    answer = estimated_gap({"life": 0.3, "midlife": 0.3, "train_error": 0.1}, runs, tolerated=0.1)
    finding = answer.finding
    assert answer.estimate == pytest.approx(0.2, abs=0.02)
    assert finding.verdict == "warning"
    assert finding.interval is not None
    assert finding.interval[0] < 0.2 < finding.interval[1]
    error = gap_map(runs, ["life", "midlife"]).rms_error
    wrong = 0.1 + finding.value
    assert f"{wrong * (1 - wrong) / error**2:.0f} fresh examples with labels" in finding.evidence
    assert answer.errors.keys() == {"topology", "mean gap", "norm"}
    assert answer.findings[1].verdict == "ok"
    assert estimated_gap({"life": 0.3, "midlife": 0.3}, runs, tolerated=0.3).finding.verdict == "ok"
    assert estimated_gap({"life": 0.3, "midlife": 0.3}, runs, tolerated=0.2).finding.verdict == "cannot tell"


def test_a_rival_that_does_better_is_named() -> None:
    runs = _runs(np.random.default_rng(0))
    better = ReferenceRuns(
        gap_R=runs.gap_R, families=runs.families, columns={**runs.columns, "margin": runs.gap_R * 3 + 1}
    )
    finding = estimated_gap({"life": 0.3, "midlife": 0.3}, better).findings[1]
    assert finding.verdict == "warning"
    assert "margin does better" in finding.evidence


def test_labels_worth_is_the_binomial_error_turned_round() -> None:
    assert labels_worth(np.sqrt(0.2 * 0.8 / 123), 0.2) == pytest.approx(123)


@pytest.mark.parametrize(
    ("gap", "families", "error", "says"),
    [
        ([0.1, 0.2, 0.3], ["a", "b", "b"], Refusal, "2 families"),
        ([0.1, 0.1, 0.1], ["a", "b", "c"], Refusal, "same gap"),
        ([0.1, 20, 0.1], ["a", "b", "c"], InputError, "20 at row 2"),
        ([0.1, np.nan, 0.1], ["a", "b", "c"], InputError, "nan at row 2"),
        ([0.1, 0.2], ["a", "b", "c"], InputError, "differ in length"),
    ],
)
def test_reference_runs_that_are_none(gap: list[float], families: list[str], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        reference_runs(gap, families)


def test_features_that_are_missing_constant_or_scant() -> None:
    runs = _runs(np.random.default_rng(0))
    with pytest.raises(ColumnError, match="did you mean 'life'"):
        gap_map(runs, ["lif"])
    constant = reference_runs(
        runs.gap_R, runs.families, {"life": np.ones(len(runs)), "half": np.where(np.arange(len(runs)) == 3, np.nan, 1)}
    )
    with pytest.raises(Refusal, match="constant"):
        gap_map(constant, ["life"])
    with pytest.raises(Refusal, match="row 4"):
        gap_map(constant, ["half"])
    with pytest.raises(Refusal, match="coefficients"):
        gap_map(reference_runs([0.1, 0.2, 0.3], ["a", "b", "c"], {"life": [1.0, 2.0, 3.0]}), ["life"])
    with pytest.raises(Refusal, match="no life"):
        gap_map(runs, ["life"]).estimate({"life": None})
    few = reference_runs(runs.gap_R[::6], runs.families[::6], {"life": runs.columns["life"][::6]})
    with pytest.raises(Refusal, match="too few for an interval"):
        gap_map(few, ["life"]).half_width(0.95)


def test_rank_correlation_within_cells_is_scipys_where_there_is_one() -> None:
    from scipy.stats import kendalltau, spearmanr

    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 6, 40), rng.integers(0, 6, 40)
    assert within_cells(one, two, ["all"] * 40, times=9).tau == pytest.approx(kendalltau(one, two).statistic)
    assert partial_spearman(one, two, np.zeros((40, 1))) == pytest.approx(spearmanr(one, two).statistic)


def test_what_follows_from_a_control_alone_is_not_a_relation() -> None:
    """Measure and gap both follow the learning rate: the plain tau is large, the one within cells is not."""
    rng = np.random.default_rng(0)
    rate = np.repeat(np.arange(4), 25)
    one, two = rate + 0.3 * rng.normal(size=100), rate + 0.3 * rng.normal(size=100)
    assert within_cells(one, two, ["all"] * 100, times=9).tau > 0.6
    within = within_cells(one, two, list(rate))
    assert abs(within.tau) < 0.15
    assert within.chance > 0.05
    assert abs(partial_spearman(one, two, rate[:, None])) < 0.25
    with pytest.raises(Refusal, match="one cell"):
        within_cells(one, two, list(range(100)))


def test_chance_within_cells_is_a_p_value() -> None:
    draws = [np.random.default_rng(seed).normal(size=(2, 24)) for seed in range(300)]
    low = sum(within_cells(*draw, [0, 1, 2] * 8, times=99).chance <= 0.05 for draw in draws)
    assert low <= 15 + 4 * np.sqrt(300 * 0.05 * 0.95)


def test_free_rivals() -> None:
    logits = np.array([[2.0, 0.0], [1e4, 0.0], [0.0, 1.0]])
    found = free_rivals(logits, [0, 0, 1])
    assert found["train_error"] == 0
    assert found["train_loss"] == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(-1))) / 3)
    assert found["margin"] == pytest.approx(np.quantile([2, 1e4, 1], 0.1))
    with pytest.raises(Refusal, match="one class"):
        free_rivals(logits, [0, 0, 0])
    for labels, says in (
        ([0, 1], "length"),
        ([0, 2, 1], "2 at row 2"),
        ([0, 0.5, 1], "0.5 at row 2"),
        ([-1, 0, 1], "-1 at row 1"),
    ):
        with pytest.raises(InputError, match=says):
            free_rivals(logits, labels)
