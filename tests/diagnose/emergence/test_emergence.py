"""Emergence: exact intervals and unbiased rates, breaks found and not invented, thresholds that cover, published variances."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.emergence import (
    broken_law,
    bump,
    components,
    emergence,
    exact_interval,
    exact_match,
    in_context,
    induction,
    jump,
    observational,
    pass_rate,
    pass_rates,
    prefix_matching,
    threshold,
    two_step,
    upper_of_none,
)
from kleiber.diagnose.emergence.held_out import hidden_models
from kleiber.diagnose.emergence.in_context import attentive
from kleiber.diagnose.emergence.jump import broken_models, smooth_models
from kleiber.diagnose.emergence.observational import question_count
from kleiber.diagnose.emergence.scores import scores
from kleiber.errors import InputError, Refusal
from kleiber.fit import Objective, fit
from kleiber.laws import find
from kleiber.runs import RunTable

OBSERVED = Path(__file__).parents[4] / "shared" / "data" / "obsscaling"
BENCHMARKS = ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval")


def test_exact_intervals_are_those_of_the_tables() -> None:
    """Clopper-Pearson 95 % for 0/10, 1/10, 5/10: .3085; .0025 - .4450; .1871 - .8129 (standard tables)."""
    low, high = exact_interval([0, 1, 5, 10], [10, 10, 10, 10])
    assert high[:3] == pytest.approx([0.3085, 0.4450, 0.8129], abs=1e-4)
    assert low == pytest.approx([0.0, 0.0025, 0.1871, 0.6915], abs=1e-4)
    assert high[3] == 1.0


@given(st.integers(10, 100_000))
@settings(max_examples=30, deadline=None)
def test_none_of_n_leaves_about_three_in_n(asked: int) -> None:
    assert 0.85 * 3 / asked <= upper_of_none(asked) <= 3 / asked
    assert (1 - upper_of_none(asked)) ** asked == pytest.approx(0.05)


def test_pass_rates_are_unbiased_and_the_plain_share_is_not() -> None:
    rng = np.random.default_rng(0)
    samples = rng.negative_binomial(3, 0.02, size=40_000) + 3
    rates = [pass_rate(int(count), 3).value for count in samples[:2000]]
    assert (2 / (samples - 1)).mean() == pytest.approx(0.02, rel=0.02)
    assert rates == pytest.approx(list(2 / (samples[:2000] - 1)))
    assert (3 / samples).mean() == pytest.approx(0.02 * 1.5, rel=0.05)


def test_intervals_of_pass_rates_cover() -> None:
    counts = np.random.default_rng(1).negative_binomial(4, 0.1, size=400) + 4
    inside = sum(
        interval[0] <= 0.1 <= interval[1]
        for count in counts
        if (interval := pass_rate(int(count), 4).interval) is not None
    )
    assert inside >= 371  # an exact interval covers at least 95 %: fewer than 371 of 400 come about once in 60


def test_pass_rates_over_questions() -> None:
    found = pass_rates(np.random.default_rng(0).negative_binomial(3, 0.1, size=200) + 3, 3)
    assert found.interval is not None
    assert found.interval[0] < 0.1 < found.interval[1]
    assert pass_rates([10, 20], 3).verdict == "cannot tell"
    with pytest.raises(InputError, match="r of 2 or more"):
        pass_rates([10, 20], 1)


def test_a_power_law_under_exact_match_jumps_in_the_metric_alone() -> None:
    """Schaeffer's oracle: CE = (N/c)^-a, exact match p^L: accuracy goes from 0 to most of the way, the token metric is smooth."""
    params = np.geomspace(1e7, 1e11, 14)
    loss = (params / 1e9) ** -0.2
    asked = np.full(14, 1000)
    correct = np.random.default_rng(2).binomial(1000, np.exp(-5 * loss))
    assert correct[0] <= 3
    assert correct[-1] > 100
    found = jump(params, correct, asked, 5)
    assert found.verdict == "ok"
    assert "what jumps is the metric" in found.evidence
    assert exact_match(correct, asked, np.full(14, 5), np.exp(-loss)).verdict == "ok"


def test_a_break_of_the_model_is_found_where_it_is() -> None:
    found = jump(**broken_models(np.random.default_rng(4)))
    assert found.verdict == "found"
    place = float(found.evidence.split("near scale ")[1].split(" ")[0])
    assert 1e19 < place < 1e21


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": [1.0, 2.0]}, "2 models are too few"),
        ({"correct": [0] * 8}, "Only 0 of 8 models"),
        ({"x": [1.0] * 8}, "1 different scales"),
    ],
)
def test_too_little_is_said(change: dict[str, Any], words: str) -> None:
    given = {"x": list(range(1, 9)), "correct": [1, 2, 4, 8, 12, 20, 30, 50], "asked": [100] * 8, **change}
    given = {name: values[: len(given["x"])] for name, values in given.items()}
    found = jump(**given)
    assert found.verdict == "cannot tell"
    assert found.value is None
    assert words in found.evidence


