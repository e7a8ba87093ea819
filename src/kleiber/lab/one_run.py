"""One run from its configuration to its row: the trunk to the branch point, the decay, the measurement.

The way the data takes: a cell -> the latest checkpoint of its trunk, or a new model -> the trunk to the branch point, with
checkpoints on the way -> the decay -> held-out loss -> a row. The one idea: every step follows from the configuration alone, so
that a run that was killed at any moment ends on the same bits when it is trained again from what was kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus
from kleiber.lab.corruption import spoil
from kleiber.lab.curve import Recorder
from kleiber.lab.faults import Diverged
from kleiber.lab.folder import write_json
from kleiber.lab.listener import Listener, Listening, audience
from kleiber.lab.row import row_of

if TYPE_CHECKING:
    from kleiber.lab.ranks import Ranks
    from kleiber.lab.teacher import Teacher
    from kleiber.lab.train import State, Trainer

TOKENS_BETWEEN_CHECKPOINTS = 2_000_000


def train_cell(
    cell: Cell,
    corpus: Corpus,
    results: Path,
    *,
    hardware: str,
    keep: bool = False,
    teacher_loss: float | None = None,
    listening: Sequence[Listening] = (),
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Bring the cell's trunk to its branch point, decay, measure, write the finished run down; `keep` its weights to teach.

    `teacher_loss` is what a student's row says of its teacher; `listening` hears every step. Where several `ranks` train
    the run each must call this, and the first of them writes. Raises `Diverged` where the loss is no longer a number, and
    whatever a listener raises.
    """
    recorder = Recorder(results, cell.run, writes=ranks is None or ranks.leads)
    with audience(cell, recorder, listening) as present:
        trainer = _trained(cell, corpus, results, recorder, present, ranks)
        row = {**_measured(cell, corpus, trainer, teacher_loss), "wall_seconds": round(recorder.seconds(), 1)}
        row["hardware"] = hardware
        # The weights first: a finished run that should teach could not without them.
        if keep:
            _save(trainer.state(), results / "teachers" / f"{cell.run}.npz", ranks)
        if ranks is None or ranks.leads:
            write_json(results / "runs" / f"{cell.run}.json", row)
        present.row = row
    return row


def _measured(cell: Cell, corpus: Corpus, trainer: Trainer, teacher_loss: float | None) -> dict[str, Any]:
    """The row of a trained model."""
    held = trainer.held_out()
    if not math.isfinite(held.loss):
        raise Diverged(trainer.step)
    row = row_of(
        cell,
        corpus,
        trainer.corpus,
        held=held,
        max_violation=trainer.max_violation(),
        teacher_loss=teacher_loss,
    )
    # Last: the lines it reads again would count among those that the experts' load is measured on.
    if (answers := trainer.answer_loss()) is not None:
        row["answer_loss"] = answers
    return row


def _save(state: State, path: Path, ranks: Ranks | None) -> None:
    """Written by the first rank; every rank was asked for the state, as each holds a part of it."""
    if ranks is None or ranks.leads:
        state.save(path)


def _trained(
    cell: Cell,
    corpus: Corpus,
    results: Path,
    recorder: Recorder,
    listener: Listener,
    ranks: Ranks | None = None,
) -> Trainer:
    """The cell's model at its end."""
    from kleiber.lab.ranks import ALONE
    from kleiber.lab.train import State, Trainer

    teacher = _teacher(cell, corpus, results, ranks)
    spoilt = spoil(corpus, cell.data)
    # Ranks exchange parts of the model between its layers, which a compiled graph would have to be broken for.
    recipe = cell.recipe if ranks is None else replace(cell.recipe, compile=False)
    trainer = Trainer(
        cell.shape,
        recipe,
        spoilt,
        seed=cell.seed,
        teacher=teacher,
        listeners=(listener,),
        ranks=ranks or ALONE,
    )
    branch_step = cell.recipe.branch_step(cell.tokens)
    trunk = results / "trunks" / cell.trunk
    checkpoint = _latest_checkpoint(trunk, branch_step)
    if ranks is not None:
        step = ranks.agree(int(checkpoint.stem) if checkpoint else 0)
        checkpoint = trunk / f"{step}.npz" if step else None
    if checkpoint is not None:
        trainer.restore(State.load(checkpoint))
        recorder.go_on_from(checkpoint)
    if trainer.step < branch_step:
        _train_trunk(trainer, branch_step, trunk, recorder, ranks)
    trainer.train_branch(cell.tokens)
    return trainer


def _teacher(cell: Cell, corpus: Corpus, results: Path, ranks: Ranks | None = None) -> Teacher | None:
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
        recorder = Recorder(results, source.run, writes=ranks is None or ranks.leads)
        _save(_trained(source, corpus, results, recorder, recorder, ranks).state(), path, ranks)
        if ranks is not None:
            ranks.agree(0)  # the others read it after it is written
    trainer = Trainer(source.shape, replace(source.recipe, compile=False), spoil(corpus, source.data), seed=source.seed)
    trainer.restore(State.load(path))
    model = trainer.model.eval().requires_grad_(False)
    return Teacher(model=model, temperature=taught.temperature, mixture=taught.mixture)


def _train_trunk(trainer: Trainer, branch_step: int, folder: Path, recorder: Recorder, ranks: Ranks | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    steps_between = max(1, TOKENS_BETWEEN_CHECKPOINTS // trainer.recipe.batch_tokens)
    while trainer.step < branch_step:
        trainer.train_trunk(min(branch_step, trainer.step + steps_between))
        state = trainer.state()
        # What is no number any more is not kept: every run of this trunk would go on from it.
        if not np.isfinite(state.weights_P).all():
            raise Diverged(trainer.step)
        path = folder / f"{trainer.step}.npz"
        # The clock and the curve first: without them a checkpoint could not be taken up again.
        recorder.keep_beside(path)
        _save(state, path, ranks)


def _latest_checkpoint(folder: Path, until_step: int) -> Path | None:
    steps = [int(path.stem) for path in folder.glob("[0-9]*.npz")] if folder.is_dir() else []
    usable = [step for step in steps if step <= until_step]
    return folder / f"{max(usable)}.npz" if usable else None
