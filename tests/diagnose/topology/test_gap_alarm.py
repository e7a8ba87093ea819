"""Alarms that may be looked at after every checkpoint: as rare as they say, quick where the gap grows, within their time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kleiber.diagnose.topology import Monitor, gap_above, gap_growth, topology
from kleiber.diagnose.topology.betting import capital_above, capital_of_growth, highest_excluded
from kleiber.errors import InputError, Refusal

CHECKPOINTS, CEILING = 120, 0.1
NULLS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "beta": lambda rng: rng.beta(2, 18, size=CHECKPOINTS),
    "rare ones": lambda rng: (rng.random(CHECKPOINTS) < CEILING).astype(float),
    "spread that doubles": lambda rng: CEILING + np.repeat([0.04, 0.08], 60) * rng.uniform(-1, 1, CHECKPOINTS),
    "swinging below": lambda rng: (
        0.05 + 0.05 * np.sin(np.arange(CHECKPOINTS) / 5) + 0.02 * rng.uniform(-1, 1, CHECKPOINTS)
    ).clip(0),
}


def _false_alarms(null: str, capital: Callable[[np.ndarray], np.ndarray], times: int) -> int:
    """Runs in which the capital was 20 or more at any checkpoint."""
    return sum(capital(NULLS[null](stream)).max() >= 20 for stream in np.random.default_rng(0).spawn(times))


@pytest.mark.parametrize("null", NULLS)
def test_false_alarms_of_the_ceiling_under_peeking(null: str) -> None:
    assert _false_alarms(null, lambda values: capital_above(values, CEILING), 500) <= 25


@pytest.mark.parametrize("null", ["beta", "rare ones"])
def test_false_alarms_of_growth_under_peeking(null: str) -> None:
    assert _false_alarms(null, capital_of_growth, 500) <= 25


def test_capital_is_a_fair_game_at_the_ceiling() -> None:
    """Its mean over 4,000 runs of 20 checkpoints with mean exactly at the ceiling is 1."""
    streams = np.random.default_rng(1).spawn(4000)
    final = np.array([capital_above(CEILING + 0.05 * rng.uniform(-1, 1, 20), CEILING)[-1] for rng in streams])
    assert abs(final.mean() - 1) < 4 * final.std() / np.sqrt(len(final))


def test_ranks_are_a_fair_game_under_ties_too() -> None:
    streams = np.random.default_rng(2).spawn(4000)
    final = np.array([capital_of_growth(rng.integers(0, 3, 6), seed=seed)[-1] for seed, rng in enumerate(streams)])
    assert abs(final.mean() - 1) < 4 * final.std() / np.sqrt(len(final))


def test_lower_end_holds_at_all_checkpoints_at_once() -> None:
    truth, wrong = 0.3, 0
    for rng in np.random.default_rng(3).spawn(200):
        wrong += highest_excluded(rng.beta(3, 7, size=60)) > truth
    assert wrong <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)


def test_growth_is_seen_soon() -> None:
    rng = np.random.default_rng(0)
    jump = np.clip(np.repeat([0.05, 0.2], [60, 20]) + 0.03 * rng.normal(size=80), 0, 1)
    above, growth = gap_above(jump, tolerated=CEILING), gap_growth(jump)
    assert (above.verdict, growth.verdict) == ("warning", "warning")
    assert np.flatnonzero(capital_above(jump, CEILING) >= 20)[0] < 75
    assert above.interval is not None
    assert CEILING <= above.interval[0] < 0.2
    assert growth.value == pytest.approx(0.0, abs=0.2)
    assert gap_growth(-jump).verdict == "ok"


def test_only_order_counts_for_growth() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=50)
    np.testing.assert_allclose(capital_of_growth(np.log(values)), capital_of_growth(values))


def test_units_of_a_still_network_raise_no_alarm() -> None:
    """The whole way: a fixed network, fresh units and inputs for each look, the tree's mean edge as estimate."""
    rng = np.random.default_rng(0)
    signals, weights = rng.normal(size=(400, 6)), rng.normal(size=(6, 120))
    network = np.maximum(signals @ weights, 0)
    alarms = 0
    for stream in rng.spawn(60):
        monitor = Monitor(lambda drawn: topology(drawn, loops_too=False).mean_edge, share=1.0)
        for step in range(25):
            monitor(
                step, lambda stream=stream: network[np.ix_(stream.permutation(400)[:40], stream.permutation(120)[:16])]
            )
        assert len(monitor.estimates) == 25
        alarms += monitor.alarm_at is not None
    assert alarms <= 3 + 4 * np.sqrt(60 * 0.05 * 0.95)


def test_monitor_keeps_to_its_share_of_the_time() -> None:
    now = [0.0]
    drawn = []

    def draw() -> np.ndarray:
        now[0] += 1.0
        drawn.append(now[0])
        return np.full((2, 2), 0.3)

    monitor = Monitor(lambda values: float(values.mean()), tolerated=0.1, share=0.1, clock=lambda: now[0])
    for step in range(400):
        now[0] += 1.0
        monitor(step, draw)
    assert len(drawn) == len(monitor.estimates) == 400 - monitor.skipped
    assert len(drawn) / now[0] == pytest.approx(0.1, abs=0.01)
    assert monitor.alarm_at is not None
    assert monitor.finding().verdict == "warning"


def test_a_refused_look_is_lost_and_counted() -> None:
    def refuse(_values: np.ndarray) -> float:
        raise Refusal("too few", remedy="more")

    monitor = Monitor(refuse, share=1.0)
    monitor(0, lambda: np.zeros((2, 2)))
    assert (monitor.refused, monitor.estimates) == (1, [])
    assert monitor.finding().verdict == "cannot tell"
    assert "1 of 1 looks were refused" in monitor.finding().caveats[-1]


@pytest.mark.parametrize("values", [[0.1] * 7, []])
def test_too_few_looks_give_no_number(values: list[float]) -> None:
    for finding in (gap_above(values, tolerated=0.1), gap_growth(values)):
        assert finding.verdict == "cannot tell"
        assert finding.value is None


def test_what_is_no_series_of_estimates() -> None:
    assert gap_growth([0.2] * 30).verdict == "cannot tell"
    with pytest.raises(InputError, match="nan at row 2"):
        gap_growth([0.1, float("nan"), 0.2])
    for tolerated in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match="share between 0 and 1"):
            gap_above([0.1] * 10, tolerated=tolerated)
    with pytest.raises(InputError, match="probability"):
        gap_growth([0.1] * 10, level=1.0)
    for settings in ({"share": 0.0}, {"share": 2.0}, {"level": 0.0}):
        with pytest.raises(InputError):
            Monitor(lambda drawn: 0.0, **settings)