def test_few_questions_cannot_tell_a_break_from_none() -> None:
    x = np.geomspace(1e18, 1e23, 8)
    found = jump(x, [0, 1, 0, 2, 2, 3, 4, 5], [10] * 8)
    assert found.verdict == "cannot tell"
    assert "could hide" in found.evidence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": [1, 2, 300]}, "more are right than were asked (found 300 at row 3)"),
        ({"correct": [0.1, 0.2, 0.3]}, "whole numbers"),
        ({"x": [1, 0, 2]}, "x must be positive"),
        ({"x": [1, float("nan"), 2]}, "not a finite number"),
        ({"asked": [10, 10]}, "different lengths"),
        ({"chance": 1.0}, "chance is a share"),
        ({"length": 0.0}, "at least one token"),
    ],
)
def test_bad_scores_are_named(change: dict[str, Any], message: str) -> None:
    given = {"x": [1, 2, 3], "correct": [1, 2, 3], "asked": [100, 100, 100], **change}
    with pytest.raises(InputError) as error:
        jump(**given)
    assert message in str(error.value)


@given(st.floats(1e-3, 1e3))
@settings(max_examples=3, deadline=None)
def test_the_unit_of_scale_changes_no_verdict(unit: float) -> None:
    base = smooth_models(np.random.default_rng(5))
    assert jump(**{**base, "x": base["x"] * unit}).value == jump(**base).value
    here, there = threshold(**base), threshold(**{**base, "x": base["x"] * unit})
    assert here.value is not None
    assert there.value == pytest.approx(here.value * unit, rel=1e-6)


@pytest.mark.slow
def test_thresholds_cover_the_truth() -> None:
    """eta = -.6 - .25 log(x/1e20) with five tokens: half are right where exp(eta) = log(2)/5."""
    truth = 1e20 * np.exp((np.log(np.log(2) / 5) + 0.6) / -0.25)
    found = [threshold(**smooth_models(np.random.default_rng(seed))) for seed in range(60)]
    intervals = [each.interval for each in found if each.interval is not None]
    assert len(intervals) >= 52
    assert sum(low <= truth <= high for low, high in intervals) >= 0.87 * len(intervals)


def test_a_threshold_out_of_sight_is_refused() -> None:
    flat = threshold(np.geomspace(1, 100, 10), [3, 5, 4, 6, 3, 5, 4, 5, 6, 4], [100] * 10)
    assert flat.verdict == "cannot tell"
    broken = threshold(**broken_models(np.random.default_rng(0)))
    assert broken.verdict == "cannot tell"
    assert "breaks" in broken.evidence
    with pytest.raises(InputError, match="between chance and 1"):
        threshold([1, 2, 3], [1, 2, 3], [9, 9, 9], mark=0.2, chance=0.25)


def test_hidden_models_side_with_what_made_them() -> None:
    smooth = [hidden_models(scores(**smooth_models(np.random.default_rng(seed)))).verdict for seed in range(8)]
    assert smooth.count("found") <= 2
    assert hidden_models(scores(**broken_models(np.random.default_rng(0)))).verdict == "found"
    assert hidden_models(scores([1, 2], [1, 2], [5, 5])).verdict == "cannot tell"


@pytest.mark.slow
def test_a_broken_law_is_told_from_a_smooth_one_and_its_break_recovered() -> None:
    x = np.geomspace(1e2, 1e8, 24)
    noise = np.exp(0.01 * np.random.default_rng(0).normal(size=24))
    smooth, bent = 0.1 + 5 * x**-0.3, 3 * x**-0.05 * (1 + (x / 1e4) ** 2) ** -0.2
    assert broken_law(x, smooth * noise).verdict == "ok"
    assert broken_law(x, bent * noise).verdict == "found"
    found = fit(RunTable.of({"examples": x, "loss": bent}), find("broken"), bootstrap=0, fixed={"a": 0.0})
    assert found.parameters["d1"] == pytest.approx(1e4, rel=1e-3)
    assert found.parameters["c1"] == pytest.approx(0.4, rel=1e-3)


