"""A rung off its neighbours: one size whose runs all lie above (or below) what the other sizes lead one to expect.

One idea: a smooth surface is fitted robustly, only to take the curvature out; then each size's median residual is held
against the line through its neighbours', so that what the surface misses smoothly cancels too. Surface and scale come
from the other sizes; the scale is the scatter within sizes, or among them where that is larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kleiber import quantity
from kleiber.finding import Finding
from kleiber.runs.audit.grouping import best_of_cells, clusters, in_words, row_numbers, split
from kleiber.runs.table import RunTable

THRESHOLD = 4.0
"""|z| from which a rung is named. Measured on 200 clean ladders of each kind (four budgets a size or a grid of six, 5 to
12 sizes, noise 0.3 %): 0 to 3 % name a rung by chance, and one that lies 2 % off is found in 50 % (5 sizes) to 98 % (12).
`tests/runs/test_audit_rungs.py` repeats the measurement."""

SMALLEST_OFFSET = 0.003
LEAST_SIZES = 5
MANY_SIZES = 10
LEAST_FREEDOM = 8
EXPONENTS = np.linspace(0.1, 0.8, 8)
REFINEMENTS = 6
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Rungs:
    """Per size: log params, offset of the log loss from its neighbours, and that offset in standard deviations, shape (K,)."""

    log_params: np.ndarray
    offsets: np.ndarray
    z: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Off:
    """A rung that was named: its size in params, its rows' numbers, offset in log loss and z."""

    params: float
    numbers: tuple[int, ...]
    offset: float
    z: float


def rung_off_neighbours(table: RunTable) -> Finding | None:
    """Sizes whose loss lies off their neighbours': an undertuned (above) or differently measured (below) run.

    Of each cell the best run counts; populations (family, dataset ...) are looked at apart. Needs five sizes and eight
    runs more than sizes, or ten sizes.
    """
    if not all(table.has(name) for name in ("params", "tokens", "loss")):
        return None
    looked = [named for part in split(table) if (named := _named(part)) is not None]
    if not looked:
        return None
    named = [each for part in looked for each in part]
    if not named:
        evidence = "Each size lies where its neighbours lead one to expect."
        return Finding(name="rung off its neighbours", verdict="ok", evidence=evidence, value=0.0)
    rows = tuple(sorted(number for each in named for number in each.numbers))
    listed = "; ".join(
        f"{quantity.show(each.params)} lies {abs(np.expm1(each.offset)):.1%} "
        f"{'above' if each.offset > 0 else 'below'} (z = {each.z:.1f})"
        for each in named
    )
    return Finding(
        name="rung off its neighbours",
        verdict="problem",
        evidence=f"In loss, {listed} what the neighbouring sizes lead one to expect ({in_words(rows)}).",
        remedy="a rung above is most often undertuned: sweep its learning rate again, or leave the size out and compare",
        rows=rows,
        value=max((each.offset for each in named), key=abs),
        caveats=("About 2 % of clean tables name a rung by chance.",),
    )


def rungs_off(table: RunTable) -> tuple[Off, ...]:
    """Every rung that the check names, in whichever population."""
    return tuple(each for part in split(table) for each in _named(part) or ())


def _named(table: RunTable) -> list[Off] | None:
    """The rungs of one population that lie off, worst first; None where there are too few sizes to tell."""
    best = best_of_cells(table)
    params, tokens, loss = (table.column(name)[best] for name in ("params", "tokens", "loss"))
    sizes = clusters(params)
    left = np.unique(sizes)
    if len(left) < LEAST_SIZES or (len(left) < MANY_SIZES and len(best) - len(left) < LEAST_FREEDOM):
        return None
    design = smooth_design(params, tokens, loss)
    named: list[Off] = []
    while len(left) >= LEAST_SIZES and len(named) < MOST_NAMED:
        inside = np.isin(sizes, left)
        rungs = off_neighbours(np.log(params[inside]), design[inside], sizes[inside])
        k = int(np.argmax(np.abs(rungs.z)))
        if abs(rungs.z[k]) < THRESHOLD or abs(rungs.offsets[k]) < SMALLEST_OFFSET:
            break
        numbers = row_numbers(table, best[sizes == left[k]])
        size = float(np.exp(rungs.log_params[k]))
        named.append(Off(params=size, numbers=numbers, offset=float(rungs.offsets[k]), z=float(rungs.z[k])))
        left = np.delete(left, k)
    return named


