"""The alarm whose null is sound runs at the same steps: its level at any look, its tournament, and what is no such comparison."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.topology import Monitor, above_sound_runs, sound_runs
from kleiber.diagnose.topology.matched import beaten, chance_of
from kleiber.errors import InputError, Refusal

RUNS, STEPS = 19, 12


def _exchangeable(rng: np.random.Generator, runs: int) -> np.ndarray:
    """Runs that rise, each with a luck of its own that stays, heavy tails, and steps at which they scatter more."""
    luck = rng.standard_t(2, size=(runs, 1)) * np.linspace(0.2, 1, STEPS)
    return np.linspace(0, 5, STEPS) + luck + rng.standard_t(2, size=(runs, STEPS)) * np.linspace(1, 0.1, STEPS)


@pytest.mark.parametrize(("runs", "level"), [(RUNS, 0.05), (4, 0.2), (59, 0.05)])
def test_at_most_the_stated_share_of_the_runs_of_any_set_raises_the_alarm(runs: int, level: float) -> None:
    """Not a rate but a count: of R + 1 runs, each held against the others, no more than level (R + 1) can win so often."""
    counts = []
    for rng in np.random.default_rng(0).spawn(200 if runs < 59 else 20):
        value = _exchangeable(rng, runs + 1)
        wins = [beaten(value[one], np.delete(value, one, axis=0))[-1] for one in range(runs + 1)]
        counts.append(int((chance_of(wins, runs) <= level).sum()))
    assert max(counts) <= level * (runs + 1)
    assert max(counts) >= 1


def test_beaten_is_the_tournament_as_it_is_written() -> None:
    """Against a loop over runs and steps; a look that was lost adds nothing, and wins never go back."""
    rng = np.random.default_rng(1)
    sound, value = _exchangeable(rng, 7), _exchangeable(rng, 1)[0] + 2
    value[3] = np.nan
    wins = beaten(value, sound)
    for upto in range(STEPS):
        won = 0
        for run in range(7):
            rest = [sound[other] for other in range(7) if other != run]
            own = [
                (sound[run][s] - np.mean([r[s] for r in rest])) / np.std([r[s] for r in rest], ddof=1)
                for s in range(STEPS)
            ]
            mine = [
                (value[s] - np.mean([r[s] for r in rest])) / np.std([r[s] for r in rest], ddof=1)
                for s in range(upto + 1)
                if s != 3
            ]
            won += bool(mine) and max(mine) > max(own)
        assert wins[upto] == won
    assert (np.diff(wins) >= 0).all()


def test_what_rises_alike_is_quiet_and_what_rises_more_is_told() -> None:
    rng = np.random.default_rng(2)
    sound = np.linspace(0, 1, 30) + 0.05 * rng.normal(size=(RUNS, 30))
    quiet = above_sound_runs(np.linspace(0, 1, 30) + 0.05 * rng.normal(size=30), sound)
    loud = above_sound_runs(np.linspace(0, 1.5, 30), sound)
    assert (quiet.verdict, loud.verdict) == ("ok", "warning")
    assert quiet.interval is not None
    assert quiet.value is not None
    assert loud.value is not None
    assert loud.value == pytest.approx(0.47, abs=0.05)
    assert quiet.interval[0] < quiet.value < quiet.interval[1]
    below = above_sound_runs(-np.linspace(0, 1.5, 30), -sound, lower=True)
    assert below.verdict == "warning"
    assert below.value == pytest.approx(-loud.value)
    assert "been below 19 of them" in below.evidence
    assert above_sound_runs(-np.linspace(0, 1.5, 30), -sound).verdict == "ok"


def test_a_monitor_beside_sound_runs() -> None:
    """The alarm comes at a look and stays; looks at steps that the sound runs lack are not judged."""
    rng = np.random.default_rng(3)
    steps = np.arange(10, 210, 10)
    runs = sound_runs([(steps, steps / 400 + 0.02 * rng.normal(size=20)) for _ in range(RUNS)])
    still, rises = (Monitor(lambda drawn: float(drawn[0, 0]), sound=runs, share=1.0) for _ in range(2))
    for step in range(5, 205, 5):
        still(step, lambda step=step: np.full((1, 1), 9.0 if step % 10 else step / 400))
        rises(step, lambda step=step: np.full((1, 1), step / 200))
    assert still.alarm_at is None
    assert still.finding().verdict == "ok"
    assert rises.alarm_at is not None
    assert 20 <= rises.alarm_at <= 60
    assert rises.finding().verdict == "warning"
    with pytest.raises(InputError, match="one alarm at a time"):
        Monitor(lambda drawn: 0.0, sound=runs, tolerated=0.1)


def test_too_few_runs_for_the_level_cannot_tell() -> None:
    sound = np.random.default_rng(4).normal(size=(6, STEPS))
    few = above_sound_runs(np.full(STEPS, 99.0), sound)
    assert (few.verdict, few.value) == ("cannot tell", None)
    assert "14 %" in few.evidence
    assert few.remedy.startswith("19 sound runs")
    assert above_sound_runs(np.full(STEPS, 99.0), sound, level=0.15).verdict == "warning"
    assert above_sound_runs(np.full(STEPS, np.nan), sound, level=0.15).verdict == "cannot tell"
    assert above_sound_runs(np.full(STEPS, 99.0), np.ones((19, STEPS))).verdict == "cannot tell"


def test_what_is_no_set_of_sound_runs() -> None:
    steps, values = [1, 2, 3], [0.1, 0.2, 0.3]
    with pytest.raises(Refusal, match="3 sound runs are too few"):
        sound_runs([(steps, values)] * 3)
    with pytest.raises(Refusal, match="share 1 steps"):
        sound_runs([(steps, values)] * 3 + [([3, 4], [0.1, 0.2])])
    with pytest.raises(InputError, match="differ in length"):
        sound_runs([(steps, values[:2])] * 4)
    with pytest.raises(InputError, match="whole numbers that rise"):
        sound_runs([([1, 3, 2], values)] * 4)
    with pytest.raises(InputError, match="not a finite number"):
        sound_runs([(steps, [0.1, float("nan"), 0.2])] * 4)
    with pytest.raises(InputError, match="a column for each"):
        above_sound_runs([0.1, 0.2], np.zeros((19, 3)))
    with pytest.raises(InputError, match="infinite"):
        above_sound_runs([0.1, float("inf")], np.zeros((19, 2)))
    with pytest.raises(InputError, match="probability"):
        above_sound_runs([0.1, 0.2], np.zeros((19, 2)), level=1.0)
