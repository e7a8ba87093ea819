"""Is text read over and over, and could the model hold it by heart?

The way the data takes: tokens seen and tokens that differ -> passes, and what repeats are still worth (Muennighoff's law with its
published constant, which is borrowed) -> nats that as many fresh tokens would have bought by the run's own law. Beside it the
budget of memory: bits of the text that a model of this loss cannot predict, over 3.6 bits a parameter.

The one idea: both are counts, known before training. They say what could be lost to repetition and whether memorising is
possible at all; whether it happened is for the curve (`overfitting`) and for canaries to say.

Sources: Muennighoff et al. 2023 (arXiv 2305.16264), R_D 15.387756 from huggingface/datablations; Morris et al. 2025
(arXiv 2505.24832), 3.6 bits per parameter.
"""

from __future__ import annotations

import numpy as np

from kleiber.diagnose.limits.terms import Terms
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding
from kleiber.fit import Fit
from kleiber.fit.estimate import Estimate, estimate
from kleiber.quantity import show

NAME = "memorisation"
REFERENCE = "Muennighoff et al. 2023 (arXiv 2305.16264); Morris et al. 2025 (arXiv 2505.24832)"
R_D = 15.387756
BITS_PER_PARAM = 3.6
NEARLY_FREE = 4.0  # passes: Muennighoff et al., "up to 4 epochs"


def worth(tokens: float, unique_tokens: float, repeats_spent: float = R_D) -> float:
    """Fresh tokens that `tokens` of which `unique_tokens` differ are worth: U (1 + R (1 - exp(-(D/U - 1)/R))).

    >>> round(worth(16e6, 11.287476e6) / 16e6, 3), worth(1e6, 2e6)
    (0.996, 1000000.0)

    Source: Muennighoff et al. 2023, section 3.
    """
    unique = min(unique_tokens, tokens)
    return float(unique * (1 + repeats_spent * -np.expm1((1 - tokens / unique) / repeats_spent)))


def budget(params: float, unique_tokens: float, bits_per_token: float) -> float:
    """Bits of text per bit of memory, unique_tokens x bits_per_token / (3.6 params); below 1 all of it would fit."""
    return unique_tokens * bits_per_token / (BITS_PER_PARAM * params)


def repetition(
    found: Fit, of: Terms, unique_tokens: float | None, loss: float, *, unit: str = "unknown"
) -> tuple[Finding, Estimate | None]:
    """The finding, and nats that fresh tokens in place of the repeated ones would buy by the run's law (None if unknown).

    `loss` is the run's, in the `unit` of its table. Of a loss per byte the budget is a least one: a token has a byte or more.
    """
    params, tokens = of.at["params"], of.at["tokens"]
    if unique_tokens is None or not np.isfinite(unique_tokens) or unique_tokens <= 0:
        why = "The table does not say how many of the tokens differ, so repetition cannot be judged."
        return cannot_tell(NAME, why, remedy="a column unique_tokens", reference=REFERENCE), None
    passes = tokens / min(unique_tokens, tokens)
    cost = _cost(found, of, worth(tokens, unique_tokens))
    fits, words = _memory(params, min(unique_tokens, tokens), loss, unit)
    often = passes > NEARLY_FREE
    verdict = "warning" if often and fits else "ok"
    counted = f"{show(passes, 2)} passes over {show(min(unique_tokens, tokens))} different tokens"
    share = 100 * worth(tokens, unique_tokens) / tokens
    price = "which costs nothing" if passes <= 1 else f"worth {share:.3g} % of fresh ones: {cost} of loss"
    return Finding(
        name=NAME,
        verdict=verdict,
        evidence=f"{counted}, {price}; {words}.",
        remedy="more different text, fewer params, or regularisation" if verdict == "warning" else "",
        value=cost.value,
        interval=cost.interval,
        caveats=(
            "What repeats are worth is borrowed from models of 7M params and more; whether the run did memorise, its curve "
            "(--curve) or planted canaries say.",
        ),
        reference=REFERENCE,
    ), cost


def _cost(found: Fit, of: Terms, worth_tokens: float) -> Estimate:
    """Nats between the law at what the tokens are worth and at as many fresh ones."""
    rows = np.vstack([found.theta_P[None], found.draws_BP])
    here = {name: np.array([value]) for name, value in of.at.items()}
    worn = {**here, "tokens": np.array([worth_tokens])}
    gap_B = found.law.evaluate(rows, worn)[:, 0] - found.law.evaluate(rows, here)[:, 0]
    return estimate(float(gap_B[0]), gap_B[1:])


def _memory(params: float, unique: float, loss: float, unit: str) -> tuple[bool, str]:
    """Whether the text certainly fits into the params, and how the two compare."""
    bits = loss if unit == "bits_per_byte" else loss / np.log(2)
    times = budget(params, unique, bits)
    per_byte = unit in ("bits_per_byte", "nats_per_byte")
    least = " at least" if per_byte else ""
    if times >= 1:
        return (
            False,
            f"what it cannot predict of that text is{least} {show(times, 2)} times what its params hold (3.6 bits each)",
        )
    if per_byte:
        return False, "whether what it cannot predict of that text fits into its params hangs on the bytes of a token"
    return True, f"what it cannot predict of that text fits {show(1 / times, 2)} times into its params (3.6 bits each)"