def smooth_design(params: np.ndarray, tokens: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The columns 1, N^-a, D^-b over the loss, shape (R, 3), with the a and b of the best robust fit.

    E, A and B are linear given a and b; those come from a grid, refined around its best point by halving the step.
    """
    n, d = params / np.exp(np.log(params).mean()), tokens / np.exp(np.log(tokens).mean())

    def design_at(a: float, b: float) -> np.ndarray:
        return np.stack([np.ones_like(n), n**-a, d**-b], axis=1) / loss[:, None]

    def misfit(at: tuple[float, float]) -> float:
        design = design_at(*at)
        return float(np.abs(1 - design @ _robust(design)).sum())

    found = {(float(a), float(b)): misfit((a, b)) for a in EXPONENTS for b in EXPONENTS}
    best, step = min(found, key=found.__getitem__), float(EXPONENTS[1] - EXPONENTS[0])
    for _ in range(REFINEMENTS):
        step /= 2
        around = [(best[0] + i * step, best[1] + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        found |= {at: misfit(at) for at in around if at not in found}
        best = min(found, key=found.__getitem__)
    return design_at(*best)


def _robust(design_R3: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Coefficients of 1 ~ design by least squares reweighted with Huber's weights, shape (3,)."""
    weights = np.ones(len(design_R3))
    solution = np.zeros(3)
    for _ in range(rounds):
        scaled = design_R3 * weights[:, None]
        solution = np.linalg.lstsq(scaled.T @ design_R3, scaled.sum(axis=0), rcond=1e-12)[0]
        residual = np.abs(1 - design_R3 @ solution)
        scale = 1.4826 * np.median(residual) + 1e-12
        weights = np.minimum(1, 1.345 * scale / np.maximum(residual, 1e-300))
    return solution


def off_neighbours(log_params: np.ndarray, design_R3: np.ndarray, sizes: np.ndarray) -> Rungs:
    """Each size against its neighbours, the surface and the scale both taken from the other sizes."""
    kinds, counts = np.unique(sizes, return_counts=True)
    codes = np.searchsorted(kinds, sizes)
    x = np.bincount(codes, log_params) / counts
    variance = np.where(counts > 2, np.pi / 2, 1.0) / counts
    within = _within(1 - design_R3 @ _robust(design_R3), codes, counts)
    off, z = np.empty(len(kinds)), np.empty(len(kinds))
    for k in range(len(kinds)):
        residual = 1 - design_R3 @ _robust(design_R3[codes != k])
        middle = np.array([np.median(residual[codes == code]) for code in range(len(kinds))])
        others = np.delete(np.arange(len(kinds)), k)
        rest, rest_spread = _against_line(x[others], middle[others], variance[others])
        among = float(np.sqrt(np.mean((rest / rest_spread) ** 2)))
        offs, spreads = _against_line(x, middle, variance)
        off[k], z[k] = offs[k], offs[k] / (spreads[k] * max(among, within, 1e-12))
    return Rungs(log_params=x, offsets=off, z=z)


def _against_line(x: np.ndarray, middle: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each value less the line through its two nearest ones, and that difference's spread per unit scatter, shape (K,)."""
    off, spread = np.empty(len(x)), np.empty(len(x))
    for k in range(len(x)):
        i, j = _nearest(k, len(x))
        share = (x[k] - x[i]) / (x[j] - x[i])
        off[k] = middle[k] - (1 - share) * middle[i] - share * middle[j]
        spread[k] = np.sqrt(variance[k] + (1 - share) ** 2 * variance[i] + share**2 * variance[j])
    return off, spread


def _within(residual: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> float:
    """The scatter of runs about their size's median, 0 where too few degrees of freedom are left."""
    freedom = len(residual) - len(counts)
    if freedom < LEAST_FREEDOM:
        return 0.0
    medians = np.array([np.median(residual[codes == code]) for code in range(len(counts))])
    inner = np.abs(residual - medians[codes])[counts[codes] > 1]
    return float(1.4826 * np.median(inner) * np.sqrt(len(residual) / freedom))


def _nearest(k: int, count: int) -> tuple[int, int]:
    if k == 0:
        return 1, 2
    return (k - 1, k + 1) if k < count - 1 else (k - 2, k - 1)
