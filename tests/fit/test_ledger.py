"""The ledger: nothing written is lost, nothing changed goes unseen, and the score is the one that theory gives."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import ConventionError, InputError, Refusal
from kleiber.fit import Fit, fit
from kleiber.fit import chain as chains
from kleiber.fit.ledger import SCHEMA, now, read_ledger, record, settle
from kleiber.fit.ledger_entry import Entry
from kleiber.fit.ledger_score import chance_of_as_few, score
from kleiber.fit.quantile_score import LEVELS, crps, place
from kleiber.runs import Conventions, RunTable
from tests.fit.simulated import TRUTH, ladder

DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLACES = [(1e10, 2e11), (2e10, 4e11), (5e10, 1e12), (1e9, 2e10), (7e10, 1.4e12), (3e8, 6e9), (4e11, 1e13)]
NORMAL = NormalDist()


@pytest.fixture(scope="module")
def found() -> Fit:
    return fit(
        replace(ladder(3), conventions=Conventions(loss="nats_per_token", params="total")), bootstrap=60, starts=16
    )


def stamp(path: Path, found: Fit, params: float, tokens: float, **words: str) -> Entry:
    return record(
        found, found.forecast(params=params, tokens=tokens), path, versions={"kleiber": "0"}, date=DATE, **words
    )


def filled(path: Path, found: Fit, count: int = 3) -> Path:
    for params, tokens in PLACES[:count]:
        stamp(path, found, params, tokens)
    return path


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


# --- the file ---


def test_an_entry_says_what_the_forecast_said(tmp_path: Path, found: Fit) -> None:
    entry = stamp(tmp_path / "l.jsonl", found, 7e10, 1.4e12, run="big", note="for the board")
    answer = found.forecast(params=7e10, tokens=1.4e12)
    (kept,) = read_ledger(tmp_path / "l.jsonl").entries
    assert kept == entry
    assert kept.date == "2026-01-02T03:04:05Z"
    assert (kept.loss, kept.interval, kept.new_run_interval) == (answer.loss, answer.interval, answer.new_run_interval)
    assert kept.at == answer.at
    assert kept.extrapolation_decades == answer.extrapolation_decades > 1
    assert (kept.run, kept.note, kept.law, kept.unit) == ("big", "for the board", "chinchilla", "nats_per_token")
    assert kept.runs_hash == found.runs.hash
    assert kept.quantiles is not None
    assert (kept.quantiles[0], kept.quantiles[-1]) == answer.new_run_interval  # 2.5 and 97.5 % of the same draws
    content = json.loads(lines_of(tmp_path / "l.jsonl")[0])
    assert content["schema"] == "kleiber/ledger/1"
    assert content["parameters"] == found.parameters
    assert content["objective"] == {"name": "huber_log", "delta": 1e-3}
    assert content["bootstrap"] == {"draws": 60, "resampling": "pairs"}
    assert content.keys() >= {"seed", "versions", "formula", "level", "outside", "fixed", "previous", "hash"}


def test_the_same_entries_at_the_same_date_are_the_same_bytes(tmp_path: Path, found: Fit) -> None:
    one, other = filled(tmp_path / "a.jsonl", found), filled(tmp_path / "b.jsonl", found)
    assert one.read_bytes() == other.read_bytes()


def test_the_date_can_be_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")
    assert now() == DATE
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InputError, match="SOURCE_DATE_EPOCH"):
        now()


def test_a_fit_without_draws_is_recorded_without_intervals(tmp_path: Path, found: Fit) -> None:
    bare = replace(found, draws_BP=np.empty((0, 5)))
    stamp(tmp_path / "l.jsonl", bare, 1e9, 2e10, run="a")
    settle(tmp_path / "l.jsonl", "a", 2.5, date=DATE)
    scores = score(read_ledger(tmp_path / "l.jsonl"))
    assert scores.scored[0].inside is scores.scored[0].crps is scores.overall.coverage is None
    assert "no forecast has an interval" in scores.sentences()[0]


# --- what a kill and a full disk leave behind ---


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_torn_line_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, found: Fit, data: st.DataObject
) -> None:
    path = filled(tmp_path_factory.mktemp("torn") / "l.jsonl", found)
    whole, lines = path.read_bytes(), lines_of(path)
    cut = data.draw(st.integers(1, len(lines[2]) - 1))
    path.write_bytes(whole[: len(whole) - 1 - cut])
    torn = read_ledger(path)
    assert [entry.line for entry in torn.entries] == [1, 2]
    assert [fault.line for fault in torn.faults] == [3]
    entry = stamp(path, found, *PLACES[4])
    after = read_ledger(path)
    assert entry.line == 4
    assert [entry.line for entry in after.entries] == [1, 2, 4]
    assert [fault.line for fault in after.faults] == [3]
    assert "cut short" in str(after.faults[0])
    assert lines_of(path)[:2] == lines[:2]


def test_a_missing_last_newline_is_no_fault(tmp_path: Path, found: Fit) -> None:
    path = filled(tmp_path / "l.jsonl", found)
    path.write_bytes(path.read_bytes()[:-1])
    assert not read_ledger(path).faults
    assert stamp(path, found, *PLACES[4]).line == 4
    ledger = read_ledger(path)
    assert len(ledger.entries) == 4
    assert not ledger.faults


def test_a_first_line_cut_short_is_still_a_ledger(tmp_path: Path, found: Fit) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(b'{"schema": "kle')
    stamp(path, found, *PLACES[0])
    ledger = read_ledger(path)
    assert [entry.line for entry in ledger.entries] == [2]
    assert [fault.line for fault in ledger.faults] == [1]


@pytest.mark.parametrize("spare", [0, 1, 300, 1500])
def test_a_full_disk_leaves_the_ledger_as_it_was(tmp_path: Path, found: Fit, spare: int) -> None:
    path = filled(tmp_path / "l.jsonl", found)
    before = path.read_bytes()
    answer = found.forecast(params=1e9, tokens=1e10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + spare, hard))
        with pytest.raises(InputError, match="File too large"):
            record(found, answer, path, versions={}, date=DATE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before


APPENDER = """
import sys
from kleiber.fit import chain
for number in range(10**6):
    chain.append(sys.argv[1], "kleiber/ledger/1", lambda known: {"kind": "outcome", "date": "d", "of": "x", "loss": 1.0,
                 "unit": "unknown", "note": "x" * 20000})
    print(number, flush=True)