def test_a_few_points_are_no_contest_of_laws() -> None:
    assert broken_law([1, 2, 3], [3, 2, 1]).verdict == "cannot tell"
    with pytest.raises(InputError, match="y must be positive"):
        broken_law([1, 2], [1, 0])


def test_exact_match_measures_the_steps_of_an_answer() -> None:
    rate = np.linspace(0.5, 0.95, 10)
    found = exact_match(np.round(1e6 * rate ** (0.6 * 4)), np.full(10, 1e6), np.full(10, 4), rate)
    assert found.value == pytest.approx(0.6, rel=1e-3)
    assert found.verdict == "found"
    assert exact_match([0, 0], [10, 10], [2, 2], [0.1, 0.2]).verdict == "cannot tell"
    with pytest.raises(InputError, match="from 0 to 1"):
        exact_match([1], [2], [1], [1.5])


@pytest.fixture(scope="module")
def losses() -> Any:
    """A ladder's law, well known."""
    params, tokens = (side.ravel() for side in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    loss = (1.7 + 400 / params**0.34 + 410 / tokens**0.28) * np.exp(0.01 * np.random.default_rng(0).normal(size=25))
    return fit(RunTable.of({"params": params, "tokens": tokens, "loss": loss}), objective=Objective(name="squared_log"),
    bootstrap=100, starts=8)  # fmt: skip


def test_two_steps_carry_both_doubts(losses: Any) -> None:
    loss = np.linspace(2.2, 4.0, 20)
    truth = 0.95 - 0.7 / (1 + np.exp(-4 * (loss - 2.8)))
    accuracy = np.clip(truth + 0.01 * np.random.default_rng(1).normal(size=20), 0.01, 1)
    found = two_step(losses, {"params": 2e9, "tokens": 1e11}, loss, accuracy, draws=100)
    expected = 1.7 + 400 / 2e9**0.34 + 410 / 1e11**0.28
    ends = [each.interval for each in (found.accuracy, found.from_loss_alone, found.from_sigmoid_alone)]
    widths = [pair[1] - pair[0] for pair in ends if pair is not None]
    assert len(widths) == 3
    assert widths[0] > max(widths[1:])
    assert found.accuracy.interval is not None
    low, high = found.accuracy.interval
    assert low <= 0.95 - 0.7 / (1 + np.exp(-4 * (expected - 2.8))) <= high
    with pytest.raises(InputError, match="8 or more"):
        two_step(losses, {"params": 2e9, "tokens": 1e11}, loss[:3], accuracy[:3])
    with pytest.raises(Refusal, match="no draws"):
        two_step(fit(losses.table, bootstrap=0), {"params": 2e9, "tokens": 1e11}, loss, accuracy)


def test_components_are_those_of_the_covariance() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 4)) @ np.diag([3, 1, 0.5, 0.1])
    values = np.linalg.eigvalsh(np.cov(matrix, rowvar=False))[::-1]
    assert components(matrix).share_K == pytest.approx(values / values.sum())
    with pytest.raises(InputError, match="a score is missing"):
        components(np.where(matrix > 5, np.nan, matrix))
    with pytest.raises(InputError, match="all models score the same"):
        components(np.column_stack([matrix, np.ones(50)]))


