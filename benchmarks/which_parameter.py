"""Which parameter of the law does spoilt text change: how often is the right one named, the wrong one, or none?

One idea: of two texts exactly one parameter differs, by as much as raises the loss by 0.1 or 0.3 nats on average over the
runs, so that a row of the table is a truth and a column what is said of it. Ladders are those of the diagnostic's own null:
four sizes and four budgets of each text, a trunk per size, errors of 0.3 % per trunk and 0.2 % per run.

    python benchmarks/which_parameter.py STORE [TIMES]     draws what STORE does not hold yet, and can be stopped at any time
    python benchmarks/which_parameter.py STORE --table     prints the tables
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kleiber.diagnose.data.one_law import PARTS
from kleiber.diagnose.data.parameters import DRAWS, LEVEL, two_texts, which_parameter
from kleiber.finding import Finding

SHIFTS = (0.1, 0.3)
SAID = (*PARTS, "cannot tell", "one law")
SEED = 5


def mean_loss(**factors: float) -> float:
    """The mean loss of the spoilt runs, without errors."""
    given = two_texts(np.random.default_rng(0), trunk_noise=0.0, noise=0.0, **factors)
    return float(given["loss"][given["spoilt"]].mean())


def factor(part: str, shift: float) -> float:
    """By what a parameter is multiplied to raise the mean loss by a shift.

    >>> round(mean_loss(E=factor("E", 0.1)) - mean_loss(), 6)
    0.1
    """
    near, far, target = 1.0, 20.0 if part in "EAB" else 0.05, mean_loss() + shift
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (near, middle) if mean_loss(**{part: middle}) > target else (middle, far)
    return near


def said(finding: Finding) -> str:
    """The parameter that a finding names, or that it names none."""
    if finding.verdict == "found":
        return finding.evidence.split()[0]
    return "one law" if finding.verdict == "ok" else "cannot tell"


def truths() -> list[tuple[str, float]]:
    """What differs, and by what it is multiplied: every parameter at every shift, and nothing."""
    return [("none", 1.0), *((part, factor(part, shift)) for shift in SHIFTS for part in PARTS)]


def fill(store: Path, times: int) -> None:
    """Draw what the store lacks, one ladder of every truth after another."""
    held = Counter((row["truth"], row["factor"]) for row in read(store))
    asked = truths()
    streams = np.random.default_rng(SEED).spawn(times)
    for number, stream in enumerate(streams):
        for child, (truth, by) in zip(stream.spawn(len(asked)), asked, strict=True):
            if number < held[truth, round(by, 6)]:
                continue
            given = {**two_texts(child, **({} if truth == "none" else {truth: by})), "draws": DRAWS}
            row = {"truth": truth, "factor": round(by, 6), "said": said(which_parameter(**given, seed=number))}
            with store.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")


def read(store: Path) -> list[dict[str, object]]:
    """The rows of a store; none where there is none."""
    return [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()] if store.is_file() else []


def table(store: Path) -> Iterator[str]:
    """A row for every truth: how many ladders were said to be what."""
    held = Counter((row["truth"], row["factor"], row["said"]) for row in read(store))
    yield "| what differs | loss higher by | " + " | ".join(SAID) + " | ladders |\n" + "|---" * (len(SAID) + 3) + "|"
    shift_of = ("-", *(f"{shift:g}" for shift in SHIFTS for _ in PARTS))
    for (truth, by), shift in zip(truths(), shift_of, strict=True):
        counts = [held[truth, round(by, 6), word] for word in SAID]
        what = truth if truth == "none" else f"{truth} × {by:.3g}"
        yield f"| {what} | {shift} | " + " | ".join(map(str, counts)) + f" | {sum(counts)} |"


def main() -> None:
    """Fill the store, or print its table."""
    store = Path(sys.argv[1])
    if "--table" in sys.argv:
        print(f"Level {100 * LEVEL:g} %, {DRAWS} draws of the bootstrap.\n")
        print("\n".join(table(store)))
        return
    fill(store, int(sys.argv[2]) if len(sys.argv) > 2 else 100)


if __name__ == "__main__":
    main()
