"""Are there induction heads, and did they come with a jump of in-context learning?

The way the data takes: attention of every head on a random sequence that stands twice -> weight on the token that followed
the same
token before (the prefix-matching score) -> heads that put more there than on other places at hand. And over training: scores of
checkpoints -> the largest step against the scatter of the others.

The one idea: on random text nothing but the repetition can be predicted, and only by looking at what came after. A perfect head
scores 1, one that looks everywhere alike 1 in so many places.

Source: Olsson et al. 2022 (arXiv 2209.11895), prefix matching.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.emergence.scores import Array
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "induction heads"
REFERENCE = "Olsson et al. 2022 (arXiv 2209.11895)"
FEWEST = 8
SHARE = 3.0  # times the even share that a head must exceed to be called one
STEEP = 4.0


def prefix_matching(attention_HTT: ArrayLike) -> Array:
    """The score of each head, `(H,)`: attention `(H, T, T)`, query by key, on a sequence whose second half repeats the first.

    >>> even = np.tril(np.ones((16, 16))) / np.arange(1, 17)[:, None]
    >>> round(float(prefix_matching(even[None])[0]), 3)
    0.086
    """
    return _targets(checked(attention_HTT)).mean(axis=1)


def checked(attention_HTT: ArrayLike) -> Array:
    """Attention weights `(H, T, T)` with an even T, finite, not negative, each row adding up to 1."""
    weights = np.asarray(attention_HTT, dtype=float)
    if weights.ndim != 3 or weights.shape[1] != weights.shape[2] or weights.shape[1] % 2:
        raise InputError("attention must be heads x T x T with an even T", found=f"shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("attention weights must be finite and not negative")
    off = np.abs(weights.sum(axis=2) - 1).max()
    if off > 1e-3:
        raise InputError(
            "each row of attention must add up to 1", found=f"off by {off:.2g}", remedy="hand in weights, not logits"
        )
    return weights


def _targets(weights: Array) -> Array:
    """Weight on the token after the same one's first appearance, for each query of the second half but one, `(H, T/2 - 1)`."""
    half = weights.shape[1] // 2
    query = np.arange(half, 2 * half - 1)
    return weights[:, query, query - half + 1]


def induction(attention_HTT: ArrayLike, *, control_HTT: ArrayLike | None = None, level: float = 0.05) -> Finding:
    """Heads whose weight on the induction target exceeds that on other places, at the rate `level` over all heads (Bonferroni).

    A head counts if it also puts three times the even share there. `control_HTT`: attention on sequences whose second half
    repeats nothing; then what a head puts at the same place there is taken off, so that one that always looks so far back
    does not count. `value` is the largest score. Fewer than 8 tokens a half cannot tell.
    """

    weights = checked(attention_HTT)
    control = None if control_HTT is None else _control(control_HTT, weights)
    heads, context = weights.shape[:2]
    half = context // 2
    if half < FEWEST:
        return cannot_tell(
            NAME, f"{half} tokens a half are too few.", remedy="a longer random sequence", reference=REFERENCE
        )
    score_H, sure_H, even = sure_heads(weights, level, control)
    best = int(score_H.argmax())
    found = bool(sure_H.any())
    count = int(sure_H.sum())
    listed = f"None of {heads} heads puts its" if not found else f"1 of {heads} heads puts its"
    listed = f"{count} of {heads} heads put their" if count > 1 else listed
    there = "there" if control is None else "more there than where nothing repeats"
    return Finding(
        name=NAME,
        verdict="found" if found else "ok",
        evidence=f"{listed} weight on what followed the same token before; the best (head {best + 1}) puts "
        f"{show(float(score_H[best]), 2)} {there}, where an even look puts {show(even, 2)} and a perfect head 1.",
        value=float(score_H[best]),
        caveats=() if control is not None else ("A head that always looks so far back counts too: give a control.",),
        reference=REFERENCE,
    )


def _control(control_HTT: ArrayLike, weights: Array) -> Array:
    control = checked(control_HTT)
    if control.shape != weights.shape:
        raise InputError(
            "the control is attention of other heads or places", found=f"{control.shape} and {weights.shape}"
        )
    return control


