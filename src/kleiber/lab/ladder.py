"""Run a ladder: any number of processes, killed at any moment, never lose a finished run nor do one twice.

A results folder holds one JSON per finished run (`runs/`), the trunks' checkpoints at every branch point (`trunks/`), the
weights of runs that teach others (`teachers/`) and a lock file per trunk (`claims/`). A worker takes the first unfinished
cell, in the ladder's order, whose teacher is finished and whose trunk nobody holds. The lock is the operating system's: it
goes when its holder does, so nothing stale is left by a kill.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kleiber.errors import KleiberError
from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.corruption import spoil
from kleiber.lab.description import Ladder, read_ladder
from kleiber.lab.dial import Shape
from kleiber.lab.experiment import data_columns, repetitions, text_columns
from kleiber.lab.shape import DenseShape
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.tokenizer import tokenized

if TYPE_CHECKING:
    from kleiber.lab.ranks import Ranks
    from kleiber.lab.teacher import Teacher
    from kleiber.lab.train import Trainer

POLL_SECONDS = 2.0


def run(ladder_toml: str | Path, results_dir: str | Path, *, workers: int = 1) -> Iterator[dict[str, Any]]:
    """Train what is missing of a ladder; yield each run as it finishes, those finished earlier first.

    With `workers=1` training happens in this process, else in that many processes of one thread each. Calling it
    again after a kill goes on from the last checkpoint; several calls may share a results folder, also from several
    machines where the file system locks across them.
    """
    ladder = read_ladder(ladder_toml)
    results = Path(results_dir)
    yielded: set[str] = set()
    for cell in ladder.cells:
        if (row := finished(results, cell)) is not None:
            yielded.add(cell.run)
            yield row
    if len(yielded) == len({cell.run for cell in ladder.cells}):
        return
    pending = [cell for cell in ladder.cells if cell.run not in yielded]
    corpus = tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
    for sentence in repetitions(pending, corpus):
        sys.stderr.write(f"kleiber: {sentence}\n")
    if workers == 1:
        yield from work(ladder, results)
    else:
        yield from _work_in_processes(ladder_toml, ladder, results, workers, yielded)


def work(ladder: Ladder, results: Path) -> Iterator[dict[str, Any]]:
    """Take cells one after the other until every cell is finished or in other hands; yield what this process trained."""
    for folder in ("runs", "trunks", "teachers", "claims"):
        (results / folder).mkdir(parents=True, exist_ok=True)
    corpus = tokenized(read_corpus(ladder.corpus), ladder.tokenizer, results)
    while pending := [cell for cell in ladder.cells if finished(results, cell) is None]:
        with one_quick_thread():
            row = _train_one_of(pending, ladder, corpus, results)
        if row is None:
            time.sleep(POLL_SECONDS)
        else:
            yield row


def _train_one_of(pending: list[Cell], ladder: Ladder, corpus: Corpus, results: Path) -> dict[str, Any] | None:
    """Train the first cell whose trunk is free and whose teacher is done; `None` if others hold them all."""
    for cell in pending:
        if cell.distillation and finished(results, cell.distillation.teacher) is None:
            continue
        with claim(results, cell.trunk) as mine:
            # Looked up again under the lock: another worker may have finished it in between.
            if mine and finished(results, cell) is None:
                keep = cell.run in ladder.teachers
                return train_cell(cell, corpus, results, hardware=ladder.hardware, keep=keep)
    return None


def train_cell(
    cell: Cell, corpus: Corpus, results: Path, *, hardware: str, keep: bool = False, ranks: Ranks | None = None
) -> dict[str, Any]:
    """Bring the cell's trunk to its branch point, decay, measure, write the finished run down; `keep` its weights to teach.

    Where several `ranks` train it, each must call this; the first of them writes.
    """
    began = time.perf_counter()
    trainer, seconds_before = _trained(cell, corpus, results, began, ranks)
    held = trainer.held_out()
    row = {
        **_row(cell, corpus, trainer, held.loss, held.loss_se),
        **text_columns(corpus, held),
        **_teacher_columns(cell, results),
        **data_columns(cell),
    }
    # Last: the lines it reads again would count among those that the experts' load is measured on.
    if (answers := trainer.answer_loss()) is not None:
        row["answer_loss"] = answers
    row["wall_seconds"] = round(seconds_before + time.perf_counter() - began, 1)
    row["hardware"] = hardware
    # The weights first: a finished run that should teach could not without them.
    if keep:
        _save(trainer, results / "teachers" / f"{cell.run}.npz", ranks)
    if ranks is None or ranks.leads:
        write_json(results / "runs" / f"{cell.run}.json", row)
    return row


def _save(trainer: Trainer, path: Path, ranks: Ranks | None) -> None:
    """Asked of every rank, as each holds a part of the state; written by the first."""
    state = trainer.state()
    if ranks is None or ranks.leads:
        state.save(path)


def _trained(
    cell: Cell, corpus: Corpus, results: Path, began: float, ranks: Ranks | None = None
) -> tuple[Trainer, float]:
    """The cell's model at its end, and the seconds spent on it before `began`."""
    from kleiber.lab.ranks import ALONE
    from kleiber.lab.train import State, Trainer

    teacher = _teacher(cell, corpus, results, ranks)
    spoilt = spoil(corpus, cell.data)
    # Ranks exchange parts of the model between its layers, which a compiled graph would have to be broken for.
    recipe = cell.recipe if ranks is None else replace(cell.recipe, compile=False)
    trainer = Trainer(cell.shape, recipe, spoilt, seed=cell.seed, teacher=teacher, ranks=ranks or ALONE)
    branch_step = cell.recipe.branch_step(cell.tokens)
    seconds_before = 0.0
    checkpoint = _latest_checkpoint(results / "trunks" / cell.trunk, branch_step)
    if ranks is not None:
        step = ranks.agree(int(checkpoint.stem) if checkpoint else 0)
        checkpoint = results / "trunks" / cell.trunk / f"{step}.npz" if step else None
    if checkpoint is not None:
        trainer.restore(State.load(checkpoint))
        seconds_before = json.loads(checkpoint.with_suffix(".json").read_text())["wall_seconds"]
    if trainer.step < branch_step:
        _train_trunk(trainer, branch_step, results / "trunks" / cell.trunk, seconds_before, began, ranks)
    trainer.train_branch(cell.tokens)
    return trainer, seconds_before