"""


def test_a_kill_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    with subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "12":
            pass
        process.kill()
        rest = process.stdout.read().split()
    confirmed = int(rest[-1]) + 1 if rest else 13
    known = chains.read(path, SCHEMA)
    assert len(known.links) >= confirmed
    assert all("cut short" in fault.what and fault.line == known.lines for fault in known.faults)


def _append_many(path: str, worker: int, count: int) -> None:
    for number in range(count):
        content = {
            "kind": "outcome",
            "date": "d",
            "of": f"{worker}-{number}",
            "loss": 1.0,
            "unit": "unknown",
            "note": "",
        }
        chains.append(path, SCHEMA, lambda _, content=content: content)


def test_four_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path, count = tmp_path / "l.jsonl", 25
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(path), worker, count)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    known = chains.read(path, SCHEMA)
    assert not known.faults
    assert {link.content["of"] for link in known.links} == {f"{w}-{n}" for w in range(4) for n in range(count)}
    assert len(known.links) == 4 * count


# --- tampering ---


def altered(line: bytes, change: Callable[[dict], None], *, seal: bool = False) -> bytes:
    content = json.loads(line)
    change(content)
    if seal:
        content = chains.sealed(content, content["previous"])
    return json.dumps(content).encode()


def better(content: dict) -> None:
    content["loss"]["value"] *= 0.99


TAMPERING: dict[str, tuple[Callable[[Sequence[bytes]], list[bytes]], list[int]]] = {
    "a number changed": (lambda old: [old[0], altered(old[1], better), old[2]], [2]),
    "a note changed": (lambda old: [altered(old[0], lambda c: c.update(note="!")), old[1], old[2]], [1]),
    "the last changed": (lambda old: [old[0], old[1], altered(old[2], better)], [3]),
    "changed and sealed again": (lambda old: [old[0], altered(old[1], better, seal=True), old[2]], [3]),
    "one removed": (lambda old: [old[0], old[2]], [2]),
    "the first removed": (lambda old: [old[1], old[2]], [1]),
    "two swapped": (lambda old: [old[0], old[2], old[1]], [2, 3]),
    "one said twice": (lambda old: [old[0], old[1], old[1], old[2]], [3]),
    "a space added": (lambda old: [old[0], old[1].replace(b": ", b":  ", 1), old[2]], [2]),
    "a key said twice": (lambda old: [old[0], old[1].replace(b'"kind"', b'"kind": "forecast", "kind"', 1), old[2]], [2]),
    "bad bytes": (lambda old: [old[0], b"\xff\xfe" + old[1][2:], old[2]], [2, 3]),
    "not a number": (lambda old: [old[0], old[1].replace(b'"level": 0.95', b'"level": NaN'), old[2]], [2, 3]),
    "endless": (lambda old: [old[0], old[1].replace(b'"level": 0.95', b'"level": 1e999'), old[2]], [2, 3]),
    "deep": (lambda old: [old[0], b'{"schema": "kleiber/ledger/1", "x": ' + b"[" * 100_000, old[2]], [2, 3]),
    "another schema": (lambda old: [old[0], altered(old[1], lambda c: c.update(schema="kleiber/ledger/2")), old[2]], [2, 3]),
    "a list": (lambda old: [*old, b"[1, 2]"], [4]),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_seen_at_its_line(tmp_path: Path, found: Fit, name: str) -> None:
    path = filled(tmp_path / "l.jsonl", found)
    change, faulty = TAMPERING[name]
    path.write_bytes(b"".join(line + b"\n" for line in change(lines_of(path))))
    ledger = read_ledger(path)
    assert [fault.line for fault in ledger.faults] == faulty, ledger.faults
    stamp(path, found, *PLACES[4])
    assert [fault.line for fault in read_ledger(path).faults] == faulty


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("loss"),
        lambda c: c["loss"].update(value="1.9"),
        lambda c: c["loss"].update(value=-1.0),
        lambda c: c["loss"].update(quantiles=[1.0]),
        lambda c: c["loss"].update(interval=[1.0]),
        lambda c: c.update(level=1.5),
        lambda c: c.update(at=[1.0]),
        lambda c: c.update(runs=None),
        lambda c: c.update(kind="guess"),
        lambda c: c.update(law=None),
        lambda c: c.update(extrapolation_decades=True),
        lambda c: c.update(at={"params": 10**400}),
    ],
)
def test_a_line_from_another_hand_is_left_out(tmp_path: Path, found: Fit, change) -> None:
    path = filled(tmp_path / "l.jsonl", found, 1)
    path.write_bytes(altered(lines_of(path)[0], change, seal=True) + b"\n")
    ledger = read_ledger(path)
    assert ledger.entries == ()
    assert [fault.line for fault in ledger.faults] == [1]
    assert "says too little" in str(ledger.faults[0])


@pytest.mark.parametrize(
    "content", [b"params,tokens,loss\n1,2,3\n", b"\x00" * 100, b"{}\n", b"[]", bytes(range(256)) * 99]
)
def test_another_file_is_never_written_to(tmp_path: Path, found: Fit, content: bytes) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no ledger"):
        stamp(path, found, 1e9, 1e10)
    with pytest.raises(InputError, match="no ledger"):
        read_ledger(path)
    assert path.read_bytes() == content


def test_places_that_are_no_files(tmp_path: Path, found: Fit) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null"), tmp_path / "none" / "l.jsonl"):
        with pytest.raises(InputError):
            stamp(path, found, 1e9, 1e10)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none.jsonl"):
        with pytest.raises(InputError):
            read_ledger(path)


# --- settling ---


def test_settling_by_id_and_by_name(tmp_path: Path, found: Fit) -> None:
    path = tmp_path / "l.jsonl"
    one = stamp(path, found, *PLACES[0])
    stamp(path, found, *PLACES[1], run="two")
    for word in (one.id[:6], "two"):
        _, outcome, new = settle(path, word, 2.0, date=DATE)
        assert new
        assert outcome.unit == "nats_per_token"
    before = path.read_bytes()
    assert settle(path, "two", 2.0, date=DATE)[2] is False
    with pytest.raises(InputError, match=r"line 4.*--correct"):
        settle(path, "two", 2.1, date=DATE)
    assert path.read_bytes() == before
    assert settle(path, "two", 2.1, date=DATE, correct=True)[2]
    assert {each.loss for each in read_ledger(path).settled.values()} == {2.0, 2.1}
    assert not read_ledger(path).faults
    with pytest.raises(InputError, match="did you mean 'two'"):
        settle(path, "tow", 2.0, date=DATE)
    with pytest.raises(ConventionError, match="bits_per_byte"):
        settle(path, "two", 2.0, unit="bits_per_byte", date=DATE)
    for loss in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="positive"):
            settle(path, "two", loss, date=DATE)


def test_the_same_forecast_again_counts_once(tmp_path: Path, found: Fit) -> None:
    path = tmp_path / "l.jsonl"
    first = stamp(path, found, *PLACES[0])
    again = stamp(path, found, *PLACES[0], note="to be sure")
    stamp(path, found, *PLACES[0], run="another run there")
    ledger = read_ledger(path)
    assert [entry.line for entry in ledger.forecasts] == [1, 3]
    assert [entry.line for entry in ledger.duplicates] == [2]
    settle(path, again.id, 2.2, date=DATE)  # settling the copy settles the forecast
    scores = score(read_ledger(path))
    assert [one.entry.line for one in scores.scored] == [first.line]
    assert any("repeats an earlier forecast" in sentence for sentence in scores.sentences())


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


def gaussian_crps(y: float, mean: float, sd: float) -> float:
    """Gneiting and Raftery 2007, eq. 21."""
    z = (y - mean) / sd
    return sd * (z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("z", [-4.0, -1.3, -0.2, 0.0, 0.5, 1.0, 2.5])
def test_crps_of_a_gaussian(z: float) -> None:
    quantiles = [1.9 + 0.02 * NORMAL.inv_cdf(level) for level in LEVELS]
    found = crps(quantiles, 1.9 + 0.02 * z)
    assert found == pytest.approx(gaussian_crps(1.9 + 0.02 * z, 1.9, 0.02), rel=0.01)
    fine = (np.arange(4000) + 0.5) / 4000
    many = [NORMAL.inv_cdf(level) for level in fine]
    assert crps(many, z, fine) == pytest.approx(gaussian_crps(z, 0.0, 1.0), rel=2e-4)


def test_crps_of_a_uniform_is_exact() -> None:
    """(x - F) integrated over [0, 1]: y^3/3 + (1 - y)^3/3, the straight line through the quantiles being F itself."""
    levels = np.linspace(0.0, 1.0, 5)
    for y in (0.0, 0.1, 0.5, 0.83, 1.0):
        assert crps(levels, y, levels) == pytest.approx((y**3 + (1 - y) ** 3) / 3, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(0.5, 4.0), min_size=21, max_size=21), y=st.floats(0.1, 6.0), scale=st.floats(0.1, 10.0)
)
def test_crps_scales_with_the_unit(values: list[float], y: float, scale: float) -> None:
    quantiles = np.sort(values)
    found = crps(quantiles, y)
    assert found >= 0
    assert crps(scale * quantiles, scale * y) == pytest.approx(scale * found, rel=1e-9, abs=1e-12)
    assert 0 < place(quantiles, y) < 1


def test_place_is_the_distribution_function() -> None:
    quantiles = [NORMAL.inv_cdf(level) for level in LEVELS]
    for z in (-1.9, -0.7, 0.0, 0.4, 1.8):
        assert place(quantiles, z) == pytest.approx(NORMAL.cdf(z), abs=0.004)
    assert place(quantiles, -9.0) == pytest.approx(0.0125)
    assert place([1.0] * 21, 1.0) == pytest.approx(0.5)


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
    scores = score(read_ledger(settled_ledger(tmp_path / "l.jsonl", found, [-0.2, -0.21, -0.19, -0.2, -0.22, -0.2])))
    assert scores.overall.verdict == "problem"
    first, second, *_ = scores.sentences()
    assert first.startswith(
        "0 of 6 outcomes fell inside the 95 % intervals (expected 5.7): the intervals are too narrow"
    )
    assert "20 % too optimistic" in second
    assert "beyond 1 decade" in second


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
