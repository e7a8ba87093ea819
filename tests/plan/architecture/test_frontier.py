"""The frontier against an enumeration written out anew, against the plan, and against what must hold of any frontier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kleiber.cost import cache, find_hardware, params, prefill_flops, train_flops
from kleiber.cost.families import options
from kleiber.cost.grid import buildable
from kleiber.errors import InputError
from kleiber.plan.architecture import plan_life
from kleiber.plan.architecture.frontier import AXES, Frontier, frontier
from kleiber.plan.architecture.frontier.points import LEAST_RATIO, LENGTHS, MOST_RATIO
from kleiber.plan.architecture.frontier.words import ROWS, rows
from tests.plan.architecture.test_frontier_sieve import brute
from tests.plan.clouds import RANGES, UNROUNDED, cloud

SURE = cloud(UNROUNDED)
FIT = cloud(UNROUNDED, draws=60, spread=0.03)
SMALL: dict[str, Any] = {"families": "dense", "flops": "5e17", "vocabulary": 4096, "train_context": 2048}
SERVED: dict[str, Any] = {"families": "all", "flops": "1e21", "hardware": "h100", "price": 2}


def designs(budget: float) -> np.ndarray:
    """(loss, FLOPs) of every dense shape at every length that the budget allows, shape by shape."""
    found = []
    for option in options(("dense",), vocabulary=4096):
        for width, depth in zip(*buildable(option), strict=True):
            shape = option.build(int(width), int(depth))
            size, per_token = params(shape).active, train_flops(shape, 2048)
            most = min(budget / per_token, MOST_RATIO * size)
            lengths = [ratio * size for ratio in np.geomspace(LEAST_RATIO, MOST_RATIO, LENGTHS) if ratio * size < most]
            if most < LEAST_RATIO * size:
                continue
            tokens = np.array([*lengths, most])
            law = UNROUNDED["E"] + UNROUNDED["A"] / size ** UNROUNDED["alpha"]
            loss = law + UNROUNDED["B"] / tokens ** UNROUNDED["beta"]
            found.append(np.stack([loss, per_token * tokens], axis=1)[loss <= np.log(4096)])
    return np.concatenate(found)


def test_it_is_what_an_enumeration_finds() -> None:
    found = frontier(SURE, "loss,training_flops", **SMALL)
    every = designs(5e17)
    every = every[np.argsort(every[:, 1], kind="stable")]
    # Only points near the frontier can be on it: brute force over a band keeps the pairs few.
    least = np.minimum.accumulate(every[:, 0])
    band = every[every[:, 0] <= least * 1.002]
    expected = band[brute(band)]
    assert found.considered == len(every)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.columns["training_flops"], expected[:, 1], rtol=1e-9)
    np.testing.assert_allclose(found.columns["loss"], expected[:, 0], rtol=1e-9)


def test_a_point_costs_what_its_shape_costs() -> None:
    found = frontier(SURE, "loss,serving_cost,tpot_ms", **SERVED, context="32k", train_context="4k", devices=64)
    device = find_hardware("h100")
    for point in found.points[:: max(1, len(found.points) // 8)]:
        shape, axes = point.shape, point.axes
        counted = params(shape)
        kept = cache(shape, 32_000, "bf16").per_sequence
        flops = train_flops(shape, 4_000) * point.tokens
        assert axes["training_flops"] == pytest.approx(flops)
        assert axes["training_cost"] == pytest.approx(2 * flops / (0.4 * device.peak("bf16")) / 3600)
        assert axes["training_days"] == pytest.approx(axes["training_cost"] / 2 / 64 / 24)
        assert axes["memory_gb"] == pytest.approx((2 * counted.total + point.batch * kept) / 1e9)
        together = 0.9 ** np.log2(point.devices)  # a tenth lost to talking with every doubling
        prompt = prefill_flops(shape, 32_000) / (0.5 * together * device.peak("bf16") * point.devices)
        assert axes["ttft_ms"] == pytest.approx(1e3 * prompt)
        assert axes["params"] == point.params == counted.active
        assert axes["context"] == 32_000


def test_its_best_is_the_plan() -> None:
    """The least loss on the frontier of a budget is what the plan for that budget promises, at the same price of serving."""
    asked = {**SERVED, "families": "dense", "context": "8k"}
    found = frontier(SURE, "loss,serving_cost", **asked)
    plan = plan_life(SURE, **asked)
    assert found.columns["loss"].min() == pytest.approx(plan.loss.value, rel=1e-12)
    best = next(point for point in found.points if point.axes["loss"] == found.columns["loss"].min())
    assert best.shape.width == plan.shape.width
    assert best.axes["tpot_ms"] == pytest.approx(plan.best.costs.replica["tpot_ms"])


def test_a_demand_is_priced_as_in_the_plan() -> None:
    asked = {**SERVED, "families": "dense", "serve_tokens": "2T"}
    found = frontier(SURE, "loss,serving_cost", **asked)
    plan = plan_life(SURE, **asked)
    best = int(found.columns["loss"].argmin())
    assert found.columns["loss"][best] == pytest.approx(plan.loss.value, rel=1e-12)
    assert found.columns["serving_cost"][best] == pytest.approx(plan.best.costs.serving["usd"], rel=1e-9)
    assert found.unit(AXES["serving_cost"]) == "USD for 2T tokens"


@pytest.fixture(scope="module")
def served() -> Frontier:
    return frontier(FIT, "loss,serving_cost", **SERVED)


def test_no_point_beats_another(served: Frontier) -> None:
    loss, cost = served.columns["loss"], served.columns["serving_cost"]
    assert (np.diff(cost) > 0).all()
    assert (np.diff(loss) < 0).all()


def test_a_price_scales_the_costs_and_nothing_else(served: Frontier) -> None:
    dear = frontier(FIT, "loss,serving_cost", **{**SERVED, "price": 6})
    np.testing.assert_allclose(dear.columns["serving_cost"], 3 * served.columns["serving_cost"])
    np.testing.assert_allclose(dear.columns["loss"], served.columns["loss"])
    assert dear.families == served.families
    assert dear.slices[0].knee == served.slices[0].knee


def test_the_frontier_is_the_best_of_the_families(served: Frontier) -> None:
    """At every point one family's own frontier touches the whole, and none lies below."""
    part = served.slices[0]
    for family, (x, y) in part.own.items():
        alone = frontier(FIT, "loss,serving_cost", **{**SERVED, "families": family})
        np.testing.assert_allclose(y, alone.columns["loss"])
        np.testing.assert_allclose(x, alone.columns["serving_cost"])
        assert part.behind[family][0] >= 0
    assert min(least for least, _ in part.behind.values()) == 0