def observed() -> tuple[dict[str, dict[str, str]], list[dict[str, str]]]:
    if not OBSERVED.is_dir():
        pytest.skip("the table of Ruan et al. 2024 is not here")
    tables = []
    for name in ("benchmark", "emergent_capability"):
        with (OBSERVED / f"base_llm_{name}_eval.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    base, emergent = tables
    assert len(base) == 148
    return {row["Model"]: row for row in base if all(row[name] for name in BENCHMARKS)}, emergent


def test_the_published_table_has_its_variances() -> None:
    complete, _ = observed()
    matrix = np.array([[float(row[name]) for name in BENCHMARKS] for row in complete.values()])
    assert matrix.shape == (124, 8)
    plain, standard = components(matrix).share_K, components(matrix, standardise=True).share_K
    assert [plain[0], plain[:3].sum()] == pytest.approx([0.843, 0.974], abs=5e-4)
    assert [standard[0], standard[:3].sum()] == pytest.approx([0.781, 0.959], abs=5e-4)


@pytest.mark.parametrize(
    ("task", "chance", "survives"),
    [
        ("parsinlu_qa_2_acc", 0.25, "ok"),
        ("word_unscrambling_2_exact_match", 0.0, "ok"),
        ("ipa_transliterate_2_exact_match", 0.0, "found"),
        ("arithmetic_2dm_2_acc", 0.0, "found"),
        ("arithmetic_2da_2_acc", 0.0, "cannot tell"),
        ("arithmetic_3da_2_acc", 0.0, "cannot tell"),
        ("arithmetic_3ds_2_acc", 0.0, "cannot tell"),
    ],
)
def test_which_published_emergent_tasks_survive(task: str, chance: float, survives: str) -> None:
    complete, emergent = observed()
    matrix = np.array([[float(row[name]) for name in BENCHMARKS] for row in complete.values()])
    capability = dict(zip(complete, components(matrix).score_MK[:, 0], strict=True))
    rows = [row for row in emergent if row[task] and row["Model"] in complete]
    accuracy = np.array([float(row[task]) for row in rows])
    asked = 1003 if task.startswith("ipa") else question_count(accuracy)
    assert asked in (1003, 1050, 2000)
    counts = np.round(accuracy * asked)
    found = jump(
        np.exp([capability[row["Model"]] for row in rows]),
        counts,
        np.full(counts.size, asked),
        chance=chance,
        along="capability",
    )
    assert found.verdict == survives
    foreseen = observational(
        accuracy, [[float(complete[row["Model"]][name]) for name in BENCHMARKS] for row in rows], chance=chance
    )
    assert foreseen.verdict == ("found" if task.startswith("ipa") else "ok")


def test_few_models_make_no_observational_law() -> None:
    rng = np.random.default_rng(0)
    assert observational(rng.random(12), rng.random((12, 3))).verdict == "cannot tell"
    with pytest.raises(InputError, match="from 0 to 1"):
        observational(np.full(30, 2.0), rng.random((30, 3)))


def test_the_in_context_score_is_late_minus_early() -> None:
    fall = np.tile(np.log(np.arange(1, 501))[None] * -0.1, (30, 1)) + np.random.default_rng(0).normal(size=(30, 1))
    found = in_context(fall + 1e-9 * np.random.default_rng(1).normal(size=(30, 500)))
    late, early = np.log(np.arange(476, 501)).mean(), np.log(np.arange(38, 63)).mean()
    assert found.value == pytest.approx(-0.1 * (late - early), abs=1e-6)
    assert found.verdict == "found"
    assert in_context(attentive(np.random.default_rng(0))["loss_WT"][:5]).verdict == "cannot tell"
    with pytest.raises(InputError, match="window 1, position 2"):
        in_context([[1.0, float("nan")]])
    with pytest.raises(InputError, match="matrix"):
        in_context([1.0, 2.0])


def test_a_perfect_induction_head_scores_one_and_an_even_one_its_share() -> None:
    size = 32
    perfect = np.zeros((size, size))
    perfect[:, 0] = 1.0
    query = np.arange(size // 2, size)
    perfect[query] = 0.0
    perfect[query, query - size // 2 + 1] = 1.0
    even = np.tril(np.ones((size, size))) / np.arange(1, size + 1)[:, None]
    assert prefix_matching(np.stack([perfect, even])) == pytest.approx([1.0, (1 / np.arange(17, 32)).mean()])
    assert induction(np.stack([perfect, even])).verdict == "found"
    assert induction(even[None]).verdict == "ok"
    assert induction(even[None, :8, :8] / even[:8, :8].sum(axis=1)[None, :, None]).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 4, 4)), "add up to 1"),
        (np.ones((4, 4)), "heads x T x T"),
        (np.full((1, 4, 4), np.nan), "finite"),
        (np.full((1, 3, 3), 1 / 3), "even T"),
    ],
)
def test_what_is_no_attention_is_named(weights: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        induction(weights)


def test_a_bump_is_one_step_of_many() -> None:
    step = np.arange(10) * 1000
    sudden = np.where(step < 4500, -0.02, -0.4) + 0.001 * np.random.default_rng(0).normal(size=10)
    assert bump(step, sudden, np.full(10, 0.005)).verdict == "found"
    assert bump(step, np.linspace(0, -0.4, 10), np.full(10, 0.005)).verdict == "ok"
    assert bump(step[:4], sudden[:4], np.full(4, 0.005)).verdict == "cannot tell"


def test_the_picture_carries_both_metrics() -> None:
    found = emergence(**smooth_models(np.random.default_rng(7)), scale="flops", task="additions")
    assert [each.name for each in found.findings] == ["jump", "hidden models", "threshold"]
    of = found.scores
    assert found.token_loss(np.exp(-5 * 0.3), 5.0) == pytest.approx(0.3)
    assert np.isinf(found.token_loss(0.0, 5.0))
    assert (found.accuracy_low_M <= of.accuracy_M).all()
    assert found.curve_accuracy_C == pytest.approx(np.exp(-5 * found.curve_loss_C), abs=1e-6)
