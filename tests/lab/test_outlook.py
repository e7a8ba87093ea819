"""Where a run will end: exact where there is no noise, honest where there is; alarms that are rare and find what is bad."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.lab.planted import HABIT, cell, ladder, trained

from kleiber.errors import InputError
from kleiber.lab.annealing import MEMORIES, areas
from kleiber.lab.corruption import Data
from kleiber.lab.outlook import Finished, outlook, shared_habit
from kleiber.lab.stop import Stopped, StopRule
from kleiber.lab.warning import earlier_outlooks, limits, signs, verdict

BAD = 0.25


def at(run: Finished, share: float):
    return run.curve.until(round(share * run.course.steps))


def test_the_area_of_a_decay_with_a_long_memory_is_half_its_steps() -> None:
    # A linear decay to zero over T steps that forgets nothing: sum over i of i/T.
    lr_S = np.concatenate([np.ones(10), 1 - np.arange(1, 101) / 100])
    s1_S, s2_MS = areas(lr_S, 1.0, (0.0, 1.0))
    assert s1_S[-1] == pytest.approx(10 + 99 / 2)
    assert s2_MS[0, -1] == pytest.approx(1.0)
    assert s2_MS[1, -1] == pytest.approx(101 / 2)


def test_areas_do_not_know_the_unit_of_the_rate() -> None:
    lr_S = np.array([0.2, 0.2, 0.1, 0.05])
    for one, other in zip(areas(lr_S, 0.2), areas(1000 * lr_S, 200.0), strict=True):
        np.testing.assert_allclose(one, other)


def test_without_noise_the_end_is_foretold_across_the_decay() -> None:
    rng = np.random.default_rng(0)
    done = ladder(rng, step_noise=0.0, end_noise=0.0)
    new = trained(cell(width=32, tokens=1_536_000), rng, step_noise=0.0, end_noise=0.0)
    habit = shared_habit(done)
    assert (habit.alpha, MEMORIES[habit.memory]) == pytest.approx((HABIT.alpha, 0.97))
    assert habit.worth == pytest.approx(HABIT.worth, rel=1e-3)
    for share in (0.3, 0.5, 0.74, 0.9):
        found = outlook(new.cell, at(new, share), done)
        assert found is not None
        # The decay alone is worth 5 %.
        assert found.loss == pytest.approx(new.loss, rel=1e-3)


def test_a_band_holds_what_it_says() -> None:
    rng = np.random.default_rng(1)
    held, widths = {0.5: 0, 0.9: 0}, {0.5: 0.0, 0.9: 0.0}
    for _ in range(30):
        done = ladder(rng)
        new = trained(cell(width=24, tokens=1_536_000, seed=1), rng)
        for share in held:
            found = outlook(new.cell, at(new, share), done)
            assert found is not None
            low, high = found.band()
            held[share] += low <= new.loss <= high
            widths[share] += math.log(high / low) / 30
    # Under a true 95 %, fewer than 25 of 30 has a chance of 0.3 %.
    assert min(held.values()) >= 25
    # Nor is it bought by width: the noise at the end is 0.6 %, so that 2.4 % is the narrowest band there can be.
    assert widths[0.9] < widths[0.5] < 0.08


def test_what_cannot_be_foretold_is_not() -> None:
    rng = np.random.default_rng(2)
    done = ladder(rng)
    new = trained(cell(seed=1), rng)
    assert outlook(new.cell, at(new, 0.5), []) is None
    assert outlook(new.cell, at(new, 0.02), done) is None
    spoilt = Finished(cell=_spoilt(), curve=new.curve, loss=new.loss)
    assert outlook(new.cell, at(new, 0.5), [spoilt]) is None
    broken = new.curve.loss_S.copy()
    broken[400] = np.nan
    assert outlook(new.cell, replace(new.curve, loss_S=broken).until(500), done) is None
    # A run does not know its own end.
    assert outlook(done[0].cell, at(done[0], 0.5), done[:1]) is None


def _spoilt():
    return replace(cell(seed=2), data=Data(noise=0.1))


def test_a_healthy_run_raises_no_alarm_and_a_bad_one_does() -> None:
    rng = np.random.default_rng(3)
    false = stopped = found_bad = stopped_bad = 0
    for _ in range(10):
        done = ladder(rng)
        good = trained(cell(width=24, tokens=1_536_000, seed=1), rng)
        bad = trained(cell(width=24, tokens=1_536_000, seed=1), rng, worse=BAD)
        false += bool(_signs(good, done, 0.9))
        found_bad += bool(_signs(bad, done, 0.6))
        stopped += _stopped_at(good, done) is not None
        stopped_bad += (_stopped_at(bad, done) or 1.0) < 0.75
    assert false <= 1
    assert stopped == 0
    assert found_bad >= 9
    # Found on the trunk, before the decay has begun.
    assert stopped_bad >= 9


def _signs(run: Finished, done: list[Finished], share: float) -> tuple[str, ...]:
    curve = at(run, share)
    now = outlook(run.cell, curve, done)
    assert now is not None
    return signs(now, earlier_outlooks(run.cell, curve, done), limits(run.cell, done, None))


def _stopped_at(run: Finished, done: list[Finished]) -> float | None:
    """The share at which the rule stops a run that is played to it step by step."""
    share = 0.25
    rule = StopRule(run.cell, lambda: at(run, share), done[:7])
    while share < 1.0:
        if rule.reason():
            return share
        share += 0.05
    return None


def test_a_run_that_turns_leaves_its_band() -> None:
    rng = np.random.default_rng(4)
    done = ladder(rng)
    run = trained(cell(seed=1), rng)
    loss_S = run.curve.loss_S.copy()
    loss_S[600:] += 0.5
    turned = Finished(cell=run.cell, curve=replace(run.curve, loss_S=loss_S), loss=run.loss)
    (first, *_) = _signs(turned, done, 0.95)
    assert first.startswith("it left its band: worse than foretold at")


def test_the_limit_is_a_smaller_run_on_no_more_tokens() -> None:
    rng = np.random.default_rng(5)
    done = ladder(rng)
    big = cell(width=24, tokens=1_024_000, seed=1)
    (limit,) = limits(big, done, None)
    below = [each for each in done if each.cell.tokens <= big.tokens]
    assert limit.loss == min(each.loss for each in below)
    assert limits(cell(width=8, tokens=256_000), done, None) == ()


def test_the_verdict_says_how_sure_it_is_and_of_what() -> None:
    rng = np.random.default_rng(6)
    done = ladder(rng)
    bad = trained(cell(width=24, tokens=1_536_000, seed=1), rng, worse=BAD)
    now = outlook(bad.cell, at(bad, 0.6), done)
    assert now is not None
    allowed = limits(bad.cell, done, None)
    why = verdict(now, allowed, margin=0.05)
    assert why is not None
    assert "97.5% confidence: 5% worse than run" in why
    assert now.chance_above(1.05 * allowed[0].loss) > 0.975
    assert verdict(now, allowed, margin=1.0) is None


def test_a_stopped_run_says_that_it_was() -> None:
    assert str(Stopped("it was bad")) == "stopped: it was bad"
    assert not isinstance(Stopped("it was bad"), InputError)
