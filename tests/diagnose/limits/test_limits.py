"""What limits a run: terms against their closed form, repeats against the published law, verdicts on what was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.diagnose.limits import limiting_term, limits, noise_floor, off_the_law, overfitting, terms
from kleiber.diagnose.limits.off_the_law import undertuned
from kleiber.diagnose.limits.repetition import R_D, budget, worth
from kleiber.errors import InputError, Refusal
from kleiber.fit import Fit, Objective, fit
from kleiber.laws import find
from kleiber.runs import RunTable, read

LAW = {"E": 1.0, "A": 24.0, "B": 900.0, "alpha": 0.44, "beta": 0.56}
SOTU = Path(__file__).parents[3] / "ladders" / "sotu-dense" / "runs.parquet"


def ladder(noise: float = 0.004, **columns: object) -> RunTable:
    params, tokens = (side.ravel() for side in np.meshgrid(np.geomspace(1e4, 1e6, 6), np.geomspace(1e6, 1e8, 6)))
    mean = LAW["E"] + LAW["A"] / params ** LAW["alpha"] + LAW["B"] / tokens ** LAW["beta"]
    loss = mean * np.exp(noise * np.random.default_rng(1).normal(size=params.size))
    return RunTable.of(
        {"run": [f"r{i}" for i in range(36)], "params": params, "tokens": tokens, "loss": loss, **columns}
    )


@pytest.fixture(scope="module")
def found() -> Fit:
    return fit(ladder(), objective=Objective(name="squared_log"), bootstrap=100, starts=8)


def test_terms_are_those_of_the_formula() -> None:
    exact = fit(ladder(0.0), objective=Objective(name="squared_log"), bootstrap=0)
    of = terms(exact, {"params": 3e4, "tokens": 5e6})
    size, data = LAW["A"] / 3e4 ** LAW["alpha"], LAW["B"] / 5e6 ** LAW["beta"]
    assert of.floor.value == pytest.approx(LAW["E"], rel=1e-5)
    assert of.share["capacity"].value == pytest.approx(size / (size + data), rel=1e-5)
    assert of.gain["capacity"].value == pytest.approx(size * (1 - 2 ** -LAW["alpha"]), rel=1e-4)
    assert of.gain["data"].value == pytest.approx(data * (1 - 2 ** -LAW["beta"]), rel=1e-4)
    assert of.share["capacity"].value + of.share["data"].value == pytest.approx(1.0)


def test_a_law_without_both_terms_is_no_law_to_ask() -> None:
    one = fit(ladder(), find("E + A/params**alpha"), objective=Objective(name="squared_log"), bootstrap=0)
    with pytest.raises(InputError, match="no term of params alone"):
        terms(one, {"params": 1e5, "tokens": 1e7})


@pytest.mark.parametrize(("params", "tokens", "limit"), [(1e4, 1e8, "Capacity"), (1e6, 1e6, "Data")])
def test_the_ends_of_a_ladder_are_limited_by_what_they_lack(params: float, tokens: float, limit: str) -> None:
    table = ladder()
    row = int(np.flatnonzero((table.column("params") == params) & np.isclose(table.column("tokens"), tokens))[0])
    finding = limiting_term(table.column("params"), table.column("tokens"), table.column("loss"), row=row, draws=100)
    assert finding.verdict == "found"
    assert finding.evidence.startswith(f"{limit} limits: ")


def test_four_runs_cannot_tell() -> None:
    finding = limiting_term([1e4, 1e5, 1e4, 1e5], [1e6, 1e6, 1e7, 1e7], [3.0, 2.5, 2.4, 2.0], row=0)
    assert finding.verdict == "cannot tell"
    assert finding.value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": [3.0, float("nan")]}, "not a finite number"),
        ({"loss": [3.0, -1.0]}, "loss must be positive"),
        ({"loss": [3.0]}, "different lengths"),
        ({"row": 2}, "no such run"),
    ],
)
def test_bad_arrays_are_named(change: dict[str, object], message: str) -> None:
    given = {"params": [1e4, 1e5], "tokens": [1e6, 1e6], "loss": [3.0, 2.0], "row": 0, **change}
    for measure in (limiting_term, off_the_law):
        with pytest.raises(InputError, match=message):
            measure(**given)  # type: ignore[arg-type]


def test_an_undertuned_run_is_named_with_its_rate() -> None:
    finding = off_the_law(**undertuned(np.random.default_rng(3)))
    assert finding.verdict == "warning"
    assert "4 times the ladder's rule" in finding.evidence
    assert finding.remedy == "train it again at 0.25 times the rate"


def test_a_few_other_runs_say_nothing_of_a_run() -> None:
    assert off_the_law([1e4, 1e5, 1e6], [1e6, 1e6, 1e7], [3.0, 2.0, 1.5], row=1).verdict == "cannot tell"


@pytest.mark.slow
def test_the_interval_of_a_single_run_covers_it() -> None:
    """Of 400 new runs 95 % lie in the interval for their expected loss: between 92.5 and 97.5 % by chance 99 times in 100."""
    inside = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        table = ladder(0.0).inputs(("params", "tokens", "loss"))
        loss = table["loss"] * np.exp(0.01 * rng.normal(size=36))
        finding = off_the_law(table["params"], table["tokens"], loss, row=int(rng.integers(36)))
        assert finding.interval is not None
        inside += finding.interval[0] <= 0 <= finding.interval[1]
    assert 370 <= inside <= 390


def test_repeats_are_worth_what_the_published_law_says() -> None:
    law = find("data-constrained")
    theta = law.theta(law.coefficients("muennighoff-2023").values)
    unique, passes = 1e9, 7.0
    plain = law.evaluate(theta, {"params": 1e9, "tokens": passes * unique, "unique_tokens": unique})
    same = worth(passes * unique, unique)
    fresh = law.evaluate(theta, {"params": 1e9, "tokens": same, "unique_tokens": same})
    values = law.coefficients("muennighoff-2023").values
    assert values["R_D"] == R_D
    # The size term differs (its optimum follows the unique tokens), so compare the data terms.
    assert float(plain) > float(fresh)
    assert values["B"] / same ** values["beta"] == pytest.approx(
        values["B"] / (unique * (1 + R_D * (1 - np.exp(-(passes - 1) / R_D)))) ** values["beta"]
    )


@given(st.floats(1e3, 1e12), st.floats(1.0, 1e4))
@settings(max_examples=50, deadline=None)
def test_repeats_are_never_worth_more_than_fresh_tokens(unique: float, passes: float) -> None:
    assert min(unique, unique * passes) * (1 - 1e-12) <= worth(unique * passes, unique) <= unique * passes * (1 + 1e-12)
    assert worth(unique * passes, unique) <= unique * (1 + R_D)


def test_the_budget_of_memory_is_bits_over_bits() -> None:
    assert budget(1e6, 1.8e6, 2.0) == pytest.approx(1.0)


def test_a_gap_is_memorisation_only_after_the_first_pass() -> None:
    steps = 1.3 + 0.05 * np.random.default_rng(0).normal(size=1000)
    assert overfitting(steps, 1.6, 0.01, passes=8.0).verdict == "warning"
    first = overfitting(steps, 1.6, 0.01, passes=1.0)
    assert first.verdict == "ok"
    assert "new when it was trained on" in first.evidence
    assert overfitting(steps[:50], 1.6, 0.01).verdict == "cannot tell"
    assert overfitting(np.full(500, 1.3), 1.6, 0.01).verdict == "cannot tell"
    with pytest.raises(InputError, match="standard error"):
        overfitting(steps, float("nan"), 0.01)


def test_the_noise_floor_is_in_units_of_the_gain() -> None:
    loss = 2.0 * np.exp(np.tile([0.01, -0.01], 40))
    finding = noise_floor(loss, np.repeat(np.arange(40), 2), gain=np.full(100, 0.05), at_loss=2.0)
    assert finding.value == pytest.approx(1.96 * np.sqrt(2) * np.sqrt(2) * 0.01 * 2.0 / 0.05)
    assert finding.value is not None
    # 95 % interval of a standard deviation with 40 degrees of freedom: factors .8210 and 1.2804 (chi-squared 59.342, 24.433).
    assert finding.interval == pytest.approx((0.8210 * finding.value, 1.2804 * finding.value), rel=0.03)


def test_without_repeats_noise_is_not_known() -> None:
    once = noise_floor([2.0, 1.9], [0, 1], gain=[0.1], at_loss=2.0)
    same = noise_floor([2.0, 2.0], [0, 0], gain=[0.1], at_loss=2.0)
    assert once.verdict == same.verdict == "cannot tell"
    assert once.value is same.value is None


def test_limits_rank_by_gain_and_name_the_run(found: Fit) -> None:
    answer = limits(found, "r5")
    gains = [each.gain.value for each in answer.suspects]
    assert gains == sorted(gains, reverse=True)
    assert answer.findings[0].verdict == "found"
    assert answer.findings[0].evidence.startswith("Capacity limits") == (answer.suspects[0].name == "capacity")
    names = [finding.name for finding in answer.findings]
    assert names == ["what limits the run", "capacity", "data", "memorisation", "learning rate", "noise floor"]
    assert {finding.name: finding.verdict for finding in answer.findings}["memorisation"] == "cannot tell"
    assert limits(found, "row 6").run == "r5"
    assert limits(found).run == "r35"


@pytest.mark.parametrize(
    ("run", "message"), [("zzz", "no run"), ("r", "36 runs are called"), ("row 99", "no such row")]
)
def test_a_run_that_is_not_there(found: Fit, run: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        limits(found, run)


def test_a_bad_run_is_limited_by_what_is_wrong_with_it() -> None:
    table = ladder()
    loss = table.column("loss").copy()
    loss[20] += 0.5
    columns = {name: table.column(name) for name in ("params", "tokens")}
    answer = limits(fit(RunTable.of({**columns, "loss": loss}), bootstrap=100, starts=8), "row 21")
    assert answer.findings[0].verdict == "warning"
    assert answer.findings[0].evidence.startswith("Learning rate limits")


def test_a_refused_fit_is_refused() -> None:
    with pytest.raises(Refusal):
        limits(fit(ladder().take([0, 7, 14, 21]), bootstrap=0))


def test_on_the_ladder_of_this_project_small_models_lack_size_and_the_largest_is_in_balance() -> None:
    on_sotu = fit(read(SOTU), cluster="trunk", bootstrap=300)
    small = limits(on_sotu, "832d6ae728b9")
    assert small.findings[0].evidence.startswith("Capacity limits")
    assert small.findings[0].interval is not None
    assert small.findings[0].interval[0] > 4
    large = limits(on_sotu)
    assert large.run == "cf20cf2bce63"
    assert large.findings[0].verdict == "ok"
