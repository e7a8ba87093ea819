"""Whether rows are independent runs of one recipe: checkpoints, mixed populations, repeated seeds."""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.runs.audit.grouping import POPULATIONS, clusters, coded, combined, find, in_words, row_numbers
from kleiber.runs.table import RunTable

EVENLY = 0.02
LEAST_POINTS = 5


def checkpoints_as_runs(table: RunTable) -> Finding | None:
    """Points of one training run standing as runs of their own.

    Two signs: one `run` with several token counts, or, within one size (and otherwise equal text columns), at least
    five token counts at even steps with a loss that never rises, as a log has and a designed grid (geometric) has not.
    """
    axis = next((name for name in ("tokens", "examples", "step") if table.has(name)), None)
    if axis is None or len(table) < 2:
        return None
    named = _nested_by_run(table, axis)
    mask = named if named.any() else _evenly_spaced(table, axis)
    if not mask.any():
        evidence = "No run appears with several token counts, and none of the sizes has evenly spaced ones."
        return Finding(name="checkpoints as runs", verdict="ok", evidence=evidence, value=0.0)
    rows = row_numbers(table, mask)
    how = (
        "a run's name returns with other token counts"
        if named.any()
        else f"{axis} come at even steps along smooth curves"
    )
    return Finding(
        name="checkpoints as runs",
        verdict="problem",
        evidence=f"{len(rows)} rows look like checkpoints of the same training runs: {how} ({in_words(rows)}).",
        remedy="keep each run's last point, whose learning rate has decayed, or resample whole runs (--cluster run)",
        rows=rows,
        value=float(len(rows)),
        reference="Hoffmann et al. 2022 (arXiv:2203.15556), appendix B: an unfinished cosine overstates the loss",
    )


def _nested_by_run(table: RunTable, axis: str) -> np.ndarray:
    if not table.has("run"):
        return np.zeros(len(table), dtype=bool)
    runs = coded(table, "run")
    points = combined([runs, coded(table, axis)])
    distinct = np.bincount(runs[np.unique(points, return_index=True)[1]])
    return distinct[runs] > 1


def _evenly_spaced(table: RunTable, axis: str) -> np.ndarray:
    keys = [clusters(table.column("params"))] if table.has("params") else []
    keys += [coded(table, name) for name in table.columns if not table.is_numeric(name) and name != "run"]
    mask = np.zeros(len(table), dtype=bool)
    if not keys or len(table) < LEAST_POINTS:
        return mask
    values, loss, groups = table.column(axis), table.column("loss"), combined(keys)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        points, first = np.unique(values[members], return_index=True)
        gaps = np.diff(points)
        if len(points) >= LEAST_POINTS and np.ptp(gaps) < EVENLY * gaps.mean():
            mask[members] = bool(np.all(np.diff(loss[members[first]]) <= 0))
    return mask


def mixed_populations(table: RunTable) -> Finding | None:
    """Several families, tokenisers, datasets or tasks in one table: one law does not hold for all of them."""
    found = {
        name: sorted({str(word) for word in table.labels(name) if word not in (None, "")})
        for wanted in POPULATIONS
        if (name := find(table, wanted)) is not None
    }
    if not found:
        return None
    mixed = {name: kinds for name, kinds in found.items() if len(kinds) > 1}
    if not mixed:
        evidence = f"All rows share {', '.join(found)}."
        return Finding(name="mixed populations", verdict="ok", evidence=evidence, value=1.0)
    listed = "; ".join(
        f"{name}: {', '.join(kinds[:4])}{' ...' if len(kinds) > 4 else ''}" for name, kinds in mixed.items()
    )
    first, kinds = next(iter(mixed.items()))
    column = first if first.isidentifier() else f"`{first}`"
    return Finding(
        name="mixed populations",
        verdict="problem",
        evidence=f"The table mixes {listed}.",
        remedy=f"fit them apart (--where \"{column} == '{kinds[0]}'\") or compare them (kleiber compare)",
        value=float(max(len(kinds) for kinds in mixed.values())),
        caveats=("Losses of different tokenisers or evaluation sets cannot be compared per token.",),
    )


UNLIKE = 0.015
"""Repeats that certainly differ by more are hardly repeats: dense models differ by .8 %, sparse ones by 1 % (docs/ladders.md)."""


def seed_noise(table: RunTable) -> Finding | None:
    """The noise of the loss between repeats: runs equal in everything but seed, run name and what was measured."""
    if not (table.has("params") and table.has("tokens")):
        return None
    loss = np.log(table.column("loss"))
    groups = combined(coded(table, name) for name in table.columns if not varies_with_seed(table, name))
    counts = np.bincount(groups)
    freedom = int((counts - 1).sum())
    if freedom < 1:
        return Finding(
            name="seed noise",
            verdict="cannot tell",
            evidence="No cell was run twice, so the noise between seeds is unknown.",
            remedy="repeat two or three cells with another seed: the noise decides what a fit can resolve",
        )
    means = np.bincount(groups, loss) / counts
    squares = float(((loss - means[groups]) ** 2).sum())
    sigma = float(np.sqrt(squares / freedom))
    low, high = (np.sqrt(squares / chi_square_quantile(freedom, level)) for level in (0.975, 0.025))
    unlike = bool(low > UNLIKE)
    return Finding(
        name="seed noise",
        verdict="warning" if unlike else "ok",
        evidence=f"Repeats differ by {sigma:.2%} of the loss (one standard deviation; 95 % interval {low:.2%} to {high:.2%};"
        f" {int((counts > 1).sum())} repeated cells, {freedom} degrees of freedom).",
        remedy="more than seeds of one recipe do: are these two recipes, texts or tokenizers under one name?"
        if unlike
        else "",
        rows=row_numbers(table, counts[groups] > 1),
        value=sigma,
        interval=(float(low), float(high)),
    )


def varies_with_seed(table: RunTable, name: str) -> bool:
    """Whether a column may differ between repeats: what was measured, the run's name, and labels that belong to one seed each."""
    if name in ("seed", "run", "step", "flops") or any(part in name.lower() for part in ("loss", "seconds")):
        return True
    if table.is_numeric(name) or not table.has("seed"):
        return False
    seeds, labels = coded(table, "seed"), coded(table, name)
    pairs = len(set(zip(labels.tolist(), seeds.tolist(), strict=True)))
    return len(set(seeds.tolist())) > 1 and pairs == len(set(labels.tolist()))


def chi_square_quantile(freedom: int, level: float) -> float:
    """The chi-square quantile: twice the inverse of the regularised lower incomplete gamma function at freedom / 2.

    >>> round(chi_square_quantile(10, 0.975), 3)
    20.483
    """
    from scipy.special import gammaincinv

    return float(2 * gammaincinv(freedom / 2, level))
