"""Does the run pay less for text it has trained on than for text it has not?

The way the data takes: training losses of the last steps -> their mean, with a standard error from means of blocks (steps follow
each other) -> held-out loss minus that, with both errors -> a gap, or none that can be told from noise.

The one idea: in the first pass a training loss is a test loss, since the text is new when the loss is taken. A gap is
memorisation only as far as the text was read before and the held-out text is of the same kind; that is said beside it.

Source: batch means for the error of a correlated mean, Law & Kelton, Simulation Modeling and Analysis (textbook).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "overfitting"
REFERENCE = "batch means (Law & Kelton, Simulation Modeling and Analysis)"
SHARE, BLOCKS, FEWEST = 0.02, 20, 100


def overfitting(
    training_loss: ArrayLike,
    held_out_loss: float,
    held_out_se: float,
    *,
    passes: float = float("nan"),
    level: float = 0.95,
) -> Finding:
    """Held-out minus training loss at the end, one-sided at 1 - `level`; `training_loss` `(S,)` is that of every step, in order.

    The last 2 % of the steps (100 at least) count. `passes` over the text, where known, decides what a gap is called.
    """

    steps = numbers(training_loss, what="training_loss")
    if not (np.isfinite(held_out_loss) and np.isfinite(held_out_se) and held_out_se >= 0):
        raise InputError(
            "held-out loss and its standard error must be numbers", found=f"{held_out_loss}, {held_out_se}"
        )
    if steps.size < FEWEST:
        return cannot_tell(
            NAME, f"{steps.size} steps are too few for a training loss with an error.", reference=REFERENCE
        )
    tail = steps[-max(FEWEST, int(SHARE * steps.size)) :]
    blocks = tail[: tail.size // BLOCKS * BLOCKS].reshape(BLOCKS, -1).mean(axis=1)
    if np.ptp(blocks) == 0:
        return cannot_tell(NAME, "The training loss is the same at every step.", reference=REFERENCE)
    error = float(np.hypot(held_out_se, blocks.std(ddof=1) / np.sqrt(BLOCKS)))
    gap = float(held_out_loss - blocks.mean())
    t = gap / error
    above = t > student(1 - level, BLOCKS - 1)
    half = float(student((1 - level) / 2, BLOCKS - 1)) * error
    once = passes <= 1
    why = (
        "every token was new when it was trained on, so the gap is one between texts, not memorisation"
        if once
        else "text read before is cheaper to it: memorisation, if both texts are of one kind"
    )
    return Finding(
        name=NAME,
        verdict="warning" if above and not once else "ok",
        evidence=f"Held-out loss {held_out_loss:.4g} against {blocks.mean():.4g} on the last {tail.size} training steps: a gap "
        f"of {show(gap, 2)} ({show(gap - half, 2)} - {show(gap + half, 2)}); "
        + (f"{why}." if above else "no more than their errors explain."),
        remedy="more different text, fewer passes, or regularisation" if above and not once else "",
        value=gap,
        interval=(gap - half, gap + half),
        caveats=("The held-out text must be of the same kind as the training text.",),
        reference=REFERENCE,
    )


def _curve(rng: np.random.Generator, gap: float) -> Arrays:
    """Steps that remember each other a little, and a held-out loss with an error."""
    shocks = 0.08 * rng.normal(size=2000)
    steps = np.empty(2000)
    steps[0] = shocks[0]
    for step in range(1, 2000):
        steps[step] = 0.3 * steps[step - 1] + shocks[step]
    return {
        "training_loss": 1.3 + steps,
        "held_out_loss": 1.3 + gap + 0.01 * float(rng.normal()),
        "held_out_se": 0.01,
        "passes": 6.0,
    }


def no_gap(rng: np.random.Generator) -> Arrays:
    """Held-out and training text cost the same."""
    return _curve(rng, 0.0)


def a_gap(rng: np.random.Generator) -> Arrays:
    """Text read before is 0.08 nats cheaper."""
    return _curve(rng, 0.08)


OVERFITTING = Diagnostic(
    name=NAME,
    title="Is text read before cheaper than held-out text?",
    measure=overfitting,
    null=no_gap,
    planted=a_gap,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
