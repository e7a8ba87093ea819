"""Does the model learn from its context? Loss late in the context against loss early in it.

The way the data takes: losses by window and position -> mean loss at the last position minus that at a tenth of the context (in
Olsson et al. the 500th and the 50th token) -> a score with its interval over windows.

The one idea: what stands far back can only help through the context, so the difference is what the context taught. Windows are
independent, positions of one window are not.

Source: Olsson et al. 2022, "In-context Learning and Induction Heads" (arXiv 2209.11895): the loss of the 500th token minus
the average
loss of the 50th.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.emergence.scores import Array
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "in-context learning"
REFERENCE = "Olsson et al. 2022 (arXiv 2209.11895)"
EARLY = 0.1  # of the late position: 50 of 500
BAND = 0.05  # positions on either side that are averaged in, as a share of the context
FEWEST = 20


def in_context(loss_WT: ArrayLike, *, level: float = 0.95) -> Finding:
    """The score of losses `(W, T)`, window by position: below 0 where later tokens are cheaper; loud where surely so.

    The late place is the last twentieth of the context, the early one as wide around a tenth of it. Fewer than 20 windows or
    20 positions cannot tell.
    """
    losses = windows(loss_WT)
    count, context = losses.shape
    if count < FEWEST or context < FEWEST:
        return cannot_tell(
            NAME,
            f"{count} windows of {context} tokens are too few.",
            remedy="20 or more of either",
            reference=REFERENCE,
        )

    each_W = difference(losses)
    score, spread = float(each_W.mean()), float(each_W.std(ddof=1))
    if spread == 0:
        return cannot_tell(NAME, "All windows have the very same difference.", reference=REFERENCE)
    half = float(student((1 - level) / 2, count - 1) * spread / np.sqrt(count))
    learns = score + half < 0
    early, words = early_place(context), "less" if score < 0 else "more"
    return Finding(
        name=NAME,
        verdict="found" if learns else "ok",
        evidence=f"Tokens at the end of a context of {context} cost {show(abs(score))} nats {words} than those "
        f"around the {early}th ({show(score - half)} to {show(score + half)}, {count} windows): "
        + ("the context teaches." if learns else "nothing learnt from the context is seen."),
        value=score,
        interval=(score - half, score + half),
        caveats=("A score depends on the text: repetitive text teaches more.",),
        reference=REFERENCE,
    )


def windows(loss_WT: ArrayLike) -> Array:
    """Losses as a finite matrix `(W, T)`."""
    losses = np.asarray(loss_WT, dtype=float)
    if losses.ndim != 2:
        raise InputError("losses must be a matrix, window by position", found=f"shape {losses.shape}")
    bad = np.argwhere(~np.isfinite(losses))
    if bad.size:
        raise InputError(
            "a loss is not a finite number",
            found=f"{losses[tuple(bad[0])]} in window {bad[0, 0] + 1}, position {bad[0, 1] + 1}",
        )
    return losses


def early_place(context: int) -> int:
    """The early position, from 1."""
    return max(1, round(EARLY * context))


def difference(loss_WT: Array) -> Array:
    """Late minus early loss of each window, `(W,)`."""
    context = loss_WT.shape[1]
    band = max(1, round(BAND * context))
    middle = early_place(context) - 1
    first = max(0, middle - band // 2)
    return loss_WT[:, -band:].mean(axis=1) - loss_WT[:, first : first + band].mean(axis=1)


def _losses(rng: np.random.Generator, drop: float) -> Arrays:
    """Windows that differ, positions that remember each other, and a fall of `drop` nats along the context."""
    fall_T = -drop * np.log(np.arange(1, 129) / 12.8) / np.log(10)
    noise_WT = rng.normal(size=(64, 128))
    noise_WT[:, 1:] += 0.5 * noise_WT[:, :-1]
    return {"loss_WT": 2.0 + 0.2 * rng.normal(size=(64, 1)) + fall_T + 0.8 * noise_WT}


def forgetful(rng: np.random.Generator) -> Arrays:
    """Losses that do not fall along the context."""
    return _losses(rng, 0.0)


def attentive(rng: np.random.Generator) -> Arrays:
    """Losses that fall by 0.4 nats from a tenth of the context to its end."""
    return _losses(rng, 0.4)


IN_CONTEXT = Diagnostic(
    name=NAME,
    title="Does the model learn from its context?",
    measure=in_context,
    null=forgetful,
    planted=attentive,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
