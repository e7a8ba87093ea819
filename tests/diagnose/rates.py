"""The table of false-positive rates and powers in docs/diagnose.md: `python -m tests.diagnose.rates [NAME ...]`."""

from __future__ import annotations

import sys

from kleiber.diagnose import DIAGNOSTICS
from kleiber.diagnose.diagnostic import rate

TIMES = 500


def main(names: list[str]) -> None:
    """Print a row per diagnostic."""
    print("| diagnostic | loud on its null | stated | loud on what was planted |\n|---|---|---|---|")
    for diagnostic in DIAGNOSTICS:
        if names and diagnostic.name not in names:
            continue
        null, planted = (rate(diagnostic, draw, times=TIMES, seed=2) for draw in (diagnostic.null, diagnostic.planted))
        print(
            f"| {diagnostic.name} | {100 * null:.1f} % | {100 * diagnostic.level:.0f} % | {100 * planted:.1f} % |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
