"""The score of a ledger: the right run for every forecast, plain means, and the coverage that theory gives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from kleiber.errors import ConventionError, Refusal
from kleiber.fit import Fit, fit
from kleiber.fit import chain as chains
from kleiber.fit.ledger import SCHEMA, read_ledger, record, settle
from kleiber.fit.ledger_score import chance_of_as_few, score
from kleiber.fit.quantile_score import LEVELS
from kleiber.runs import Conventions, RunTable
from tests.fit.ledgers import DATE, PLACES, filled, stamp
from tests.fit.simulated import TRUTH, ladder

NORMAL = NormalDist()


@pytest.fixture(scope="module")
def found() -> Fit:
    return fit(
        replace(ladder(3), conventions=Conventions(loss="nats_per_token", params="total")), bootstrap=60, starts=16
    )


# --- matching ---


def results(rows: Sequence[tuple[float, float, float]], **words: str) -> RunTable:
    params, tokens, loss = map(np.array, zip(*rows, strict=True))
    return RunTable.of({"params": params, "tokens": tokens, "loss": loss}, conventions=Conventions(**words))  # type: ignore[arg-type]


def test_the_nearest_run_within_the_tolerance_settles(tmp_path: Path, found: Fit) -> None:
    ledger = read_ledger(filled(tmp_path / "l.jsonl", found, 2))
    table = results([(1.008e10, 2e11, 2.5), (1.002e10, 1.999e11, 2.4), (2.03e10, 4e11, 2.3)])
    scores = score(ledger, table)
    assert [(one.entry.line, one.outcome, one.source) for one in scores.scored] == [(1, 2.4, "arrays, row 2")]
    (open_,) = scores.unmatched
    assert open_.distance == pytest.approx(1.015)
    assert any("1.5 % away (--tolerance 0.02)" in sentence for sentence in scores.sentences())
    assert len(score(ledger, table, tolerance=0.02).scored) == 2


def test_a_name_settles_before_a_place_and_the_first_of_equals_counts(tmp_path: Path, found: Fit) -> None:
    path = tmp_path / "l.jsonl"
    stamp(path, found, *PLACES[0], run="final")
    stamp(path, found, *PLACES[1])
    table = RunTable.of({"run": ["x", "s0", "s1", "final"], "params": [1e10, 2e10, 2e10, 3e10],
                         "tokens": [2e11, 4e11, 4e11, 6e11], "loss": [2.5, 2.4, 2.3, 2.2]})  # fmt: skip
    scores = score(read_ledger(path), table)
    assert [one.outcome for one in scores.scored] == [2.2, 2.4]
    assert scores.several == 1


def test_other_units_and_other_counts_are_refused(tmp_path: Path, found: Fit) -> None:
    path = filled(tmp_path / "l.jsonl", found, 2)
    rows = [(*place_, 2.0) for place_ in PLACES[:2]]
    for words in ({"loss": "bits_per_byte"}, {"params": "non_embedding"}):
        with pytest.raises(ConventionError):
            score(read_ledger(path), results(rows, **words))
    assert len(score(read_ledger(path), results(rows, loss="nats_per_token", params="total")).scored) == 2
    settle(path, read_ledger(path).entries[0].id, 2.0, date=DATE)
    mixed = score(read_ledger(path), results(rows, loss="bits_per_byte"))
    assert len(mixed.scored) == 1
    assert "bits per byte, forecast in nats per token" in mixed.unmatched[0].why


def test_the_runs_that_were_fitted_are_no_outcomes(tmp_path: Path) -> None:
    runs = ladder(3)
    found = fit(runs, bootstrap=20, starts=8)
    at = {name: float(runs.column(name)[-1]) for name in ("params", "tokens")}
    record(found, found.forecast(**at), tmp_path / "l.jsonl", versions={}, date=DATE)
    with pytest.raises(Refusal, match="None of 1"):
        score(read_ledger(tmp_path / "l.jsonl"), runs)


# --- the score ---


def test_chance_of_as_few_is_the_binomial() -> None:
    from scipy.stats import binom

    for inside in range(10):
        assert chance_of_as_few(inside, [0.9] * 9) == pytest.approx(binom.cdf(inside, 9, 0.9), abs=1e-12)


def settled_ledger(path: Path, found: Fit, errors: Sequence[float]) -> Path:
    """Forecasts whose outcomes are exp(-error) times the forecast."""
    for number, error in enumerate(errors):
        entry = stamp(path, found, *PLACES[number % len(PLACES)], run=f"r{number}")
        settle(path, f"r{number}", entry.loss * float(np.exp(-error)), date=DATE)
    return path


def test_the_numbers_are_the_plain_means(tmp_path: Path, found: Fit) -> None:
    errors = [0.01, -0.02, 0.005, -0.03, 0.0, 0.001, 0.002]
    scores = score(read_ledger(settled_ledger(tmp_path / "l.jsonl", found, errors)))
    group = scores.overall
    assert group.count == 7
    assert group.log_error == pytest.approx(np.mean(np.abs(errors)))
    assert group.bias.value == pytest.approx(np.mean(errors))
    from scipy.stats import t

    ends = t.interval(0.95, 6, np.mean(errors), np.std(errors, ddof=1) / np.sqrt(7))
    assert group.bias.interval == pytest.approx(ends)
    inside = [one.entry.new_run_interval[0] <= one.outcome <= one.entry.new_run_interval[1] for one in scores.scored]  # type: ignore[index]
    assert group.inside == sum(inside)
    assert group.expected == pytest.approx(7 * 0.95)
    assert group.error == pytest.approx(np.mean([abs(one.entry.loss - one.outcome) for one in scores.scored]))
    assert sum(each.count for each in scores.by_reach) == 7
    assert {each.name: each.count for each in scores.by_reach} == {
        "inside the runs": 2, "0 - 1 decades": 2, "1 - 2 decades": 2, "beyond 2 decades": 1,
    }  # fmt: skip
    assert [each.name for each in scores.by_law] == ["chinchilla"]
    assert json.dumps(scores.to_json(), allow_nan=False)


def test_few_outcomes_cannot_tell(tmp_path: Path, found: Fit) -> None:
    scores = score(read_ledger(settled_ledger(tmp_path / "l.jsonl", found, [0.2] * 4)))
    assert scores.overall.verdict == "cannot tell"
    assert any("4 outcomes cannot tell" in sentence for sentence in scores.sentences())


def test_missed_intervals_and_bias_are_named(tmp_path: Path, found: Fit) -> None:
    scores = score(read_ledger(settled_ledger(tmp_path / "l.jsonl", found, [-0.2, -0.2, -0.19, -0.2, -0.23, -0.18])))
    assert scores.overall.verdict == "problem"
    first, narrow, off, *_ = scores.sentences()
    assert first == "0 of 6 outcomes fell inside the 95 % intervals (expected 5.7)."
    assert "less than once in a million times: the intervals look too narrow" in narrow
    assert off.startswith(
        "Forecast loss was 20 % too optimistic on average (18 to 22 %); beyond 1 decade 21 % too optimistic (2 o"
    )


def test_units_are_not_averaged_together(tmp_path: Path, found: Fit) -> None:
    path = settled_ledger(tmp_path / "l.jsonl", found, [0.01] * 3)
    other = replace(found, runs=replace(found.runs, conventions={"loss": "bits_per_byte"}))
    stamp(path, other, *PLACES[0], run="bits")
    settle(path, "bits", 2.0, date=DATE)
    group = score(read_ledger(path)).overall
    assert group.error is group.crps is group.unit is None
    assert group.log_error > 0


def test_good_forecasts_score_as_good(tmp_path: Path) -> None:
    """Entries whose distribution is true: coverage 95 %, CRPS s/sqrt(pi), places uniform."""
    rng, path, count, sd = np.random.default_rng(5), tmp_path / "l.jsonl", 600, 0.02
    template = fit(ladder(3), bootstrap=20, starts=8)
    content = stamp(tmp_path / "one.jsonl", template, *PLACES[0]).content
    previous, lines = chains.FIRST, []
    for number, mean in enumerate(rng.uniform(1.8, 3.0, count)):
        quantiles = [mean + sd * NORMAL.inv_cdf(level) for level in LEVELS]
        loss = {
            **content["loss"],
            "value": mean,
            "new_run_interval": [quantiles[0], quantiles[-1]],
            "quantiles": quantiles,
        }
        forecast = chains.sealed({**content, "loss": loss, "run": f"r{number}"}, previous)
        outcome = {"schema": SCHEMA, "kind": "outcome", "date": "d", "of": forecast["hash"], "loss": rng.normal(mean, sd),
                   "unit": "unknown", "note": ""}  # fmt: skip
        settled = chains.sealed(outcome, forecast["hash"])
        previous, lines = settled["hash"], [*lines, json.dumps(forecast), json.dumps(settled)]
    path.write_text("\n".join(lines) + "\n")
    scores = score(read_ledger(path))
    group = scores.overall
    assert group.coverage is not None
    assert group.coverage.excludes(0.95) is False
    assert group.verdict in ("ok", "warning")
    crps_of_the_truth = sd / np.sqrt(np.pi)
    spread = np.std([one.crps for one in scores.scored if one.crps]) / np.sqrt(count)
    assert group.crps == pytest.approx(crps_of_the_truth, abs=4 * spread)
    places = np.sort([one.place for one in scores.scored if one.place])
    assert np.abs(places - (np.arange(count) + 0.5) / count).max() < 1.63 / np.sqrt(count)  # Kolmogorov at 1 %


@pytest.mark.slow
def test_forecasts_of_simulated_ladders_hold_what_they_promise(tmp_path: Path) -> None:
    """40 ladders, one run each 1.3 decades beyond: intervals of one run hold about as often as they say."""
    path, rng = tmp_path / "l.jsonl", np.random.default_rng(11)
    for seed in range(40):
        found = fit(ladder(100 + seed), bootstrap=200, starts=16)
        params, tokens = 1.2e10, 2.5e12
        entry = stamp(path, found, params, tokens, run=f"r{seed}")
        truth = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
        settle(path, entry.run, truth * float(np.exp(rng.normal(scale=0.005))), date=DATE)
    scores = score(read_ledger(path))
    assert scores.fits == 40
    assert chance_of_as_few(scores.overall.inside, [0.95] * 40) > 0.001, scores.sentences()
    assert scores.overall.log_error < 0.02
