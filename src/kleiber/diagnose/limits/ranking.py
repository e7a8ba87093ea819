"""What limits a run: every suspect with its evidence, ranked by what mending it would buy.

The way the data takes: a fit with its runs, and one of them -> the law's terms there (`terms`), the run against the others
(`off_the_law`), its repeats of text (`repetition`), its curve (`overfitting`), the noise between seeds (`noise`) -> one verdict
and one finding per suspect, the largest gain first.

The one idea: loss is the currency. Twice the params, twice the tokens, a rate like the neighbours', fresh text in place of
repeated: each takes so much off this run's loss, with an interval, so unlike suspects can be ranked; and where two
intervals cannot be told apart, that is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.limits.noise import noise_floor
from kleiber.diagnose.limits.off_the_law import off_the_law
from kleiber.diagnose.limits.overfitting import overfitting
from kleiber.diagnose.limits.repetition import repetition
from kleiber.diagnose.limits.terms import INPUT_OF, PARTS, REFERENCE, Terms, judge, terms
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError, did_you_mean
from kleiber.finding import Finding
from kleiber.fit import Fit
from kleiber.fit.estimate import Estimate
from kleiber.quantity import show
from kleiber.runs import RunTable
from kleiber.runs.audit.grouping import coded, combined
from kleiber.runs.audit.independence import varies_with_seed

NAME = "what limits the run"
MENDS = {
    "capacity": "twice the params",
    "data": "twice the tokens",
    "learning rate": "a run like its neighbours",
    "memorisation": "fresh text for repeated",
}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One thing that may limit a run: what would mend it, what that takes off the loss, and its share of the reducible loss."""

    name: str
    mend: str
    gain: Estimate
    share: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What limits one run. `suspects` by gain, the largest first; `findings` the verdict, then one finding per suspect.

    `expected` is the law's loss there; `visible` the least difference that two single runs can show,
    where repeats tell it.
    """

    run: str
    at: Mapping[str, float]
    loss: float
    expected: float
    floor: Estimate
    suspects: tuple[Suspect, ...]
    findings: tuple[Finding, ...]
    visible: float | None

    def sentences(self) -> tuple[str, ...]:
        """The verdict, then what the floor leaves."""
        reducible = self.loss - self.floor.value
        left = (
            f"Of its loss of {self.loss:.4g} the law calls {self.floor} irreducible: {show(reducible)} is left to gain."
        )
        return (self.findings[0].evidence, left)


def limits(found: Fit, run: str | None = None, *, curve: ArrayLike | None = None) -> Limits:
    """What limits `run` (its name or the beginning of it, or `row N`; by default the run of most compute).

    `curve` is its training loss of every step. Raises `InputError` for a fit without its runs or an unknown run, `Refusal` for
    a fit that may not be used.
    """
    table = found.table
    if table is None:
        raise InputError("the runs are not in the fit file", remedy="ask of the run table instead")
    row = find_run(table, run)
    at = {name: float(table.column(name)[row]) for name in found.law.inputs}
    of = terms(found, at)
    loss = float(table.column(found.law.target)[row])
    unique = float(table.column("unique_tokens")[row]) if table.has("unique_tokens") else None
    memory, cost = repetition(found, of, unique, loss, unit=table.conventions.loss)
    rate = off_the_law(
        *(table.column(name) for name in ("params", "tokens", "loss")),
        lr=table.column("lr") if table.has("lr") else None,
        row=row,
        like=found,
    )
    noise = noise_floor(table.column("loss"), cells(table), gain=of.gain_B if of.gain_B.size else [0.0], at_loss=loss)
    suspects = _suspects(of, rate, cost)
    others = [memory, rate, *_curve(table, row, curve, of.at, unique, loss), noise]
    return Limits(
        run=name_of(table, row),
        at=of.at,
        loss=loss,
        expected=of.loss,
        floor=of.floor,
        suspects=suspects,
        findings=(_verdict(of, suspects, rate, memory), *_parts(of), *others),
        visible=noise.value * float(np.median(of.gain_B)) if noise.value is not None else None,
    )


def _suspects(of: Terms, rate: Finding, cost: Estimate | None) -> tuple[Suspect, ...]:
    found = [Suspect(name=part, mend=MENDS[part], gain=of.gain[part], share=of.share[part]) for part in PARTS]
    if rate.value is not None:
        found.append(
            Suspect(name=rate.name, mend=MENDS[rate.name], gain=Estimate(value=rate.value, interval=rate.interval))
        )
    if cost is not None:
        found.append(Suspect(name="memorisation", mend=MENDS["memorisation"], gain=cost))
    return tuple(sorted(found, key=lambda each: -each.gain.value))


def _verdict(of: Terms, suspects: tuple[Suspect, ...], rate: Finding, memory: Finding) -> Finding:
    """Whose gain is certainly the largest: that of the two terms by their ratio, any other by its interval."""
    by_terms = judge(of, name=NAME)
    best = of.gain[of.leading]
    for other in (rate, memory):
        if other.verdict != "warning" or other.interval is None or best.interval is None or other.value is None:
            continue
        if other.interval[0] > best.interval[1]:
            return _led_by(other, best)
        if other.interval[1] > best.interval[0]:
            listed = ", ".join(f"{each.mend} buys {each.gain}" for each in suspects[:3])
            return cannot_tell(
                NAME,
                f"{other.name.capitalize()} and {of.leading} cannot be told apart: {listed}.",
                remedy=other.remedy,
                reference=by_terms.reference,
            )
    return by_terms


def _led_by(other: Finding, best: Estimate) -> Finding:
    assert other.value is not None
    return Finding(
        name=NAME,
        verdict="warning",
        evidence=f"{other.name.capitalize()} limits: mending it takes {show(other.value)} off the loss, a doubling {best}.",
        remedy=other.remedy,
        value=other.value,
        interval=other.interval,
        reference=other.reference,
    )


def _parts(of: Terms) -> list[Finding]:
    return [
        Finding(
            name=part,
            verdict="ok",
            evidence=f"{part.capitalize()} holds {of.term[part]} of loss, {of.share[part]} of the reducible loss; doubling "
            f"{INPUT_OF[part]} takes {of.gain[part]} off the loss.",
            value=of.gain[part].value,
            interval=of.gain[part].interval,
            reference=REFERENCE,
        )
        for part in PARTS
    ]


def _curve(
    table: RunTable, row: int, curve: ArrayLike | None, at: Mapping[str, float], unique: float | None, loss: float
) -> list[Finding]:
    if curve is None:
        return []
    se = float(table.column("loss_se")[row]) if table.has("loss_se") else float("nan")
    if not np.isfinite(se):
        why = "The table has no loss_se, so a gap between training and held-out loss has no error."
        return [cannot_tell("overfitting", why, remedy="a column loss_se")]
    passes = at["tokens"] / min(unique, at["tokens"]) if unique else float("nan")
    return [overfitting(curve, loss, se, passes=passes)]


def cells(table: RunTable) -> np.ndarray:
    """Codes of runs that are equal in everything but seed, run name and what was measured, `(R,)`."""
    return combined(coded(table, name) for name in table.columns if not varies_with_seed(table, name))


def name_of(table: RunTable, row: int) -> str:
    """The run's name, or its row number in the source."""
    if table.has("run") and (label := table.labels("run")[row]) is not None:
        return str(label)
    return f"row {table.row_numbers[row]}"


def find_run(table: RunTable, run: str | None) -> int:
    """The 0-based row of `run`; without one, the run of most compute. Raises `InputError` where none or several are meant."""
    if run is None:
        size = table.column("flops") if table.has("flops") else table.column("params") * table.column("tokens")
        return int(np.argmax(size))
    word, _, number = run.partition(" ")
    if word == "row" and number.isascii() and number.isdigit():
        places = np.flatnonzero(table.row_numbers == int(number))
        if places.size:
            return int(places[0])
        raise InputError("there is no such row", found=run, where=table.source)
    if not table.has("run"):
        raise InputError("the table does not name its runs", where=table.source, remedy='say which by --run "row 3"')
    labels = [str(label) for label in table.labels("run")]
    matches = [row for row, label in enumerate(labels) if label == run] or [
        row for row, label in enumerate(labels) if run and label.startswith(run)
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(
            f"{len(matches)} runs are called so", found=run, where=table.source, remedy='say which by --run "row 3"'
        )
    raise InputError(f"there is no run {run!r}", where=table.source, remedy=did_you_mean(run, labels[:40]))
