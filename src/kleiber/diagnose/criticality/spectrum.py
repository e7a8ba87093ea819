"""What the spectrum of a weight matrix says that noise of the same size would not.

The way the data takes: matrix W `(rows, columns)` -> eigenvalues of W'W / rows -> the edges of Marchenko and Pastur's law for
independent entries of the same variance -> the largest eigenvalue against its own scatter there (Tracy and Widom) -> only
where it lies beyond: how many do, and, of 50 or more, the power law of those. Independent entries have no tail, and a few
directions are no tail: no exponent is given for either.

Edges: variance (1 +- sqrt(columns / rows))^2, rows >= columns. Legend: E eigenvalues.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.criticality.sample import sample_of
from kleiber.diagnose.criticality.xmin import LEAST_TAIL, Start, find_start
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME, TAIL = "weight_spectrum", "spectral_tail"
REFERENCE = "Marchenko & Pastur 1967; Johnstone 2001, Annals of Statistics 29:295 (the largest eigenvalue)"
FEWEST = 20
TRACY_WIDOM_95 = 0.9793  # of the first kind; Johnstone 2001, table 1 prints 0.98


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Eigenvalues, the edges for noise of this variance, the limit for the largest of them, how many lie beyond, and the tail."""

    eigenvalues_E: Array
    edges: tuple[float, float]
    limit: float
    beyond: int
    tail: Start | None
    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        """Whether eigenvalues lie beyond what noise reaches."""
        return self.findings[0]


def weight_spectrum(weights: ArrayLike) -> Spectrum | Finding:
    """The spectrum of a matrix with at least 20 rows and columns, or the finding that it cannot be told.

    Raises `InputError` where an entry is not finite.

    >>> import numpy as np
    >>> found = weight_spectrum(np.random.default_rng(0).normal(size=(200, 100)))
    >>> np.round(found.edges, 2).tolist(), found.beyond, found.tail, found.finding.verdict
    ([0.09, 2.89], 0, None, 'ok')
    """
    matrix = np.asarray(weights, dtype=np.float64)
    if matrix.ndim != 2:
        raise InputError("a spectrum is that of a matrix", found=f"shape {matrix.shape}")
    numbers(matrix.ravel(), what="the matrix")
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    rows, columns = tall.shape
    if columns < FEWEST:
        return cannot_tell(
            NAME, f"A matrix of {matrix.shape[0]} × {matrix.shape[1]} is too small.", reference=REFERENCE
        )
    variance = float(tall.var())
    if variance == 0:
        return cannot_tell(NAME, "All weights are equal.", reference=REFERENCE)
    eigenvalues = np.sort(np.linalg.svd(tall - tall.mean(), compute_uv=False) ** 2 / rows)
    ratio = np.sqrt(columns / rows)
    edges = (variance * (1 - ratio) ** 2, variance * (1 + ratio) ** 2)
    near, far = np.sqrt(rows - 1), np.sqrt(columns)
    limit = variance * ((near + far) ** 2 + TRACY_WIDOM_95 * (near + far) * (1 / near + 1 / far) ** (1 / 3)) / rows
    beyond = int((eigenvalues > limit).sum())
    many = beyond >= LEAST_TAIL
    tail = find_start(sample_of(eigenvalues[eigenvalues > limit], discrete=False)) if many else None
    return Spectrum(
        eigenvalues_E=eigenvalues,
        edges=edges,
        limit=float(limit),
        beyond=beyond,
        tail=tail,
        findings=(_finding(matrix.shape, eigenvalues, edges, beyond), *([_tail(beyond, tail)] if beyond else [])),
    )


def _finding(shape: tuple[int, ...], eigenvalues: Array, edges: tuple[float, float], beyond: int) -> Finding:
    said = f"Of a matrix of {shape[0]} × {shape[1]} the largest eigenvalue is {eigenvalues[-1] / edges[1]:.2f} of noise's edge"
    if beyond:
        end = f"; {beyond} of {eigenvalues.size} lie beyond what noise reaches"
    else:
        end = "; it lies where that of independent entries does, so there is no tail to speak of"
    return Finding(
        name=NAME,
        verdict="found" if beyond else "ok",
        value=float(eigenvalues[-1] / edges[1]),
        evidence=f"{said}{end}.",
        caveats=("Entries of unequal variance reach beyond the edge too.",),
        reference=REFERENCE,
    )


def _tail(beyond: int, tail: Start | None) -> Finding:
    """The exponent of the eigenvalues beyond noise, where there are enough of them."""
    if tail is None:
        return cannot_tell(
            TAIL,
            f"Of {beyond} eigenvalues beyond noise no tail's exponent can be told.",
            remedy=f"{LEAST_TAIL} or more, as of any tail: a larger matrix",
            reference=REFERENCE,
        )
    reach = 1.96 * tail.alpha_error
    ends = (tail.alpha - reach, tail.alpha + reach)
    return Finding(
        name=TAIL,
        verdict="found",
        value=tail.alpha,
        interval=ends,
        evidence=f"The {tail.tail} largest eigenvalues, all beyond noise, lie closest to a power law with exponent "
        f"{tail.alpha:.2f} [{ends[0]:.2f}, {ends[1]:.2f}].",
        caveats=(
            "The exponent is that of the closest power law; whether it is one is another question (`power_law`).",
            "The interval takes its start as known.",
        ),
        reference=REFERENCE,
    )


def measure(weights: ArrayLike) -> Finding:
    """The finding alone."""
    found = weight_spectrum(weights)
    return found if isinstance(found, Finding) else found.finding


def null(rng: np.random.Generator) -> Arrays:
    """Independent Gaussian entries."""
    return {"weights": 0.02 * rng.normal(size=(120, 60))}


def planted(rng: np.random.Generator) -> Arrays:
    """The same with one direction of twice the strength at which it would leave the bulk."""
    rows, columns = 120, 60
    left, right = rng.normal(size=rows), rng.normal(size=columns)
    strength = 2 * (rows * columns) ** 0.25
    spike = strength * np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))
    return {"weights": 0.02 * (rng.normal(size=(rows, columns)) + spike)}


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="eigenvalues beyond the edge of noise",
    measure=measure,
    null=null,
    planted=planted,
    reference=REFERENCE,
)
