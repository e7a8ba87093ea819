"""What the law says of a run: how much of its loss is size, data and floor, and what twice as much of either would buy.

The way the data takes: a fitted law with its draws and the point of one run -> the law's terms there, for every draw -> shares
of the reducible loss and gains of doubling, each with its interval -> capacity, data, or cannot tell.

The one idea: doubling params at the same tokens and doubling tokens at the same params cost the same (compute is 6ND), so
what each buys can be held against the other, draw by draw. Intervals of the two may overlap although one is larger in nearly
every draw, so the ratio has an interval of its own, and it decides.

Source: Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2, for the terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.limits.ladder import columns as checked
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.fit import Fit, Objective, fit
from kleiber.fit.estimate import Estimate, estimate
from kleiber.quantity import show
from kleiber.runs import RunTable

Array = NDArray[np.float64]
REFERENCE = "Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2"
NAME = "limiting term"
PARTS = ("capacity", "data")
INPUT_OF = {"capacity": "params", "data": "tokens"}
FEWEST_DRAWS = 100
BALANCE = 2.0  # a run off the balance of its two terms by less is not limited by either


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One run as its law sees it.

    `share` (of the reducible loss) and `gain` (nats off the loss by doubling its input) by part, `floor` the irreducible loss,
    `ratio` the gain of doubling params over that of doubling tokens. `gain_B` keeps the draws of the larger gain.
    """

    at: Mapping[str, float]
    loss: float
    share: Mapping[str, Estimate]
    term: Mapping[str, Estimate]
    gain: Mapping[str, Estimate]
    floor: Estimate
    ratio: Estimate
    gain_B: Array

    @property
    def leading(self) -> str:
        """The part whose doubling buys more."""
        return PARTS[0] if self.ratio.value >= 1 else PARTS[1]


