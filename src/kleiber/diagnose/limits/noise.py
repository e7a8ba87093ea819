"""Is there more to gain than noise? Seed noise against what the best doubling would buy.

The way the data takes: log losses of repeated cells -> their standard deviation with its chi-squared interval -> the least
difference that two single runs can show (1.96 sqrt(2) standard deviations) -> against the gain of the best doubling.

The one idea: a gain below the noise floor may be real and still cannot be seen in one run: more of either is then not what is
missing, more seeds are.

Source: the interval of a pooled variance, chi-squared with the pooled degrees of freedom (textbook).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.series import cannot_tell, numbers
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "noise floor"
REFERENCE = "pooled variance of repeats, chi-squared interval"
VISIBLE = 1.96 * np.sqrt(2)  # standard deviations by which two single runs must differ to be told apart at 5 %
CAREFUL = 0.5  # of the gain: noise between this and all of it is a caution


def noise_floor(
    loss: ArrayLike, cell: ArrayLike, *, gain: ArrayLike, at_loss: float, level: float = 0.95, seed: int = 0
) -> Finding:
    """Whether the least visible difference certainly exceeds the gain in sight.

    `loss` `(R,)` in nats and `cell` `(R,)` codes of runs that differ in seed alone; `gain` `(B,)` draws, in nats, of what the
    best doubling buys at a run of loss `at_loss`. `value` is the least visible difference over the gain, with its interval.
    Without a repeated cell it cannot tell.
    """
    losses, codes = numbers(loss, what="loss"), numbers(cell, what="cell")
    if losses.size != codes.size:
        raise InputError("loss and cell have different lengths", found=f"{losses.size} and {codes.size}")
    if (losses <= 0).any():
        raise InputError("losses must be positive", found=f"{losses.min():g} at row {int(losses.argmin()) + 1}")
    log_R = np.log(losses)
    code_R = np.unique(codes, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(code_R)
    freedom = int((counts - 1).sum())
    if freedom < 1:
        return cannot_tell(
            NAME,
            "No cell was run twice, so the noise between seeds is unknown.",
            remedy="repeat two or three cells with another seed",
            reference=REFERENCE,
        )
    squares = float(((log_R - (np.bincount(code_R, log_R) / counts)[code_R]) ** 2).sum())
    if squares == 0:
        return cannot_tell(
            NAME,
            f"All {freedom + 1} repeats have the very same loss.",
            remedy="check that they were trained with different seeds",
            reference=REFERENCE,
        )
    return _judge(np.sqrt(squares / freedom), freedom, numbers(gain, what="gain"), at_loss, level, seed)


def _judge(sigma: float, freedom: int, gain_B: NDArray[np.float64], at_loss: float, level: float, seed: int) -> Finding:
    scale = VISIBLE * at_loss
    central = float(np.median(gain_B))
    if central <= 0:
        return cannot_tell(
            NAME, "No doubling is expected to buy anything, so noise has nothing to hide.", reference=REFERENCE
        )
    draws = np.random.default_rng(seed)
    sigma_B = sigma * np.sqrt(freedom / draws.chisquare(freedom, 2000))
    ratio_B = scale * sigma_B / np.maximum(draws.choice(gain_B, 2000), 1e-12)
    low, high = (float(end) for end in np.quantile(ratio_B, [(1 - level) / 2, (1 + level) / 2]))
    ratio = scale * sigma / central
    visible, gain = show(scale * sigma, 2), show(central, 2)
    verdict = "warning" if low > 1 else "ok" if high < 1 else "cannot tell"
    opening = {
        "warning": "Noise hides the gain",
        "ok": "The gain stands clear of the noise",
        "cannot tell": "Whether the gain would be seen cannot be told",
    }[verdict]
    return Finding(
        name=NAME,
        verdict=verdict,  # type: ignore[arg-type] - one of the words of Verdict
        evidence=f"{opening}: repeats differ by {100 * sigma:.2g} % ({freedom} degrees of freedom), so two runs must differ by "
        f"{visible} to be told apart, and the best doubling buys {gain}: {show(ratio, 2)} times "
        f"({show(low, 2)} - {show(high, 2)}).",
        remedy="" if verdict == "ok" else f"{int(np.ceil(max(ratio, 1.0) ** 2)) + 1} seeds a side, or a larger step",
        value=ratio,
        interval=(low, high),
        reference=REFERENCE,
    )


GAIN, CELLS, LOSS = 0.02, 6, 1.2


def _repeats(rng: np.random.Generator, ratio: float) -> Arrays:
    sigma = ratio * GAIN / (VISIBLE * LOSS)
    return {
        "loss": LOSS * np.exp(sigma * rng.normal(size=2 * CELLS)),
        "cell": np.repeat(np.arange(CELLS), 2),
        "gain": np.full(200, GAIN),
        "at_loss": LOSS,
    }


def just_visible(rng: np.random.Generator) -> Arrays:
    """Six pairs whose noise equals the gain exactly."""
    return _repeats(rng, 1.0)


def hidden(rng: np.random.Generator) -> Arrays:
    """Six pairs whose noise is four times the gain."""
    return _repeats(rng, 4.0)


NOISE_FLOOR = Diagnostic(
    name=NAME,
    title="Is the gain in sight larger than the noise between seeds?",
    measure=noise_floor,
    null=just_visible,
    planted=hidden,
    level=0.05,
    power=0.9,
    reference=REFERENCE,
)
