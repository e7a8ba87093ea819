"""How good the outlook of a run is: by replay of a trained ladder, and by simulation where the truth is known.

    python benchmarks/outlook.py LADDER.toml       # every finished run of a ladder, foretold from the others
    python benchmarks/outlook.py --planted 40      # so many planted ladders of nine runs, a healthy and two bad runs each

Replay says how far off the final loss is foretold at a quarter, half, three quarters and 95 % of the way, and how often the band
held; simulation says how often a healthy run raises an alarm or is stopped, and how often one that ends 10 % or 25 % worse is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.lab.planted import cell, ladder, trained  # noqa: E402

from kleiber.lab.curve import Recorder  # noqa: E402
from kleiber.lab.description import read_ladder  # noqa: E402
from kleiber.lab.outlook import Finished, outlook  # noqa: E402
from kleiber.lab.progress import finished_runs, label  # noqa: E402
from kleiber.lab.warning import earlier_outlooks, limits, signs, verdict  # noqa: E402

SHARES = (0.25, 0.5, 0.75, 0.95)
LOOKS = np.arange(0.25, 1.0, 0.05)


def replay(path: str) -> None:
    """Foretell each finished run of the ladder's own rate and clean text from the others of that kind; then the odd ones."""
    done = finished_runs(read_ladder(path), Path(path).parent / "results")
    usual = done[0].cell.recipe
    healthy = [run for run in done if run.cell.recipe == usual and not run.cell.data.facts()]
    print(f"{len(healthy)} healthy runs: {', '.join(label(run.cell, family=False, rate=True) for run in healthy)}")
    for share in SHARES:
        errors, inside, half = [], 0, []
        for run in healthy:
            found = outlook(run.cell, part(run, share), [each for each in healthy if each is not run])
            if found is None:
                continue
            low, high = found.band()
            errors.append(abs(np.log(run.loss / found.loss)))
            inside += low <= run.loss <= high
            half.append((high - low) / 2 / found.loss)
        if errors:
            rms, most = np.sqrt(np.mean(np.square(errors))), max(errors)
            print(
                f"{share:.0%}: off by {rms:.2%} (rms), {most:.2%} at most; band ±{np.mean(half):.1%} held {inside}/{len(errors)}"
            )
    for run in (each for each in done if each not in healthy):
        as_clean = Finished(cell=cell_as_healthy(run), curve=run.curve, loss=run.loss)
        seen = [outlook(as_clean.cell, part(run, share), healthy) for share in SHARES]
        told = ", ".join(
            "-" if each is None else f"{each.loss:.3f} ({each.band()[0]:.3f} - {each.band()[1]:.3f})" for each in seen
        )
        stopped = stopped_at(as_clean, healthy)
        when = "not stopped" if stopped is None else f"stopped at {stopped:.0%}"
        print(f"odd run {label(run.cell, family=False, rate=True)}: ended at {run.loss:.4f}; foretold {told}; {when}")


def cell_as_healthy(run: Finished):
    """The run as if nobody knew that its text was spoilt."""
    from dataclasses import replace

    from kleiber.lab.corruption import CLEAN

    return replace(run.cell, data=CLEAN)


def planted(count: int) -> None:
    """Alarms and stops among planted ladders, for a healthy run and two that end worse."""
    rng = np.random.default_rng(0)
    held = dict.fromkeys(SHARES, 0)
    tally = {worse: {"alarm": 0, "stop": 0} for worse in (0.0, 0.1, 0.25)}
    for _ in range(count):
        done = ladder(rng)
        for worse, found in tally.items():
            run = trained(cell(width=24, tokens=1_536_000, seed=1), rng, worse=worse)
            found["alarm"] += alarmed(run, done)
            found["stop"] += stopped_at(run, done) is not None
            if worse == 0:
                for share in SHARES:
                    seen = outlook(run.cell, part(run, share), done)
                    held[share] += seen is not None and seen.band()[0] <= run.loss <= seen.band()[1]
    print(
        f"{count} planted ladders; the band held "
        + ", ".join(f"{n}/{count} at {share:.0%}" for share, n in held.items())
    )
    for worse, found in tally.items():
        print(
            f"{worse:.0%} worse than healthy: {found['alarm']}/{count} raised an alarm, {found['stop']}/{count} were stopped"
        )


def part(run: Finished, share: float):
    """The curve as it was at a share of the way."""
    return run.curve.until(round(share * run.course.steps))


def alarmed(run: Finished, done: list[Finished]) -> bool:
    """Whether a look at any of four times would have shown a sign."""
    for share in (0.3, 0.55, 0.8, 0.95):
        curve = part(run, share)
        now = outlook(run.cell, curve, done)
        if now and signs(now, earlier_outlooks(run.cell, curve, done), limits(run.cell, done, None)):
            return True
    return False


def stopped_at(run: Finished, done: list[Finished]) -> float | None:
    """The share of the way at which `--stop 0.05` would have ended the run."""
    allowed = limits(run.cell, done, None)
    for share in LOOKS:
        now = outlook(run.cell, part(run, float(share)), done)
        if now and verdict(now, allowed, margin=0.05):
            return float(share)
    return None


def overhead(steps: int = 20_000) -> None:
    """What keeping a curve costs a step on a processor."""
    import tempfile
    from types import SimpleNamespace

    import torch

    folder = Path(tempfile.mkdtemp())
    (folder / "curves").mkdir()
    recorder = Recorder(folder, "x")
    trainer = SimpleNamespace(step=0, recipe=SimpleNamespace(batch_tokens=1024))
    loss = torch.tensor(1.0)
    began = time.process_time()
    for trainer.step in range(1, steps + 1):
        recorder(trainer, 0.01, loss.detach())  # type: ignore[arg-type] - all that it asks of a trainer
    recorder.write()
    print(
        f"keeping a curve: {1e6 * (time.process_time() - began) / steps:.1f} µs of processor time a step, writing included"
    )


if __name__ == "__main__":
    if sys.argv[1] == "--planted":
        planted(int(sys.argv[2]))
    else:
        overhead()
        replay(sys.argv[1])
