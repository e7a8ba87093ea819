"""How things are counted: params, FLOPs and the unit of the loss."""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.runs.audit.grouping import find, given, in_words, row_numbers
from kleiber.runs.table import RunTable

AGREES = 0.01
PLAUSIBLE = {"nats_per_token": (1.0, 12.5), "bits_per_byte": (0.4, 8.0), "nats_per_byte": (0.28, 5.55)}
"""A uniform guess costs ln V nats per token (12.5 for V = 268k), 8 bits or 5.55 nats per byte; text below about 0.4 bits
per byte, or 1 nat per token, is memorised."""

PORIAN = "Porian et al. 2024 (arXiv:2406.19146): counting the last layer moves the exponent from .835 to .706"


def params_definition(table: RunTable) -> Finding | None:
    """Whether it is known what `params` counts."""
    if not table.has("params"):
        return None
    word = table.conventions.params
    if word != "unknown":
        evidence = f"params are {word.replace('_', '-')}."
        return Finding(name="params definition", verdict="ok", evidence=evidence, reference=PORIAN)
    other = find(table, "non_embedding_params", "params_non_embedding", "params_no_embed")
    hint = f" The table also has {other!r}." if other else ""
    return Finding(
        name="params definition",
        verdict="warning",
        evidence=f"Nothing says whether params are total, non-embedding or active.{hint}",
        remedy="state it: the exponents of small models depend on it",
        reference=PORIAN,
    )


def flops_against_6nd(table: RunTable) -> Finding | None:
    """Whether FLOPs agree with 6 x params x tokens, where all three were given."""
    if not given(table, "params", "tokens", "flops"):
        return None
    counted = "active_params" if table.has("active_params") else "params"
    ratio = table.column("flops") / (6 * table.column(counted) * table.column("tokens"))
    low, median, high = (float(np.quantile(ratio, level)) for level in (0.0, 0.5, 1.0))
    span = f"C / (6 N D) is {median:.3g} in the median ({low:.3g} to {high:.3g})"
    if max(abs(low - 1), abs(high - 1)) <= AGREES:
        return Finding(name="flops against 6ND", verdict="ok", evidence=f"{span}.", value=median, interval=(low, high))
    slope = _slope(np.log(table.column(counted)), np.log(ratio))
    drift = (
        f"; it drifts with size as N^{slope:+.3f}, as counts of embeddings or attention do" if abs(slope) > 0.01 else ""
    )
    off = np.abs(ratio / median - 1) > 0.1
    rows = row_numbers(table, off)
    odd = f" {len(rows)} rows are more than 10 % off the median ({in_words(rows)})." if rows else ""
    return Finding(
        name="flops against 6ND",
        verdict="warning" if table.conventions.flops == "counted" else "problem",
        evidence=f"{span}{drift}.{odd}",
        remedy="state --conventions flops=counted if the trainer counted them, or find which of the three is counted otherwise",
        rows=rows,
        value=median,
        interval=(low, high),
        reference=PORIAN,
    )


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    spread = x - x.mean()
    return float(spread @ y / max(float(spread @ spread), 1e-300))


def loss_unit(table: RunTable) -> Finding | None:
    """Whether the unit of the loss is known, and the losses are possible in it."""
    if not table.has("loss"):
        return None
    unit, loss = table.conventions.loss, table.column("loss")
    if unit == "unknown":
        fitting = [name for name, (low, high) in PLAUSIBLE.items() if low <= np.median(loss) <= high]
        return Finding(
            name="loss unit",
            verdict="warning",
            evidence="Nothing says in which unit the loss is; its median"
            f" {np.median(loss):.3g} would be possible in {' or '.join(fitting) or 'none of those known'}.",
            remedy="state nats per token (with the tokeniser), or bits per byte, which compares across tokenisers",
        )
    low, high = PLAUSIBLE[unit]
    outside = (loss < low) | (loss > high)
    if not outside.any():
        evidence = f"All losses are possible in {unit.replace('_', ' ')} ({low} to {high})."
        return Finding(name="loss unit", verdict="ok", evidence=evidence)
    rows = row_numbers(table, outside)
    return Finding(
        name="loss unit",
        verdict="problem" if outside.mean() > 0.5 else "warning",
        evidence=f"{len(rows)} losses are hardly possible in {unit.replace('_', ' ')} ({in_words(rows)}).",
        remedy="check the unit: bits are nats / ln 2, and a token is several bytes",
        rows=rows,
        value=float(outside.mean()),
    )
