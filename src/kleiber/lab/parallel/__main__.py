"""What `torchrun` starts: the runs of a ladder, or one of them, each trained by all ranks together."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError, KleiberError, did_you_mean
from kleiber.lab.cell import Cell
from kleiber.lab.corpus import read_corpus
from kleiber.lab.description import Ladder, read_ladder
from kleiber.lab.folder import finished, make_folders
from kleiber.lab.ladder import registry_url
from kleiber.lab.one_run import train_cell
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.tokenizer import tokenized

if TYPE_CHECKING:
    from kleiber.lab.parallel.ranks import Together

RUN_SCHEMA = "kleiber/lab-run/1"


def main(words: list[str] | None = None) -> int:
    """Train, and return the exit code; the first rank prints."""
    asked = _parser().parse_args(words)
    results = Path(asked.results) if asked.results else Path(asked.ladder).parent / "results"
    try:
        ladder = read_ladder(asked.ladder)
        cells = _cells(ladder, asked.only)
        _train(ladder, cells, results, as_json=asked.json)
    except KleiberError as error:
        sys.stderr.write(f"kleiber: {error}\n")
        _leave_if_lost(error)
        return error.exit_code
    return 0


def _leave_if_lost(error: KleiberError) -> None:
    from kleiber.lab.parallel.ranks import LostRank, leave_at_once

    if isinstance(error, LostRank):
        leave_at_once(error.exit_code)


def _train(ladder: Ladder, cells: list[Cell], results: Path, *, as_json: bool) -> None:
    from kleiber.lab.parallel.ranks import together

    with together() as ranks, ExitStack() as stack:
        # The first rank alone makes what the others then read: folders, and a tokenizer where the ladder trains one.
        if ranks.leads:
            make_folders(results)
            tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
        ranks.agree(0)
        corpus = tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
        stack.enter_context(one_quick_thread())
        for cell in cells:
            row = finished(results, cell)
            if not ranks.agree(row is not None):
                with _held(ladder, cell, results, ranks):
                    row = train_cell(
                        cell,
                        corpus,
                        results,
                        hardware=ladder.hardware,
                        keep=cell.run in ladder.teachers,
                        teacher_loss=_teacher_loss(cell, results),
                        ranks=ranks,
                    )
            if ranks.leads and row is not None:
                _say(row, as_json=as_json)


@contextmanager
def _held(ladder: Ladder, cell: Cell, results: Path, ranks: Together) -> Iterator[None]:
    """The cell is these ranks' within the block, by the registry, which the first of them asks; its end is entered there.

    Raises `InputError` on every rank where another process trains the cell's trunk.
    """
    from kleiber.lab.faults import reason
    from kleiber.lab.registry import open_registry
    from kleiber.lab.registry.claims import beating, give_back, take
    from kleiber.lab.registry.worker import at_work
    from kleiber.lab.worker import take_up

    if not ranks.leads:
        _all_of_us(mine=True, cell=cell, ranks=ranks)
        yield
        return
    book = open_registry(registry_url(results))
    take_up(ladder, results, book)
    with at_work(results / "claims") as worker:
        _all_of_us(mine=take(book, [cell], worker) is not None, cell=cell, ranks=ranks)
        try:
            with beating(book, worker):
                yield
        except Exception as error:
            if (why := reason(error)) is not None:
                book.fail(cell.run, why, worker=worker.name)
            raise
        finally:
            take_up(ladder, results, book)
            give_back(book, worker)


def _all_of_us(*, mine: bool, cell: Cell, ranks: Together) -> None:
    if not ranks.agree(mine):
        raise InputError(
            "another process trains this run's trunk", found=cell.trunk, remedy="wait for it, or choose another --only"
        )


def _teacher_loss(cell: Cell, results: Path) -> float | None:
    if cell.distillation is None:
        return None
    row = finished(results, cell.distillation.teacher)
    assert row is not None, cell.distillation.teacher.run
    return row["loss"]


def _cells(ladder: Ladder, run: str | None) -> list[Cell]:
    """The cell of that run, teachers before their students, or all of them."""
    if run is None:
        return list(ladder.cells)
    for cell in ladder.cells:
        if cell.run == run:
            return [cell.distillation.teacher, cell] if cell.distillation else [cell]
    names = [cell.run for cell in ladder.cells]
    raise InputError("no such run in the ladder", found=run, remedy=did_you_mean(run, names), where="--only")


def _say(row: dict[str, Any], *, as_json: bool) -> None:
    sentence = f"{row['run']}: {row['params']:,} params on {row['tokens']:,} tokens: loss {row['loss']:.4f}"
    sys.stdout.write((json.dumps({"schema": RUN_SCHEMA, **row}) if as_json else sentence) + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node N -m kleiber.lab.parallel", description="Train runs of a ladder by N processes."
    )
    parser.add_argument("ladder", metavar="LADDER.toml")
    # Not `--run`, which torchrun takes for a beginning of its own `--run-path`.
    parser.add_argument("--only", metavar="NAME", help="only this run; without it every run that is missing")
    parser.add_argument("--results", metavar="FOLDER", help="where runs are kept [default: results/ beside the ladder]")
    parser.add_argument("--json", action="store_true", help="one line of JSON per finished run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