def test_leads_come_with_the_part_of_the_draws(served: Frontier) -> None:
    leads = served.slices[0].leads
    assert len(leads) == len(served.slices[0].stretches)
    for lead in leads:
        assert lead.ahead.value >= 0
        assert lead.ahead.interval is not None
        assert lead.probability is not None
        assert 0 <= lead.probability <= 1


def test_losses_have_the_interval_of_the_draws(served: Frontier) -> None:
    """A dense point: its interval is that of the law at its params and tokens, draw by draw."""
    alone = frontier(FIT, "loss,serving_cost", **{**SERVED, "families": "dense"})
    for point in alone.points[::10]:
        E, A, B, alpha, beta = (FIT.draws_BP[:, [each.name for each in FIT.law.parameters].index(name)]
                                for name in ("E", "A", "B", "alpha", "beta"))  # fmt: skip
        drawn = E + A / point.params**alpha + B / point.tokens**beta
        assert point.loss.interval == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    bare = frontier(SURE, "loss,serving_cost", **SERVED)
    assert all(point.loss.interval is None for point in bare.points)
    assert any("Nothing here has an interval" in caveat for caveat in bare.caveats)


def test_borrowed_laws_are_named(served: Frontier) -> None:
    said = " ".join(served.caveats)
    assert "Ludziejewski et al. 2025" in said
    assert "Measured at one point" in said
    assert "extrapolated" in said


