"""What is wrong with a table, before anything is fitted to it: one function per check, listed here.

A check takes a `RunTable` and gives a `Finding`, or None where it does not apply. Checks that need a fit stand beside
the fit. Adding one: write `check(table) -> Finding | None` and list it in `CHECKS`; the tests want a table on which it
speaks and a clean one on which it is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kleiber.finding import Finding
from kleiber.runs.audit.conditions import varied_conditions
from kleiber.runs.audit.counting import flops_against_6nd, loss_unit, params_definition
from kleiber.runs.audit.coverage import compute_range, params_apart_from_tokens, sizes_and_budgets
from kleiber.runs.audit.grouping import best_of_cells
from kleiber.runs.audit.independence import checkpoints_as_runs, mixed_populations, seed_noise
from kleiber.runs.audit.isoflop import isoflop_minima
from kleiber.runs.audit.provenance import digitised_figure, reporting_checklist
from kleiber.runs.audit.recipe import long_warmup, repeated_data, unmatched_decay, untuned
from kleiber.runs.audit.rows import beaten_by_smaller, exact_duplicates, fewer_tokens_than_params
from kleiber.runs.audit.rungs import rung_off_neighbours
from kleiber.runs.audit.units import mixed_units
from kleiber.runs.table import RunTable

Check = Callable[..., Finding | None]

CHECKS: tuple[Check, ...] = (
    exact_duplicates,
    mixed_units,
    fewer_tokens_than_params,
    beaten_by_smaller,
    rung_off_neighbours,
    isoflop_minima,
    checkpoints_as_runs,
    mixed_populations,
    varied_conditions,
    repeated_data,
    untuned,
    long_warmup,
    unmatched_decay,
    params_definition,
    flops_against_6nd,
    loss_unit,
    sizes_and_budgets,
    params_apart_from_tokens,
    compute_range,
    seed_noise,
    digitised_figure,
    reporting_checklist,
)


OF_A_LAW = (varied_conditions, repeated_data)
"""Those that look at what a law takes as an input beside params and tokens."""


def audit(table: RunTable, *, inputs: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Every check that applies to `table`, in the order of `CHECKS`; `inputs` are those of the law that will be fitted.

    >>> runs = RunTable.of({"params": [1e6, 1e6], "tokens": [1e7, 1e7], "loss": [3.0, 3.0]})
    >>> audit(runs)[0].verdict, audit(runs)[0].rows
    ('problem', (2,))
    """
    known = frozenset(inputs)
    found = (check(table, known) if check in OF_A_LAW else check(table) for check in CHECKS)
    return tuple(finding for finding in found if finding is not None)


def best(table: RunTable) -> RunTable:
    """The run with the lowest loss of each (params, tokens) cell: what a sweep of learning rate or batch leaves.

    >>> runs = RunTable.of({"params": [1e6, 1e6], "tokens": [1e7, 1e7], "lr": [0.01, 0.1], "loss": [3.0, 3.5]})
    >>> best(runs).column("lr").tolist()
    [0.01]
    """
    from dataclasses import replace

    kept = table.take(sorted(best_of_cells(table)))
    return replace(kept, steps=(*table.steps, f"the best of each of {len(kept)} cells (of {len(table)} rows)"))


__all__ = ["CHECKS", "audit", "best"]
