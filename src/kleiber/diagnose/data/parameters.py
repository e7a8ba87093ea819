"""Which single parameter of the law does spoilt text change: E, A, B, alpha or beta?

The way the data takes: runs on clean and on spoilt text -> one law for both in which one parameter at a time may differ
(`one_law`), none, or all -> each of these held against the best of the others, by losses drawn from it -> the one that is not
refuted where all others are; and whether it alone is enough.

The one idea: a parameter is not supported because it fits best (of five one always does) but because the other four could not
have given these losses. A wrong claim then needs the true one to be refuted, which happens at the stated level.

Formula: T_k = max(S_k / min S_j, 1), S the sum of squares of log loss; its chance under k by the wild bootstrap over trunks:
k's own residuals are turned round trunk by trunk, since runs of one trunk err together.
Source: Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90:414 (restricted wild cluster bootstrap); Efron 1979.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.data.one_law import PARTS, OneLaw, best_fit, one_law
from kleiber.diagnose.diagnostic import Arrays, Diagnostic
from kleiber.diagnose.limits.ladder import columns as checked
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.quantity import show

Array = NDArray[np.float64]
NAME = "which parameter"
REFERENCE = "Hoffmann et al. 2022 (arXiv 2203.15556), eq. 2; Cameron, Gelbach & Miller 2008 (wild cluster bootstrap)"
NONE, ALL = "none", "all"
FEWEST_RUNS, FEWEST_TRUNKS, FEWEST_KINDS = 8, 6, 3
DRAWS, LEVEL = 199, 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A law, its best parameters, the sum of squares that it leaves, and what it says of each run."""

    law: OneLaw
    theta_P: Array
    left: float
    log_loss_R: Array


def which_parameter(
    params: ArrayLike,
    tokens: ArrayLike,
    loss: ArrayLike,
    spoilt: ArrayLike,
    trunk: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Finding:
    """The one parameter of the law that differs between clean and spoilt text, where the runs can tell; arrays `(R,)`.

    `spoilt` is true for runs on spoilt text, `trunk` names runs that share a trunk (each its own, unless said); `draws` sets of
    losses judge each parameter. `value` is how much it differs (of E, A and B as a factor, of an exponent as a difference),
    `interval` its central 95 % over draws. `ok`: one law serves both texts. `cannot tell`: more than one parameter could be the
    one, or none alone is enough, or there are fewer than eight runs, three sizes or budgets of either, or six trunks.

    Raises `InputError` for what is not a positive number, or arrays of different lengths.
    """
    columns = checked(0, params=params, tokens=tokens, loss=loss)
    spoilt_R = np.asarray(spoilt, dtype=bool)
    label_R = np.arange(spoilt_R.size) if trunk is None else np.asarray([str(name) for name in np.asarray(trunk)])
    if {spoilt_R.size, label_R.size} != {columns["loss"].size}:
        raise InputError(
            "the arrays have different lengths", found=f"{columns['loss'].size}, {spoilt_R.size} and {label_R.size}"
        )
    trunk_R = np.unique(label_R, return_inverse=True)[1]
    why = _too_little(columns["params"], columns["tokens"], spoilt_R, trunk_R)
    if why:
        return cannot_tell(
            NAME, why, remedy="eight runs or more of each text, at three sizes and budgets", reference=REFERENCE
        )
    log_loss_R = np.log(columns["loss"])
    fitted = _fitted(columns["params"], columns["tokens"], spoilt_R, log_loss_R)
    if not min(each.left for each in fitted.values()) > 1e-12:
        return cannot_tell(NAME, "The losses have no scatter to judge by.", reference=REFERENCE)
    sign_BR = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, int(trunk_R.max()) + 1))[:, trunk_R]
    return _judge(fitted, log_loss_R, sign_BR)


def _too_little(params_R: Array, tokens_R: Array, spoilt_R: NDArray[np.bool_], trunk_R: NDArray[np.int64]) -> str:
    for word, rows in (("clean", ~spoilt_R), ("spoilt", spoilt_R)):
        sizes, budgets = (np.unique(each[rows]).size for each in (params_R, tokens_R))
        if rows.sum() < FEWEST_RUNS or min(sizes, budgets) < FEWEST_KINDS:
            return f"{rows.sum()} runs on {word} text at {sizes} sizes and {budgets} budgets do not pin a law's parameters."
    trunks = int(trunk_R.max()) + 1
    return f"The runs come from {trunks} trunks, too few to judge by." if trunks < FEWEST_TRUNKS else ""


def _fitted(params_R: Array, tokens_R: Array, spoilt_R: NDArray[np.bool_], log_loss_R: Array) -> dict[str, Fitted]:
    found = {}
    for name, differs in {NONE: (), **{part: (part,) for part in PARTS}, ALL: PARTS}.items():
        law = one_law(params_R, tokens_R, spoilt_R, differs)
        theta_P, left = best_fit(law, log_loss_R)
        found[name] = Fitted(law=law, theta_P=theta_P, left=left, log_loss_R=law.log_loss(theta_P[None])[0])
    return found


def _drawn(of: Fitted, log_loss_R: Array, sign_BR: Array) -> Array:
    """Losses as `of` would have given them: its own residuals, as large as errors are, turned round trunk by trunk."""
    runs, params = log_loss_R.size, of.theta_P.size
    return of.log_loss_R + sign_BR * np.sqrt(runs / (runs - params)) * (log_loss_R - of.log_loss_R)