def test_a_family_that_is_better_everywhere_holds_all_that_it_can_build() -> None:
    better = cloud({**UNROUNDED, "E": UNROUNDED["E"] - 1.0}, draws=60, spread=0.01)
    found = frontier(FIT, "loss,training_flops", families="dense,ssm", flops="1e20", family_fits={"ssm": better})
    # The smallest dense shape is half as large as the smallest state space, so the very cheapest runs are its own.
    ample = found.columns["training_flops"] > 1e17
    assert set(np.array(found.families)[ample]) == {"ssm"}
    assert found.slices[0].stretches[-1].family == "ssm"
    assert found.slices[0].leads[-1].probability == 1.0
    assert any("beyond that state spaces" in line for line in found.sentences())


@pytest.mark.parametrize("axis", ["tpot_ms", "ttft_ms", "memory_gb"])
def test_a_third_axis_takes_nothing_from_two(axis: str) -> None:
    """Without a limit on the third axis the frontier of three is at least as good as that of two."""
    asked = {**SERVED, "families": "dense", "context": "32k"}
    two = frontier(SURE, "loss,serving_cost", **asked)
    three = frontier(SURE, f"loss,serving_cost,{axis}", **asked)
    loosest = three.slices[-1]
    for cost, loss in zip(two.columns["serving_cost"], two.columns["loss"], strict=True):
        within = loosest.y[loosest.x <= cost * (1 + 1e-9)]
        assert within.size
        assert within.min() <= loss * (1 + 1e-12)
    for one, other in zip(three.slices, three.slices[1:], strict=False):
        assert one.level < other.level  # type: ignore[operator]
        assert one.y.min() >= other.y.min()


def test_quicker_is_dearer_for_one_shape() -> None:
    found = frontier(SURE, "serving_cost,tpot_ms", **{**SERVED, "families": "dense", "context": "32k"})
    cost, quick = found.columns["serving_cost"], found.columns["tpot_ms"]
    smallest = found.columns["params"] == found.columns["params"].min()
    order = np.argsort(cost[smallest])
    assert smallest.sum() > 3
    assert (np.diff(quick[smallest][order]) < 0).all()


def test_context_is_looked_at_from_4k_to_a_million() -> None:
    found = frontier(SURE, "loss,serving_cost,context", **{**SERVED, "families": "dense,hybrid"})
    assert [each.level for each in found.slices] == [4e3, 8e3, 32e3, 128e3, 512e3, 1e6]
    for shorter, longer in zip(found.slices, found.slices[1:], strict=False):
        # Whatever serves the longer context serves the shorter one too, so it is no better.
        for x, y in zip(longer.x[::10], longer.y[::10], strict=True):
            assert shorter.y[shorter.x <= x * (1 + 1e-9)].min() <= y
    fixed = frontier(SURE, "loss,serving_cost,context", **{**SERVED, "families": "dense", "context": "16k"})
    assert [each.level for each in fixed.slices] == [16e3]


def test_without_a_bound_a_thousand_times_the_largest_run_is_looked_at() -> None:
    found = frontier(SURE, "loss,training_flops", families="dense")
    assert found.ceiling == pytest.approx(1000 * RANGES["flops"][1])
    assert found.columns["training_flops"].max() == pytest.approx(found.ceiling)
    assert found.extrapolation_decades == pytest.approx(3.0)
    bounded = frontier(SURE, "loss,training_flops", families="dense", flops="1e20")
    assert bounded.ceiling is None
    assert bounded.columns["training_flops"].max() == pytest.approx(1e20)


def test_a_loss_worse_than_guessing_is_none() -> None:
    found = frontier(SURE, "loss,training_flops", families="dense", vocabulary=4096)
    assert found.columns["loss"].max() <= np.log(4096)
    target = frontier(SURE, "loss,training_flops", families="dense", loss_target=2.5)
    assert target.columns["loss"].max() <= 2.5


