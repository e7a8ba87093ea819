"""The recipe's known traps: warm-up, decay, tuning, repeated data."""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.runs.audit.grouping import best_of_cells, cells, find, in_words, row_numbers
from kleiber.runs.table import RunTable

LONG_WARMUP = 0.1
VERY_LONG_WARMUP = 0.25
DECAY_RANGE = (0.95, 1.1)
SPREAD = 0.01
EPOCHS_FREE = 4.0
PORIAN = "Porian et al. 2024 (arXiv:2406.19146): warm-up, decay and tuning move the exponent from .706 to .497"


def long_warmup(table: RunTable) -> Finding | None:
    """Warm-up that takes a large part of a run, as a fixed number of steps does in the smallest ones."""
    column = find(table, "warmup", "warmup_steps", "warmup_iters", "warmup_tokens", "warmup_fraction", "warmup_ratio")
    if column is None or not table.is_numeric(column):
        return None
    share = _warmup_share(table, column)
    if share is None:
        return Finding(
            name="long warm-up",
            verdict="cannot tell",
            evidence=f"{column!r} is given, but nothing says how long a run is in the same unit.",
            remedy="add a column warmup_tokens, or batch_tokens (tokens per step)",
            reference=PORIAN,
        )
    long = share > LONG_WARMUP
    rows, worst = row_numbers(table, long), float(np.nanmax(share))
    if not rows:
        evidence = f"Warm-up takes at most {100 * worst:.1f} % of a run."
        return Finding(name="long warm-up", verdict="ok", evidence=evidence, value=worst, reference=PORIAN)
    count = f"{len(rows)} runs" if len(rows) > 1 else "one run"
    return Finding(
        name="long warm-up",
        verdict="problem" if worst > VERY_LONG_WARMUP else "warning",
        evidence=f"Warm-up takes more than {100 * LONG_WARMUP:.0f} % of the tokens of {count}, "
        f"up to {100 * worst:.3g} % ({in_words(rows)}).",
        remedy="scale warm-up with the run (Porian et al. warm up over as many tokens as there are params), or drop them",
        rows=rows,
        value=worst,
        reference=PORIAN,
    )


def _warmup_share(table: RunTable, column: str) -> np.ndarray | None:
    warmup = table.column(column)
    if column.lower().endswith(("fraction", "ratio")) or np.nanmax(warmup) <= 1:
        return warmup
    if column.lower().endswith("tokens"):
        return warmup / table.column("tokens") if table.has("tokens") else None
    steps = find(table, "steps", "train_steps", "max_steps", "n_steps", "step")
    if steps is not None and table.is_numeric(steps):
        return warmup / table.column(steps)
    if table.has("batch_tokens") and table.has("tokens"):
        return warmup * table.column("batch_tokens") / table.column("tokens")
    return None


def unmatched_decay(table: RunTable) -> Finding | None:
    """A learning-rate decay planned for another length than the run's, or several kinds of schedule in one table."""
    horizon = find(table, "decay_tokens", "lr_decay_tokens", "decay_steps", "lr_decay_steps", "lr_decay_iters")
    if horizon is not None and table.is_numeric(horizon):
        return _horizon(table, horizon)
    schedule = find(table, "schedule", "lr_schedule", "lr_scheduler", "lr_scheduler_type", "scheduler")
    if schedule is None:
        return None
    kinds = sorted({str(kind) for kind in table.labels(schedule) if kind is not None})
    if len(kinds) <= 1:
        evidence = f"Every run has the schedule {kinds[0] if kinds else 'unknown'!r}."
        return Finding(name="unmatched decay", verdict="ok", evidence=evidence, reference=PORIAN)
    return Finding(
        name="unmatched decay",
        verdict="warning",
        evidence=f"The table mixes learning-rate schedules: {', '.join(kinds)}.",
        remedy="fit one schedule at a time",
        reference=PORIAN,
    )


def _horizon(table: RunTable, column: str) -> Finding | None:
    length = "tokens" if column.lower().endswith("tokens") else find(table, "steps", "train_steps", "max_steps", "step")
    if length is None or not table.has(length):
        return None
    ratio = table.column(column) / table.column(length)
    off = (ratio < DECAY_RANGE[0]) | (ratio > DECAY_RANGE[1])
    span = f"the decay is planned for {np.nanmin(ratio):.2f} to {np.nanmax(ratio):.2f} of a run's length"
    if not off.any():
        return Finding(name="unmatched decay", verdict="ok", evidence=f"{span[0].upper()}{span[1:]}.", reference=PORIAN)
    rows = row_numbers(table, off)
    return Finding(
        name="unmatched decay",
        verdict="problem",
        evidence=f"In {len(rows)} runs the decay does not end with the run ({in_words(rows)}); {span}.",
        remedy="keep runs whose decay ends with them: an unfinished one overstates the loss",
        rows=rows,
        value=float(off.mean()),
        reference="Hoffmann et al. 2022 (arXiv:2203.15556), appendix B: a cosine 25 % too long costs measurably",
    )


