"""What is written down of a run: one column per fact that a law, a check or a reader may ask for.

The one idea: most of a row follows from the configuration and is known before training; a run that fails has it too.
"""

from __future__ import annotations

from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus
from kleiber.lab.dial import Shape
from kleiber.lab.experiment import data_columns, known, text_columns
from kleiber.lab.held_out import HeldOut
from kleiber.lab.shape import DenseShape


def row_of(
    cell: Cell,
    corpus: Corpus,
    seen: Corpus,
    *,
    held: HeldOut | None = None,
    max_violation: float | None = None,
    teacher_loss: float | None = None,
) -> dict[str, Any]:
    """The row of a run on `corpus`, which trained on `seen` (the same text, spoilt or not); without a loss if it failed."""
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
        **_expert_columns(shape),
        "max_violation": max_violation,
        "tokens": cell.tokens,
        "unique_tokens": seen.unique_seen(cell.tokens),
        "flops": float(shape.flops_per_token * cell.tokens),
        "flops_counted": float(shape.counted_flops_per_token * cell.tokens),
        **_loss_columns(held),
        **({} if recipe.precision == "auto" else {"precision": recipe.precision}),
        **({} if shape.rotary_base is None else {"rotary_base": shape.rotary_base}),
        "batch_tokens": recipe.batch_tokens,
        "lr": recipe.peak_lr(shape.width),
        "warmup_tokens": recipe.warmup_tokens,
        "decay_fraction": recipe.decay_fraction,
        "schedule": "warmup-constant-linear",
        "seed": cell.seed,
        "corpus_sha256": corpus.sha256,
        **text_columns(corpus, held),
        **_teacher_columns(cell, teacher_loss),
        **data_columns(cell),
    }


def _loss_columns(held: HeldOut | None) -> dict[str, float | None]:
    return {"loss": held.loss if held else None, "loss_se": known(held.loss_se) if held else None}


def _expert_columns(shape: Shape) -> dict[str, Any]:
    """What laws of experts need; a model without experts is one of a single expert, always used."""
    setting = None if isinstance(shape, DenseShape) else shape.experts
    balance = {"balance": setting.balance} if setting and setting.count > 1 else {}
    return {
        **balance,
        "experts": setting.count if setting else 1,
        "chosen": setting.chosen if setting else 1,
        "granularity": setting.granularity if setting else 1,
        "activation_ratio": setting.share if setting else 1.0,
    }


def _teacher_columns(cell: Cell, teacher_loss: float | None) -> dict[str, Any]:
    """Who taught a student and what that cost; nothing for a run without a teacher."""
    if cell.distillation is None:
        return {}
    return {**cell.distillation.facts(), "teacher_loss": teacher_loss, "teacher_flops": cell.teacher_flops}