def test_the_cheapest_that_reaches_a_loss_is_no_dearer_than_on_the_frontier_of_loss() -> None:
    """Without the loss as an axis a target for it is still kept, at the least that it costs."""
    asked = {**SERVED, "families": "dense", "loss_target": 2.6}
    cheap = frontier(SURE, "training_cost,serving_cost", **asked)
    assert cheap.columns["loss"].max() <= 2.6
    along = frontier(SURE, "loss,training_cost", **{**asked, "loss_target": None})
    reached = along.columns["training_cost"][along.columns["loss"] <= 2.6].min()
    assert cheap.columns["training_cost"].min() == pytest.approx(reached, rel=1e-9)


def test_limits_are_kept() -> None:
    asked = {
        **SERVED,
        "families": "dense,experts",
        "context": "32k",
        "max_memory_gb": 40,
        "max_ttft_ms": 800,
        "max_tpot_ms": 15,
    }
    found = frontier(SURE, "loss,serving_cost", **asked)
    for point in found.points:
        assert point.axes["memory_gb"] / point.devices <= 40
        assert point.axes["ttft_ms"] <= 800
        assert point.axes["tpot_ms"] <= 15


@pytest.mark.parametrize(
    ("axes", "asked", "says"),
    [
        ("loss,serving_cots", {}, "did you mean 'serving_cost'"),
        ("loss", {}, "two or three axes"),
        ("", {}, "no such axis"),
        ("loss,params,context,memory_gb", {}, "two or three axes"),
        ("loss,loss", {}, "given twice"),
        ("loss,serving_cost", {}, "--hardware h100"),
        ("loss,serving_cost", {"hardware": "tpu-v5p"}, "--price"),
        ("loss,training_days", {"hardware": "h100"}, "--devices"),
        ("loss,params", {"objective": "money"}, "leave --minimise out"),
        ("loss,params", {"loss_target": 0.1}, "no design within the limits reaches this loss"),
        (
            "params,memory_gb",
            {"loss_target": 0.1, "families": "dense"},
            "no design within the limits reaches this loss",
        ),
        ("loss,params", {"flops": 3e13, "families": "dense"}, "no design within the limits does better than guessing"),
        ("loss,params", {"flops": 1e3}, "relax one of them: --flops"),
        ("loss,serving_cost", {"hardware": "h100", "max_memory_gb": 1e-4}, "relax one of them: --max-memory-gb"),
        ("loss,params", {"famlies": "dense"}, "did you mean 'families'"),
    ],
)
def test_what_cannot_be_asked(axes: str, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as raised:
        frontier(SURE, axes, **asked)
    assert says in str(raised.value)


def test_every_axis_has_a_frontier() -> None:
    asked = {"families": "dense", "flops": "1e19", "hardware": "h100", "devices": 64}
    for name in AXES:
        if name != "loss":
            found = frontier(SURE, ("loss", name), **asked)
            assert len(found) >= 1
            assert np.isfinite(found.columns[name]).all()
            assert len(rows(found)) <= ROWS
            assert all(line for line in found.sentences())


def test_it_shows_itself(served: Frontier) -> None:
    from rich.console import Console

    with (console := Console(width=200)).capture() as taken:
        console.print(served)
    assert served.sentences()[0] in taken.get()
    assert "<table>" in served._repr_html_()
    assert str(served).splitlines() == list(served.sentences())


def test_a_law_per_byte_knows_bytes() -> None:
    fit = cloud({**UNROUNDED, "E": 0.6}, conventions={"loss": "nats_per_byte"})
    found = frontier(fit, "loss,training_flops", families="dense")
    assert found.brief.vocabulary == 256
    assert found.columns["loss"].max() <= np.log(256)


def test_the_dear_end_is_told_however_short() -> None:
    """At 1e24 FLOP, 2T tokens to serve and 128k of context the last step is that of sparse experts, as in the plan."""
    asked = {"flops": "1e24", "serve_tokens": "2T", "context": "128k", "hardware": "h200"}
    found = frontier(SURE, "loss,serving_cost", **asked)
    plan = plan_life(SURE, **asked)
    assert found.families[-1] == plan.family == "experts"
    assert found.columns["loss"][-1] == pytest.approx(plan.loss.value, rel=1e-12)
    assert any(line.endswith("on sparse experts") for line in found.sentences())