def sure_heads(weights_HTT: Array, level: float, control_HTT: Array | None = None) -> tuple[Array, Array, float]:
    """Each head's score, whether it is surely one, both `(H,)`, and the score of an even look.

    With a control the score is what is above it.
    """
    heads, context = weights_HTT.shape[:2]
    query = np.arange(context // 2, context - 1)
    even = float((1 / (query + 1)).mean())
    target_HQ = _targets(weights_HTT)
    if control_HTT is None:
        beside_HQ = (weights_HTT[:, query].sum(axis=2) - target_HQ) / query
        score_H = target_HQ.mean(axis=1)
        large_H = score_H > SHARE * even
    else:
        beside_HQ = _targets(control_HTT)
        score_H = (target_HQ - beside_HQ).mean(axis=1)
        large_H = score_H > (SHARE - 1) * even
    excess_HQ = target_HQ - beside_HQ
    spread_H = excess_HQ.std(axis=1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t_H = np.where(
            spread_H > 0,
            excess_HQ.mean(axis=1) / spread_H * np.sqrt(query.size),
            np.inf * np.sign(excess_HQ.mean(axis=1)),
        )
    return score_H, (np.nan_to_num(t_H) > student(level / heads, query.size - 1)) & large_H, even


def bump(step: ArrayLike, score: ArrayLike, error: ArrayLike) -> Finding:
    """Did in-context learning come at one step of training? Scores of checkpoints `(C,)` with their standard errors.

    Loud where the largest fall between neighbours takes more than half of the whole fall, lies four standard errors off zero, and
    is four times the median fall. Fewer than six checkpoints cannot tell.
    """
    steps, scores, errors = numbers(step, what="step"), numbers(score, what="score"), numbers(error, what="error")
    if not steps.size == scores.size == errors.size or (np.diff(steps) <= 0).any():
        raise InputError(
            "one score and error a checkpoint, in order of steps", found=f"{steps.size}, {scores.size}, {errors.size}"
        )
    if steps.size < 6:
        return cannot_tell(
            "induction bump", f"{steps.size} checkpoints are too few; 6 is the least.", reference=REFERENCE
        )
    fall_C = -np.diff(scores)
    place = int(fall_C.argmax())
    noise = float(np.hypot(errors[place], errors[place + 1]))
    whole = float(scores[0] - scores.min())
    share = float(fall_C[place]) / whole if whole > 0 else 0.0
    sudden = share > 0.5 and fall_C[place] > 4 * noise and fall_C[place] > STEEP * max(float(np.median(fall_C)), 0.0)
    between = f"between steps {int(steps[place])} and {int(steps[place + 1])}"
    return Finding(
        name="induction bump",
        verdict="found" if sudden else "ok",
        evidence=f"The score goes from {show(float(scores[0]))} to {show(float(scores[-1]))}; {100 * share:.0f} % of the fall "
        f"comes {between}" + (", at once." if sudden else ": no single step stands out."),
        value=float(fall_C[place]),
        interval=(float(fall_C[place] - 1.96 * noise), float(fall_C[place] + 1.96 * noise)),
        reference=REFERENCE,
    )


def _heads(rng: np.random.Generator, strength: float) -> Arrays:
    """Eight causal heads of scattered weights on 2 x 32 tokens; `strength` of the first one's weight goes to the target."""
    weights = np.tril(rng.gamma(0.3, size=(8, 64, 64)) + 1e-9)
    weights /= weights.sum(axis=2, keepdims=True)
    query = np.arange(32, 64)
    weights[0, query] *= 1 - strength
    weights[0, query, query - 31] += strength
    return {"attention_HTT": weights}


def scattered(rng: np.random.Generator) -> Arrays:
    """Heads that look anywhere."""
    return _heads(rng, 0.0)


def matching(rng: np.random.Generator) -> Arrays:
    """One head with a fifth of its weight on the target."""
    return _heads(rng, 0.2)


INDUCTION = Diagnostic(
    name=NAME,
    title="Are there induction heads?",
    measure=induction,
    null=scattered,
    planted=matching,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
