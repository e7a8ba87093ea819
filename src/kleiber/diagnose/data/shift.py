"""What does spoilt text do to the law: lift the floor, or weigh on size or data?

The way the data takes: runs that differ in their text alone, paired by size, budget and seed -> differences of loss -> a
regression on
log params and log tokens -> their mean, and whether it depends on either.

The one idea: a term A/N^a or B/D^b that grows is a difference that shrinks along N or D; a floor that rises is the same
difference
everywhere. So the differences say where the harm sits, without fitting two laws whose parameters trade with each other.

Formula: difference = shift + s_N (log N - mean) + s_D (log D - mean) + noise, Student's intervals; the dependence by an F test
of s_N = s_D = 0.
Source: paired differences and the F test (textbook); the law is Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.quantiles import fisher_tail, student
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

Array = NDArray[np.float64]
NAME, WHERE = "shift of the loss", "where the harm sits"
REFERENCE = "paired differences, F test; docs/diagnose.md"
FEWEST = 4


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """P pairs of runs that differ in their text alone."""

    params_P: Array
    tokens_P: Array
    clean_P: Array
    spoilt_P: Array

    @property
    def difference_P(self) -> Array:
        """Loss on spoilt text minus loss on clean."""
        return self.spoilt_P - self.clean_P


def pairs(params: ArrayLike, tokens: ArrayLike, clean: ArrayLike, spoilt: ArrayLike) -> Pairs:
    """The arrays `(P,)`, checked. Raises `InputError` for unequal lengths and for what is not a positive number."""
    given = {"params": params, "tokens": tokens, "clean": clean, "spoilt": spoilt}
    found = {name: numbers(values, what=name) for name, values in given.items()}
    if len({array.size for array in found.values()}) > 1:
        raise InputError(
            "the arrays have different lengths", found=", ".join(f"{k} {v.size}" for k, v in found.items())
        )
    for name, array in found.items():
        if (array <= 0).any():
            raise InputError(f"{name} must be positive", found=f"{array.min():g} at row {int(array.argmin()) + 1}")
    return Pairs(**{f"{name}_P": array for name, array in found.items()})


def shift(params: ArrayLike, tokens: ArrayLike, clean: ArrayLike, spoilt: ArrayLike, *, level: float = 0.95) -> Finding:
    """How much the text raises the loss, averaged over pairs; loud where the interval leaves out no shift."""

    of = pairs(params, tokens, clean, spoilt)
    count = of.params_P.size
    if count < FEWEST:
        return cannot_tell(NAME, f"{count} pairs are too few.", remedy=f"{FEWEST} or more", reference=REFERENCE)
    spread = float(of.difference_P.std(ddof=1))
    if spread == 0:
        return cannot_tell(NAME, "All pairs have the very same difference.", reference=REFERENCE)
    mean = float(of.difference_P.mean())
    half = float(student((1 - level) / 2, count - 1)) * spread / np.sqrt(count)
    sure = abs(mean) > half
    return Finding(
        name=NAME,
        verdict="found" if sure else "ok",
        evidence=f"Over {count} pairs the loss is {show(abs(mean))} {'higher' if mean > 0 else 'lower'} ({show(mean - half)} to "
        f"{show(mean + half)})" + ("." if sure else ", no more than noise between runs explains."),
        value=mean,
        interval=(mean - half, mean + half),
        reference=REFERENCE,
    )


def where(params: ArrayLike, tokens: ArrayLike, clean: ArrayLike, spoilt: ArrayLike, *, level: float = 0.05) -> Finding:
    """Does the difference depend on size or budget? Loud where it does: then it is no floor alone. `value` is the F test's p."""

    of = pairs(params, tokens, clean, spoilt)
    axes = [
        (word, np.log(x)) for word, x in (("params", of.params_P), ("tokens", of.tokens_P)) if np.ptp(np.log(x)) > 0
    ]
    freedom = of.params_P.size - 1 - len(axes)
    if freedom < 2 or not axes:
        why = f"{of.params_P.size} pairs at too few sizes and budgets."
        return cannot_tell(
            WHERE, why, remedy="pairs at two sizes and three budgets, five or more in all", reference=REFERENCE
        )
    design = np.column_stack([np.ones(of.params_P.size), *(x - x.mean() for _, x in axes)])
    b_K, _, rank, _ = np.linalg.lstsq(design, of.difference_P, rcond=None)
    if rank < design.shape[1]:
        why = "Size and budget go together, so their effects cannot be told apart."
        return cannot_tell(WHERE, why, remedy="several budgets at one size", reference=REFERENCE)
    left = float(((of.difference_P - design @ b_K) ** 2).sum())
    total = float(((of.difference_P - of.difference_P.mean()) ** 2).sum())
    if left <= 0:
        return cannot_tell(WHERE, "The differences have no scatter to judge by.", reference=REFERENCE)
    p = float(fisher_tail((total - left) / len(axes) / (left / freedom), len(axes), freedom))
    error_K = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * left / freedom)
    quantile = float(student(0.025, freedom))
    slopes = ", ".join(
        f"{show(float(b) * np.log(10), 2)} ± {show(quantile * float(e) * np.log(10), 2)} per tenfold {word}"
        for (word, _), b, e in zip(axes, b_K[1:], error_K[1:], strict=True)
    )
    depends = p < level
    meaning = (
        "the harm changes with size or budget, so it is no floor alone"
        if depends
        else "the same at every size and budget as far as can be seen: the floor is lifted, and more of neither helps"
    )
    return Finding(
        name=WHERE,
        verdict="found" if depends else "ok",
        evidence=f"The difference moves by {slopes} (F test p = {p:.2g}): {meaning}.",
        value=p,
        caveats=("A slope within its ± may be there and was not seen.",),
        reference=REFERENCE,
    )


SIZES, BUDGETS, NOISE = (1e4, 5e4, 2e5), (2e6, 4e6, 8e6, 1.6e7), 0.004


def _pairs(rng: np.random.Generator, *, floor: float, worth: float) -> Arrays:
    params, tokens = (side.ravel() for side in np.meshgrid(SIZES, BUDGETS))
    terms = 24.0 / params**0.44
    clean = 0.94 + terms + 900.0 / tokens**0.56 + NOISE * rng.normal(size=params.size)
    spoilt = 0.94 + floor + terms + 900.0 / (worth * tokens) ** 0.56 + NOISE * rng.normal(size=params.size)
    return {"params": params, "tokens": tokens, "clean": clean, "spoilt": spoilt}


def same(rng: np.random.Generator) -> Arrays:
    """Two texts of one kind."""
    return _pairs(rng, floor=0.0, worth=1.0)


def higher(rng: np.random.Generator) -> Arrays:
    """A floor 0.01 higher."""
    return _pairs(rng, floor=0.01, worth=1.0)


def lifted(rng: np.random.Generator) -> Arrays:
    """A floor 0.2 higher and nothing else."""
    return _pairs(rng, floor=0.2, worth=1.0)


def fewer(rng: np.random.Generator) -> Arrays:
    """Text of which seven tenths count."""
    return _pairs(rng, floor=0.0, worth=0.7)


SHIFT = Diagnostic(
    name=NAME,
    title="Does the text raise the loss?",
    measure=shift,
    null=same,
    planted=higher,
    power=0.9,
    reference=REFERENCE,
)
HARM = Diagnostic(
    name=WHERE,
    title="Does the harm depend on size or budget?",
    measure=where,
    null=lifted,
    planted=fewer,
    power=0.9,
    reference=REFERENCE,
)