def _teacher(cell: Cell, corpus: Corpus, results: Path, ranks: Ranks | None) -> Teacher | None:
    """Whom the cell learns from; nobody where the mixture leaves a teacher no say."""
    from kleiber.lab.teacher import Teacher
    from kleiber.lab.train import State, Trainer

    taught = cell.distillation
    if taught is None or taught.mixture == 0:
        return None
    source = taught.teacher
    path = results / "teachers" / f"{source.run}.npz"
    here = path.exists() if ranks is None else bool(ranks.agree(path.exists()))
    if not here:
        # It was finished before anyone wanted to learn from it: only its decay is trained again, from the trunk's checkpoint.
        _save(_trained(source, corpus, results, time.perf_counter(), ranks)[0], path, ranks)
        if ranks is not None:
            ranks.agree(0)  # the others read it after it is written
    trainer = Trainer(source.shape, replace(source.recipe, compile=False), spoil(corpus, source.data), seed=source.seed)
    trainer.restore(State.load(path))
    model = trainer.model.eval().requires_grad_(False)
    return Teacher(model=model, temperature=taught.temperature, mixture=taught.mixture)


def finished(results: Path, cell: Cell) -> dict[str, Any] | None:
    """The finished run of a cell, or `None` while there is none."""
    path = results / "runs" / f"{cell.run}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: temporary file, flush to disk, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _train_trunk(
    trainer: Trainer, branch_step: int, folder: Path, seconds_before: float, began: float, ranks: Ranks | None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    steps_between = max(1, 2_000_000 // trainer.recipe.batch_tokens)
    while trainer.step < branch_step:
        trainer.train_trunk(min(branch_step, trainer.step + steps_between))
        wall_seconds = seconds_before + time.perf_counter() - began
        path = folder / f"{trainer.step}.npz"
        # The clock first: a checkpoint without it could not be taken up again.
        if ranks is None or ranks.leads:
            write_json(path.with_suffix(".json"), {"wall_seconds": wall_seconds})
        _save(trainer, path, ranks)


def _latest_checkpoint(folder: Path, until_step: int) -> Path | None:
    steps = [int(path.stem) for path in folder.glob("[0-9]*.npz")] if folder.is_dir() else []
    usable = [step for step in steps if step <= until_step]
    return folder / f"{max(usable)}.npz" if usable else None


def _row(cell: Cell, corpus: Corpus, trainer: Trainer, loss: float, loss_se: float) -> dict[str, Any]:
    shape, recipe = cell.shape, cell.recipe
    return {
        "run": cell.run,
        "trunk": cell.trunk,
        "family": shape.family,
        "width": shape.width,
        "depth": shape.depth,
        "heads": shape.heads,
        "context": shape.context,
        "params": shape.params,
        "params_total": shape.params_total,
        "active_params": shape.active_params,
        "embedding_params": shape.embedding_params,
        **_expert_columns(shape, trainer),
        "tokens": cell.tokens,
        "unique_tokens": trainer.corpus.unique_seen(cell.tokens),
        "flops": float(shape.flops_per_token * cell.tokens),
        "flops_counted": float(shape.counted_flops_per_token * cell.tokens),
        "loss": loss,
        "loss_se": loss_se,
        "batch_tokens": recipe.batch_tokens,
        "lr": recipe.peak_lr(shape.width),
        "warmup_tokens": recipe.warmup_tokens,
        "decay_fraction": recipe.decay_fraction,
        "schedule": "warmup-constant-linear",
        "seed": cell.seed,
        "corpus_sha256": corpus.sha256,
    }


def _expert_columns(shape: Shape, trainer: Trainer) -> dict[str, Any]:
    """What laws of experts need; a model without experts is one of a single expert, always used."""
    setting = None if isinstance(shape, DenseShape) else shape.experts
    return {
        "experts": setting.count if setting else 1,
        "chosen": setting.chosen if setting else 1,
        "granularity": setting.granularity if setting else 1,
        "activation_ratio": setting.share if setting else 1.0,
        "max_violation": trainer.max_violation(),
    }


def _teacher_columns(cell: Cell, results: Path) -> dict[str, Any]:
    """Who taught a student and what that cost; nothing for a run without a teacher."""
    if cell.distillation is None:
        return {}
    taught = finished(results, cell.distillation.teacher)
    assert taught is not None, cell.distillation.teacher.run
    return {**cell.distillation.facts(), "teacher_loss": taught["loss"], "teacher_flops": cell.teacher_flops}


@contextmanager
def claim(results: Path, trunk: str) -> Iterator[bool]:
    """Whether this process holds the trunk within the block; nobody else does meanwhile."""
    file: IO[str]
    with (results / "claims" / trunk).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _work_in_processes(
    ladder_toml: str | Path, ladder: Ladder, results: Path, workers: int, yielded: set[str]
) -> Iterator[dict[str, Any]]:
    import multiprocessing

    # Spawned, not forked: a fork would inherit the threads of whatever the caller has loaded.
    context = multiprocessing.get_context("spawn")
    crew = [context.Process(target=_work_silently, args=(str(ladder_toml), str(results))) for _ in range(workers)]
    for process in crew:
        process.start()
    try:
        alive = True
        while alive:
            alive = any(process.is_alive() for process in crew)
            for cell in ladder.cells:
                if cell.run not in yielded and (row := finished(results, cell)) is not None:
                    yielded.add(cell.run)
                    yield row
            time.sleep(POLL_SECONDS if alive else 0)
    finally:
        for process in crew:
            process.terminate()
            process.join()
    if failed := [process.exitcode for process in crew if process.exitcode]:
        raise KleiberError(
            f"{len(failed)} of {workers} workers stopped early (exit codes {failed}); what they said is on stderr. "
            "Finished runs are kept: the same call goes on from there."
        )


def _work_silently(ladder_toml: str, results_dir: str) -> None:
    for _ in work(read_ladder(ladder_toml), Path(results_dir)):
        pass
