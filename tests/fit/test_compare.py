import json

import numpy as np
import pytest

from kleiber.errors import ConventionError, InputError, Refusal
from kleiber.fit.compare import compare
from kleiber.runs import Conventions, RunTable
from tests.fit.simulated import compute_rungs, ladder


def two(seed=0, *, noise=0.001, scale=900.0, alpha=0.15, floor=1.7, rungs=6):
    a = compute_rungs(seed, floor=1.7, scale=1000.0, alpha=0.15, noise=noise, rungs=rungs)
    b = compute_rungs(10_000 + seed, floor=floor, scale=scale, alpha=alpha, noise=noise, rungs=rungs)
    return a, b


@pytest.mark.parametrize("floor", ["shared", "free", 1.7])
def test_the_identity_of_the_effective_speed_up(floor):
    """With Linf and alpha in common, S = ((L_worse - Linf)/(L_better - Linf))^(1/alpha) at every budget."""
    a, b = two(noise=0.0)
    excess = (a.column("loss") - 1.7) / (b.column("loss") - 1.7)
    found = compare(a, b, floor=floor)
    assert found.better == "B"
    for each in found.multipliers:
        assert each.value.value == pytest.approx(excess[0] ** (1 / 0.15), rel=1e-4)
        assert each.value.value == pytest.approx(((each.loss_a - 1.7) / (each.loss_b - 1.7)) ** (1 / 0.15), rel=1e-4)
    assert found.crossing.flops is None


def test_swapping_the_recipes_turns_the_multiplier_over():
    a, b = two(noise=0.0)
    one, other = compare(a, b, floor=1.7), compare(b, a, floor=1.7)
    assert other.better == "A"
    assert one.decisive.value.value * other.decisive.value.value == pytest.approx(1.0, rel=1e-5)


def test_a_pinned_floor_is_recorded_and_an_absurd_one_refused():
    a, b = two()
    found = compare(a, b, floor=1.69).to_json()
    assert found["floor"] == {"mode": "pinned", "value": [1.69]}
    assert any("pinned at 1.69, which is an assumption" in line for line in found["sentences"])
    with pytest.raises(InputError, match="cannot lie above a measured loss"):
        compare(a, b, floor=float(b.column("loss").min()) + 0.01)


def test_the_interval_is_students_on_a_pinned_floor():
    """With the floor at 0 and one exponent the model is linear in logs: two lines of one slope, by hand."""
    rng = np.random.default_rng(3)
    flops = np.geomspace(1e18, 1e21, 5)
    log_a = np.log(50.0) - 0.07 * np.log(flops) + rng.normal(scale=0.003, size=5)
    log_b = np.log(49.0) - 0.07 * np.log(flops[:3]) + rng.normal(scale=0.003, size=3)
    a = RunTable.of({"flops": flops, "loss": np.exp(log_a)})
    b = RunTable.of({"flops": flops[:3], "loss": np.exp(log_b)})
    found = compare(a, b, floor=0.0)
    assert found.exponents == "shared"
    from scipy import stats

    x = np.concatenate([np.log(flops), np.log(flops[:3])])
    is_b = np.repeat([0.0, 1.0], [5, 3])
    design = np.stack([1 - is_b, is_b, -x], axis=1)
    y = np.concatenate([log_a, log_b])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    variance = ((y - design @ solution) ** 2).sum() / (8 - 3)
    covariance = variance * np.linalg.inv(design.T @ design)
    centre = (solution[0] - solution[1]) / solution[2]
    gradient = np.array([1.0, -1.0, -centre]) / solution[2]
    half = stats.t.ppf(0.975, 5) * np.sqrt(gradient @ covariance @ gradient)
    assert np.log(found.decisive.value.value) == pytest.approx(centre, abs=1e-5)
    assert found.decisive.value.interval is not None
    assert np.log(found.decisive.value.interval) == pytest.approx([centre - half, centre + half], rel=1e-3)


def test_curves_that_cross_say_where_and_whether_it_was_measured():
    a, b = two(noise=0.0, scale=3000.0, alpha=0.175)
    found = compare(a, b, floor=1.7)
    where = (3000 / 1000) ** (1 / 0.025)
    assert found.crossing.flops is not None
    assert found.crossing.flops.value == pytest.approx(where, rel=0.02)
    assert found.crossing.inside
    assert found.multipliers[0].value.value < 1 < found.multipliers[-1].value.value
    far = compare(*two(noise=0.0, scale=3800.0, alpha=0.175), floor=1.7)
    assert not far.crossing.inside
    assert "an extrapolation, not a measurement" in str(far)


