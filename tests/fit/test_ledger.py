"""The ledger: nothing written is lost, nothing changed goes unseen."""

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
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import ConventionError, InputError
from kleiber.fit import Fit, fit
from kleiber.fit import chain as chains
from kleiber.fit.ledger import SCHEMA, now, read_ledger, record, settle
from kleiber.fit.ledger_score import score
from kleiber.runs import Conventions
from tests.fit.ledgers import DATE, PLACES, filled, stamp
from tests.fit.simulated import ladder


@pytest.fixture(scope="module")
def found() -> Fit:
    return fit(
        replace(ladder(3), conventions=Conventions(loss="nats_per_token", params="total")), bootstrap=60, starts=16
    )


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


@settings(max_examples=100, deadline=None)
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


def test_line_ends_of_another_system_are_no_fault(tmp_path: Path, found: Fit) -> None:
    path = filled(tmp_path / "l.jsonl", found)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    stamp(path, found, *PLACES[4])
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
    asked = dict(zip(("params", "tokens"), PLACES[0], strict=True))
    record(found, found.forecast(level=0.5, **asked), path, versions={}, date=DATE)  # the same cloud, cut elsewhere
    ledger = read_ledger(path)
    assert [entry.line for entry in ledger.forecasts] == [1, 3]
    assert [entry.line for entry in ledger.duplicates] == [2, 4]
    settle(path, again.id, 2.2, date=DATE)  # settling the copy settles the forecast
    scores = score(read_ledger(path))
    assert [one.entry.line for one in scores.scored] == [first.line]
    assert any("2 entries repeat earlier forecasts" in sentence for sentence in scores.sentences())