def untuned(table: RunTable) -> Finding | None:
    """What the table shows of tuning: a sweep within cells (keep the best), a best at the sweep's edge, or none at all."""
    knobs = [
        name for name in (_knob(table, "lr"), _knob(table, "batch_tokens", "bs", "batch_size", "global_bs")) if name
    ]
    if not knobs or not (table.has("params") and table.has("tokens")):
        return None
    codes, loss = cells(table), table.column("loss")
    swept = [name for name in knobs if _varies_within(codes, table.column(name))]
    if swept:
        return _sweep(table, swept, codes, np.log(loss))
    flat = [name for name in knobs if len(np.unique(table.column(name))) == 1 and name == knobs[0]]
    if flat and len(np.unique(codes)) > 3:
        return Finding(
            name="untuned runs",
            verdict="warning",
            evidence=f"{flat[0]} is {table.column(flat[0])[0]:.3g} in every run, whatever its size.",
            remedy="tune it at two sizes, or take it from a law (step-lr); untuned small runs steepen the curve",
            reference=PORIAN,
        )
    return Finding(
        name="untuned runs",
        verdict="cannot tell",
        evidence=f"{' and '.join(knobs)} vary between cells, never within one, so nothing shows that they were tuned.",
        remedy="sweep them in one small and one large cell",
        reference=PORIAN,
    )


def _knob(table: RunTable, *names: str) -> str | None:
    column = find(table, *names)
    return column if column is not None and table.is_numeric(column) else None


def _varies_within(codes: np.ndarray, values: np.ndarray) -> bool:
    top, bottom = np.full(codes.max() + 1, -np.inf), np.full(codes.max() + 1, np.inf)
    np.maximum.at(top, codes, values)
    np.minimum.at(bottom, codes, values)
    return bool((top > bottom).any())


def _sweep(table: RunTable, swept: list[str], codes: np.ndarray, log_loss: np.ndarray) -> Finding:
    best = best_of_cells(table)
    above = log_loss - log_loss[best][codes]
    worse = above > SPREAD
    edges = np.zeros(len(table), dtype=bool)
    for name in swept:
        edges |= _at_edge(codes, table.column(name), best)
    rows = row_numbers(table, worse)
    at_edge = in_words(row_numbers(table, edges)) if edges.any() else ""
    edge = f" The best of {int(edges.sum())} cells lies at the edge of its sweep ({at_edge})." if at_edge else ""
    return Finding(
        name="untuned runs",
        verdict="problem" if len(rows) > 0.1 * len(table) else "warning",
        evidence=f"{' and '.join(swept)} are swept within cells: {len(rows)} of {len(table)} rows lie more than {SPREAD:.0%}"
        f" above the best of their cell.{edge}",
        remedy="keep the best run of each cell before fitting the loss: kleiber.runs.best(runs)",
        rows=rows,
        value=float(worse.mean()),
        reference=PORIAN,
    )


def _at_edge(codes: np.ndarray, values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Which rows are a cell's best with a swept value that is its cell's smallest or largest, shape (R,)."""
    found = np.zeros(len(codes), dtype=bool)
    for row in best:
        inside = values[codes == codes[row]]
        found[row] = len(np.unique(inside)) > 2 and values[row] in (inside.min(), inside.max())
    return found


def repeated_data(table: RunTable, inputs: frozenset[str] = frozenset()) -> Finding | None:
    """Runs that saw their unique tokens more than once: a law without `unique_tokens` expects too much of them."""
    if table.has("unique_tokens") and table.has("tokens"):
        epochs = table.column("tokens") / table.column("unique_tokens")
    elif table.has("epochs"):
        epochs = table.column("epochs")
    else:
        return None
    repeated = epochs > 1 + 1e-6
    most = float(np.nanmax(epochs))
    if not repeated.any():
        evidence = "No run repeats its data."
        return Finding(name="repeated data", verdict="ok", evidence=evidence, value=most)
    rows = row_numbers(table, repeated)
    if "unique_tokens" in inputs:
        evidence = f"{len(rows)} of {len(table)} runs repeat their data, up to {most:.3g} times, and the law knows it."
        return Finding(name="repeated data", verdict="ok", evidence=evidence, value=most)
    return Finding(
        name="repeated data",
        verdict="problem" if most > EPOCHS_FREE else "warning",
        evidence=f"{len(rows)} of {len(table)} runs repeat their data, up to {most:.3g} times ({in_words(rows)}).",
        remedy="fit --law data-constrained, or keep --where 'tokens <= unique_tokens'",
        rows=rows,
        value=most,
        reference="Muennighoff et al. 2023 (arXiv:2305.16264): up to 4 epochs are almost as good as new data",
    )