def test_no_difference_cannot_be_told_apart():
    a, b = two(noise=0.003, scale=1000.0)
    found = compare(a, b, floor=1.7)
    assert found.better == "cannot tell"
    assert "cannot be told apart" in str(found)


def test_tables_of_params_and_tokens_compare_along_their_frontiers():
    a, b = ladder(0, noise=0.0), ladder(1, noise=0.0, truth={"A": 420.0, "B": 1700.0})
    found = compare(a, b, bootstrap=0, flops=1e21, starts=16)
    assert found.law == "E + A/params**alpha + B/tokens**beta"

    def best(flops, scale_a, scale_b):
        g = (0.35 * scale_a / (0.37 * scale_b)) ** (1 / 0.72)
        params = g * (flops / 6) ** (0.37 / 0.72)
        return 1.8 + scale_a / params**0.35 + scale_b / (flops / 6 / params) ** 0.37

    multiplier = found.decisive.value.value
    assert best(1e21 * multiplier, 480.0, 2000.0) == pytest.approx(best(1e21, 420.0, 1700.0), rel=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e3])
def test_the_unit_of_compute_does_not_change_the_multiplier(unit):
    a, b = two(4)
    moved = [RunTable.of({"flops": each.column("flops") * unit, "loss": each.column("loss")}) for each in (a, b)]
    one, other = compare(a, b, floor=1.7), compare(*moved, floor=1.7)
    assert other.decisive.value.value == pytest.approx(one.decisive.value.value, rel=1e-4)
    assert other.decisive.value.interval == pytest.approx(one.decisive.value.interval, rel=1e-3)


def test_bad_input_is_named():
    a, b = two()
    per_token = RunTable.of(a.inputs(("flops", "loss")), conventions=Conventions(loss="nats_per_token"))
    with pytest.raises(ConventionError, match="count loss differently"):
        compare(per_token, b)
    with pytest.raises(InputError, match="no such treatment of the floor"):
        compare(a, b, floor="tied")  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="Not enough runs to compare"):
        compare(a.take([0, 1]), b.take([0]))


def test_json_is_json():
    for found in (compare(*two()), compare(ladder(0), ladder(1), bootstrap=40, starts=8)):
        state = found.to_json()
        assert json.loads(json.dumps(state, allow_nan=False)) == state


@pytest.mark.slow
@pytest.mark.parametrize("floor", ["shared", 1.7])
def test_the_interval_of_a_handful_of_rungs_covers(floor):
    truth = (1000 / 900) ** (1 / 0.15)
    held = sum(
        not compare(*two(seed, noise=0.002), floor=floor, starts=16, seed=seed).decisive.value.excludes(truth)
        for seed in range(200)
    )
    assert 182 <= held <= 198, held


def test_equal_recipes_are_not_said_to_cross():
    """Curves that cannot be told apart meet somewhere; that is no crossing."""
    table = ladder(1, noise=0.003)
    found = compare(table, table)
    assert found.better == "cannot tell"
    assert not any("They cross" in line for line in found.sentences())
    few = compare(*two(3, scale=1000.0, noise=0.002))
    assert few.better == "cannot tell"
    assert not any("They cross" in line and "inside" in line for line in few.sentences())


def test_recipes_that_share_no_compute_are_said_to():
    a = compute_rungs(0, floor=1.7, scale=1000.0, alpha=0.15, noise=0.001)
    b = compute_rungs(1, floor=1.7, scale=900.0, alpha=0.15, noise=0.001)
    far = RunTable.of({"flops": b.column("flops") * 1e6, "loss": 1.7 + 900.0 * (b.column("flops") * 1e6) ** -0.15})
    found = compare(a, far)
    assert found.to_json()["runs"]["common_flops"] is None
    words = " ".join(found.sentences())
    assert "No compute was run with both recipes" in words
    assert "-" not in words.partition("decades")[0][-6:]


def test_a_loss_that_rises_is_not_compared():
    """It gave a multiplier of 1 (1 - 1) from losses that were no numbers."""
    falls = ladder(1, noise=0.003)
    rises = RunTable.of(
        {name: falls.column(name) for name in ("params", "tokens")} | {"loss": 1 / falls.column("loss")}
    )
    with pytest.raises(Refusal, match="Nothing to compare"):
        compare(rises, falls, bootstrap=20, starts=8)