def _chance(
    name: str, rivals: tuple[str, ...], fitted: Mapping[str, Fitted], log_loss_R: Array, sign_BR: Array
) -> float:
    """How often losses drawn from the law `name` favour the best of `rivals` over it as much as the losses do."""
    seen = fitted[name].left / min(fitted[each].left for each in rivals)
    if seen <= 1:
        return 1.0
    drawn_BR = _drawn(fitted[name], log_loss_R, sign_BR)
    left_NB = {each: fitted[each].law.fit(drawn_BR, fitted[each].theta_P)[1] for each in (name, *rivals)}
    own_B = left_NB[name]
    best_B = np.min([left_NB[each] for each in rivals], axis=0)
    return float((1 + (own_B >= seen * best_B).sum()) / (1 + len(sign_BR)))


def _judge(fitted: Mapping[str, Fitted], log_loss_R: Array, sign_BR: Array) -> Finding:
    none = _chance(NONE, PARTS, fitted, log_loss_R, sign_BR)
    if none > LEVEL:
        said = (
            f"One law serves both texts: a difference of one parameter is no better than chance gives (p = {none:.2g})."
        )
        return Finding(name=NAME, verdict="ok", evidence=said, value=none, reference=REFERENCE)
    chances = {
        part: _chance(part, tuple(other for other in PARTS if other != part), fitted, log_loss_R, sign_BR)
        for part in PARTS
    }
    best = min(PARTS, key=lambda part: fitted[part].left)
    left = [part for part in PARTS if chances[part] > LEVEL]
    listed = ", ".join(f"{part} {chances[part]:.2g}" for part in PARTS)
    odds = f"chance that losses so far from a shift of one parameter come of it: {listed}"
    if left != [best]:
        which = " or ".join(left) if left else "no single parameter"
        said = f"The texts differ (p = {none:.2g}), and the runs cannot tell in which parameter: {which} ({odds})."
        return cannot_tell(NAME, said, remedy="more sizes, budgets and trunks on both texts", reference=REFERENCE)
    enough = _chance(best, (ALL,), fitted, log_loss_R, sign_BR)
    if enough <= LEVEL:
        said = f"A shift of {best} is most of the difference and not all (p = {enough:.2g}): no single parameter is ({odds})."
        return cannot_tell(NAME, said, remedy="read off where the harm sits instead", reference=REFERENCE)
    return _found(best, odds, enough, fitted[best], log_loss_R, sign_BR)


def _found(best: str, odds: str, enough: float, of: Fitted, log_loss_R: Array, sign_BR: Array) -> Finding:
    shift_B = of.law.fit(_drawn(of, log_loss_R, sign_BR), of.theta_P)[0][:, -1]
    value, *ends = (float(each) for each in (of.theta_P[-1], *np.quantile(shift_B, [0.025, 0.975])))
    if best in ("alpha", "beta"):
        said = f"{best} changes by {value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"
    else:
        value, *ends = (float(np.exp(each)) for each in (value, *ends))
        said = f"{best} is {show(value, 3)} times that of clean text ({show(ends[0], 3)} - {show(ends[1], 3)})"
    return Finding(
        name=NAME,
        verdict="found",
        evidence=f"{said}, and nothing else need differ (p = {enough:.2g}); {odds}.",
        value=value,
        interval=(ends[0], ends[1]),
        caveats=(
            "That one parameter is enough does not say that no other moved: a small move hides in the scatter.",
            "A and alpha are those at one param, B and beta those at one token, as the law is written.",
        ),
        reference=REFERENCE,
    )


SIZES, BUDGETS, TRUNK_NOISE, NOISE = (1e4, 3e4, 1e5, 3e5), (2e6, 4e6, 8e6, 1.6e7), 0.003, 0.002
FEW_DRAWS = 39


def two_texts(
    rng: np.random.Generator, *, trunk_noise: float = TRUNK_NOISE, noise: float = NOISE, **factors: float
) -> Arrays:
    """Two texts, four sizes with a trunk each, four budgets; trunks err together. `factors`: of the spoilt text's parameters."""
    law = {"E": 0.94, "A": 24.0, "B": 900.0, "alpha": 0.44, "beta": 0.56}
    params_R, tokens_R = (np.tile(side.ravel(), 2) for side in np.meshgrid(SIZES, BUDGETS))
    spoilt_R = np.arange(params_R.size) >= params_R.size // 2
    trunk_R = np.unique(params_R, return_inverse=True)[1] + len(SIZES) * spoilt_R
    of = {name: np.where(spoilt_R, value * factors.get(name, 1.0), value) for name, value in law.items()}
    loss_R = of["E"] + of["A"] / params_R ** of["alpha"] + of["B"] / tokens_R ** of["beta"]
    error_R = trunk_noise * rng.normal(size=2 * len(SIZES))[trunk_R] + noise * rng.normal(size=params_R.size)
    return {
        "params": params_R, "tokens": tokens_R, "loss": loss_R * np.exp(error_R), "spoilt": spoilt_R, "trunk": trunk_R,
        "draws": FEW_DRAWS,
    }  # fmt: skip


def same_text(rng: np.random.Generator) -> Arrays:
    """Two texts of one law."""
    return two_texts(rng)


def higher_floor(rng: np.random.Generator) -> Arrays:
    """A floor six tenths higher."""
    return two_texts(rng, E=1.6)


PARAMETER = Diagnostic(
    name=NAME,
    title="Which single parameter of the law does the text change?",
    measure=which_parameter,
    null=same_text,
    planted=higher_floor,
    power=0.7,
    reference=REFERENCE,
)
