"""The table of docs/diagnose-rates.md, measured: loud verdicts on 500 nulls and 500 planted effects of every diagnostic.

    python -m tests.diagnose.rates STORE [NAME ...]     draws what STORE does not hold yet, and can be stopped at any time
    python -m tests.diagnose.rates STORE --table        prints the table

STORE is a file of one line of JSON per 50 draws, those of `rate` in `kleiber.diagnose.diagnostic` with seed 2, so that a store
filled in parts is that of one go. Lines of a diagnostic that has changed since are to be taken out by hand.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kleiber.diagnose import DIAGNOSTICS
from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.quantiles import beta
from kleiber.finding import LOUD

TIMES, CHUNK, SEED = 500, 50, 2
SIDES = ("null", "planted")


def binomial_interval(hits: int, times: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share.

    >>> [round(end, 4) for end in binomial_interval(25, 500)]
    [0.0326, 0.0729]
    """
    tail = (1 - level) / 2
    low = float(beta(tail, hits, times - hits + 1)) if hits else 0.0
    return low, float(beta(1 - tail, hits + 1, times - hits)) if hits < times else 1.0


def chunk(diagnostic: Diagnostic, side: str, first: int) -> dict[str, object]:
    """The loud verdicts over draws `first` to `first + CHUNK`, and the seconds of processor that they took."""
    draw, begin = getattr(diagnostic, side), time.process_time()
    streams = np.random.default_rng(SEED).spawn(first + CHUNK)[first:]
    loud = sum(diagnostic.measure(**draw(stream)).verdict in LOUD for stream in streams)
    spent = round(time.process_time() - begin, 3)
    return {"name": diagnostic.name, "side": side, "first": first, "times": CHUNK, "loud": loud, "seconds": spent}


def read(store: Path) -> dict[tuple[str, str], dict[int, tuple[int, int]]]:
    """By diagnostic and side, and by the first draw of a line: how many draws, and how many of them loud."""
    found: dict[tuple[str, str], dict[int, tuple[int, int]]] = defaultdict(dict)
    for line in store.read_text().splitlines() if store.is_file() else ():
        row = json.loads(line)
        found[row["name"], row["side"]][row["first"]] = (row["times"], row["loud"])
    return found


def fill(store: Path, names: list[str]) -> None:
    """Draw what the store lacks, in the order of `names` (all, where none is named)."""
    by_name = {diagnostic.name: diagnostic for diagnostic in DIAGNOSTICS}
    held = read(store)
    for side in SIDES:
        for first in range(0, TIMES, CHUNK):
            for name in names or by_name:
                if first not in held[name, side]:
                    with store.open("a") as out:
                        out.write(json.dumps(chunk(by_name[name], side, first)) + "\n")


def cell(hits: int, times: int) -> str:
    """A share with its interval, in percent.

    >>> cell(25, 500)
    '5.0 % (3.3 - 7.3)'
    """
    low, high = binomial_interval(hits, times)
    return f"{100 * hits / times:.1f} % ({100 * low:.1f} - {100 * high:.1f})"


def rows(store: Path) -> Iterator[str]:
    """A row for every diagnostic that the store holds in full."""
    held = read(store)
    for diagnostic in DIAGNOSTICS:
        parts = [held[diagnostic.name, side] for side in SIDES]
        if any(sum(times for times, _ in part.values()) < TIMES for part in parts):
            continue
        cells = [cell(sum(loud for _, loud in part.values()), sum(t for t, _ in part.values())) for part in parts]
        yield f"| {diagnostic.name} | {cells[0]} | {100 * diagnostic.level:.0f} % | {cells[1]} |"


def main() -> None:
    """Fill the store, or print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if not asked.table:
        fill(asked.store, asked.names)
        return
    print("| diagnostic | loud on its null | stated | loud on what was planted |\n|---|---|---|---|")
    print("\n".join(rows(asked.store)))


if __name__ == "__main__":
    main()