def terms(found: Fit, at: Mapping[str, float], *, level: float = 0.95) -> Terms:
    """The terms of `found` at `at` (params, tokens, and the law's other inputs).

    Raises `InputError` for a law that is no sum of powers of params and tokens, `Refusal` for a fit that may not be used.
    """
    law = found.usable().law
    if not law.is_power_sum or not set(INPUT_OF.values()) <= set(law.inputs):
        raise InputError(
            "the law has no term of params alone and of tokens alone",
            found=law.formula,
            expected="a sum of powers of both",
            remedy="ask with --law chinchilla",
        )
    here = {name: float(at[name]) for name in law.inputs}
    rows = np.vstack([found.theta_P[None], found.draws_BP])
    part_B = _parts(found, rows, here)
    total_B = law.evaluate(rows, {name: np.array([value]) for name, value in here.items()})[:, 0]
    gain_B = {part: total_B - _doubled(found, rows, here, INPUT_OF[part]) for part in PARTS}
    reducible_B = total_B - part_B["floor"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share_B = {part: part_B[part] / reducible_B for part in PARTS}
        ratio_B = gain_B["capacity"] / gain_B["data"]
    leading = PARTS[0] if ratio_B[0] >= 1 else PARTS[1]
    return Terms(
        at=here,
        loss=float(total_B[0]),
        share={part: _estimate(share_B[part], level) for part in PARTS},
        term={part: _estimate(part_B[part], level) for part in PARTS},
        gain={part: _estimate(gain_B[part], level) for part in PARTS},
        floor=_estimate(part_B["floor"], level),
        ratio=_estimate(ratio_B, level),
        gain_B=gain_B[leading][1:],
    )


def _estimate(value_B: Array, level: float) -> Estimate:
    return estimate(float(value_B[0]), value_B[1:], level)


def _parts(found: Fit, theta_BP: Array, here: Mapping[str, float]) -> dict[str, Array]:
    """Floor, terms of params without tokens, and terms of tokens without params, (B,) each."""
    coefficient_BT, exponent_BTI = found.law.term_arrays(theta_BP)
    log_I = np.log([here[name] for name in found.law.inputs])
    value_BT = coefficient_BT * np.exp(exponent_BTI @ log_I)
    size_I, data_I = (found.law.inputs.index(INPUT_OF[part]) for part in PARTS)
    with_size_T, with_data_T = ((exponent_BTI[..., place] != 0).any(axis=0) for place in (size_I, data_I))
    return {
        "floor": value_BT[:, ~with_size_T & ~with_data_T].sum(axis=1),
        "capacity": value_BT[:, with_size_T & ~with_data_T].sum(axis=1),
        "data": value_BT[:, with_data_T & ~with_size_T].sum(axis=1),
    }


def _doubled(found: Fit, theta_BP: Array, here: Mapping[str, float], name: str) -> Array:
    there = {**here, name: 2 * here[name]}
    return found.law.evaluate(theta_BP, {key: np.array([value]) for key, value in there.items()})[:, 0]


def judge(of: Terms, *, name: str = NAME) -> Finding:
    """Capacity, data, or cannot tell: the verdict on the ratio of the two gains.

    A run is limited by one where its doubling certainly buys more than the other's; it is in balance (`ok`) where the ratio
    certainly lies within a factor of 2 of one, and anything else cannot be told.
    """
    if of.ratio.interval is None:
        return cannot_tell(
            name, "Without draws there is no interval to tell by.", remedy="fit with draws (--bootstrap 400)"
        )
    low, high = of.ratio.interval
    less = next(part for part in PARTS if part != of.leading)
    both = (
        f"doubling {INPUT_OF[of.leading]} takes {of.gain[of.leading]} off the loss, "
        f"doubling {INPUT_OF[less]} {of.gain[less]}"
    )
    times = f"params buy {of.ratio} times what tokens buy at the same compute"
    verdict = "found" if low > 1 or high < 1 else "ok" if high < BALANCE and low > 1 / BALANCE else "cannot tell"
    opening = {
        "found": f"{of.leading.capitalize()} limits: ",
        "ok": "Capacity and data are in balance: ",
        "cannot tell": "The runs cannot tell capacity from data: ",
    }
    return Finding(
        name=name,
        verdict=verdict,  # type: ignore[arg-type] - one of the words of Verdict
        evidence=f"{opening[verdict]}{both}; {times}.",
        remedy=_remedy(of)
        if verdict == "found"
        else ""
        if verdict == "ok"
        else "runs at more sizes and budgets near this one",
        value=of.ratio.value,
        interval=of.ratio.interval,
        caveats=("The gains are those of the law: a doubling beyond the runs is extrapolated.",),
        reference=REFERENCE,
    )


def _remedy(of: Terms) -> str:
    input_name = INPUT_OF[of.leading]
    return f"spend on {input_name}: {show(2 * of.at[input_name])} instead of {show(of.at[input_name])}"


def limiting_term(
    params: ArrayLike, tokens: ArrayLike, loss: ArrayLike, *, row: int, draws: int = 200, seed: int = 0
) -> Finding:
    """Does size or data limit the run in `row` (0-based)? Arrays `(R,)`; least squares on log loss, `draws` resamples of runs.

    Raises `InputError` for what is not a positive number; fewer than eight runs, or runs that do not identify the law, cannot
    tell.
    """
    columns = checked(row, params=params, tokens=tokens, loss=loss)
    found = fit(RunTable.of(columns), objective=Objective(name="squared_log"), bootstrap=draws, starts=8, seed=seed)
    if found.outcome.refused:
        return cannot_tell(NAME, f"The runs do not support a law: {found.outcome_detail}.", remedy=found.outcome.value)
    return judge(terms(found, {"params": columns["params"][row], "tokens": columns["tokens"][row]}))


E, A, B, ALPHA, BETA, NOISE = 1.0, 24.0, 900.0, 0.44, 0.56, 0.004
BALANCED_PARAMS, STARVED_TOKENS = 1e5, 1.5e6


def _ladder(rng: np.random.Generator, params: float, tokens: float) -> Arrays:
    """Six sizes by six budgets about a law with a little noise, and the run in question as the last row."""
    sizes, budgets = np.meshgrid(np.geomspace(1e4, 1e6, 6), np.geomspace(1e6, 1e8, 6))
    params_R, tokens_R = np.append(sizes.ravel(), params), np.append(budgets.ravel(), tokens)
    loss_R = (E + A / params_R**ALPHA + B / tokens_R**BETA) * np.exp(NOISE * rng.normal(size=params_R.size))
    return {"params": params_R, "tokens": tokens_R, "loss": loss_R, "row": params_R.size - 1}


def balanced(rng: np.random.Generator) -> Arrays:
    """A run for which a doubling of either buys exactly the same."""
    gain = A / BALANCED_PARAMS**ALPHA * (1 - 2**-ALPHA)
    return _ladder(rng, BALANCED_PARAMS, float((gain / (B * (1 - 2**-BETA))) ** (-1 / BETA)))


def starved(rng: np.random.Generator) -> Arrays:
    """A run with five times fewer tokens than the balance asks for."""
    return _ladder(rng, BALANCED_PARAMS, STARVED_TOKENS)


LIMITING_TERM = Diagnostic(
    name=NAME,
    title="Does size or data limit a run?",
    measure=limiting_term,
    null=balanced,
    planted=starved,
    level=0.05,
    power=0.8,
    reference=REFERENCE,
)
