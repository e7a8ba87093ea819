"""Finding: one verdict with the evidence for it.

One idea: whatever Kleiber concludes (a check of a table, a diagnostic of a run) has the same shape, so that the shell,
the report and another program read it the same way: what was measured, how sure it is, what it licenses one to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "found", "warning", "problem", "cannot tell"]

LOUD: tuple[Verdict, ...] = ("found", "warning", "problem")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict with its value, interval, evidence and remedy.

    `ok`: nothing there; `found`: an effect that is there and is neither good nor bad in itself; `warning` and `problem`: one that
    should change what is done; `cannot tell`: the data do not say. The three in `LOUD` claim that something is there.

    `rows` are 1-based data rows of the source file. `evidence` is a sentence that a person can quote; `remedy` is what
    to do about it, empty where there is nothing to do; `reference` is the paper or thread the check rests on.

    >>> Finding(name="duplicates", verdict="ok", evidence="No two rows are equal.").to_json()["verdict"]
    'ok'
    """

    name: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    rows: tuple[int, ...] = ()
    value: float | None = None
    interval: tuple[float, float] | None = None
    caveats: tuple[str, ...] = ()
    reference: str = ""

    def to_json(self) -> dict[str, object]:
        """The finding as `kleiber/finding/1`."""
        return {
            "schema": "kleiber/finding/1",
            "name": self.name,
            "verdict": self.verdict,
            "value": self.value,
            "interval": list(self.interval) if self.interval is not None else None,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "rows": list(self.rows),
            "caveats": list(self.caveats),
            "reference": self.reference,
        }
