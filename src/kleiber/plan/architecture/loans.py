"""Which law speaks for which family: a fit of its own runs, or the user's law with a published difference between families.

The way the data takes: fit of the plan, fits given for single families -> `Quality` of every option, with what must be said
about it. The one idea: a law is only ever compared with a law of the same data. The user's own runs are; a published pair of
families shares its data too, so their ratio may be borrowed while neither of their losses is. Fits in different units or
params conventions are refused.

Legend: K rows, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.cost.families import Option
from kleiber.errors import ConventionError, InputError
from kleiber.laws.transfer import Transfer, dense_transfer, experts_transfer, hybrid_transfer, state_space_transfer
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.rounding import rounding
from kleiber.plan.surface import Surface

if TYPE_CHECKING:
    from kleiber.fit import Fit

Array = NDArray[np.float64]
MUST_AGREE = ("loss", "params")
BYTES_PER_TOKEN = 4.0
USUAL_RATIO = 20.0  # tokens per param


@dataclass(frozen=True, kw_only=True, eq=False)
class Laws:
    """The fits that a plan rests on: `fits` of the main runs with their `shares` (several laws of the same runs, weighted), and
    `own`, fits of single families' own runs."""

    fits: tuple[Fit, ...]
    shares: tuple[float, ...] = (1.0,)
    own: Mapping[str, Fit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fit in (*self.fits, *self.own.values()):
            fit.usable()
            if fit.law.target != "loss":
                raise InputError(
                    f"the law {fit.law.name!r} predicts {fit.law.target}, and a plan minimises a loss",
                    remedy="fit a law of loss, for instance --law chinchilla",
                )
        for fit in (*self.fits[1:], *self.own.values()):
            same_measure(self.fits[0], fit)

    @property
    def fit(self) -> Fit:
        """The first of them."""
        return self.fits[0]

    @property
    def draws(self) -> int:
        """How many draws go through the plan: as many as the first fit has."""
        return len(_finite(self.fit))

    def without_draws(self) -> Laws:
        """The point estimates alone."""
        bare = tuple(replace(fit, draws_BP=fit.draws_BP[:0]) for fit in self.fits)
        own = {family: replace(fit, draws_BP=fit.draws_BP[:0]) for family, fit in self.own.items()}
        return Laws(fits=bare, shares=self.shares, own=own)


def same_measure(first: Fit, second: Fit) -> None:
    """Raise `ConventionError` where the losses of two fits cannot be compared: other unit, params counted otherwise, or tokens of
    another tokenizer."""
    for name in (*MUST_AGREE, "tokenizer"):
        one, other = (fit.runs.conventions.get(name, "unknown") for fit in (first, second))
        if one != other and "unknown" not in (one, other):
            raise ConventionError(
                f"two laws with different {name} cannot be compared",
                found=f"{first.law.name}: {one}; {second.law.name}: {other}",
                remedy="measure both ladders alike, for instance in bits per byte on the same held-out text",
            )


def quality(option: Option, laws: Laws, brief: Brief, generator: np.random.Generator) -> Quality:
    """The loss of an option's shapes: from the family's own fit, from a law that knows about experts, or borrowed."""
    rows = laws.draws + 1
    fits, shares = laws.fits, laws.shares
    own = laws.own.get(option.family)
    if own is not None:
        fits, shares = (own,), (1.0,)
    knows = all("experts" in fit.law.inputs for fit in fits)
    itself = own is not None or (knows and option.family in ("dense", "experts"))
    transfer = dense_transfer() if itself else borrowed(option, brief)
    at = dict(brief.at)
    if brief.unique_tokens is not None and any("unique_tokens" in fit.law.inputs for fit in fits):
        at["unique_tokens"] = brief.unique_tokens.unique_tokens
    if knows:
        at["experts"] = float(option.expansion)
    counts = _split(rows - 1, shares)
    return Quality(
        surfaces=tuple(_surface(fit, count, at) for fit, count in zip(fits, counts, strict=True)),
        shares=shares,
        transfer=transfer,
        offset_K=_offset(transfer, rows, generator) * _in_unit(laws.fit),
        supply=None if "unique_tokens" in at else brief.unique_tokens,
        rounding=rounding(brief.precision, rows, _in_unit(laws.fit), generator),
    )


def borrowed(option: Option, brief: Brief) -> Transfer:
    """What is published about the family against dense models of the same data."""
    if option.family == "experts":
        return experts_transfer(float(option.expansion), params=size_in_question(brief))
    return {"dense": dense_transfer, "ssm": state_space_transfer, "hybrid": hybrid_transfer}[option.family]()


def _offset(transfer: Transfer, rows: int, generator: np.random.Generator) -> Array:
    """The difference in loss of a borrowed pair, with its doubt in the draws."""
    noise = np.concatenate([[0.0], generator.standard_normal(rows - 1)])
    return transfer.loss_offset + transfer.offset_doubt * noise


def size_in_question(brief: Brief) -> float:
    """Roughly the active params that the brief is about: 20 tokens for each, in the budget or among the tokens served."""
    flops = brief.flops or 2 * USUAL_RATIO * 6e18
    return float(np.sqrt(flops / (6 * USUAL_RATIO)))


def _in_unit(fit: Fit) -> float:
    """One nat per token of the published pairs in the unit of the fit; per byte, a token is taken to be four bytes: an
    assumption, said in the plan, which scales a borrowed difference only."""
    per_byte = {"nats_per_byte": 1.0, "bits_per_byte": 1 / np.log(2)}
    return per_byte.get(fit.runs.conventions.get("loss", "unknown"), BYTES_PER_TOKEN) / BYTES_PER_TOKEN


def _surface(fit: Fit, count: int, at: Mapping[str, float]) -> Surface:
    """The point estimate and `count` draws: all of them in their order, or evenly picked where a fit has another number.

    Nothing is drawn here, so that one draw is one truth for every family.
    """
    draws_BP = _finite(fit)
    if not len(draws_BP):
        draws_BP = np.tile(fit.theta_P, (count, 1))
    elif count != len(draws_BP):
        draws_BP = draws_BP[np.arange(count) * len(draws_BP) // max(count, 1)]
    needed = {name: value for name, value in at.items() if name in fit.law.inputs or name == "unique_tokens"}
    return Surface(law=fit.law, theta_KP=np.vstack([fit.theta_P, draws_BP]), at=needed)


def _finite(fit: Fit) -> Array:
    draws_BP = np.asarray(fit.draws_BP, dtype=float).reshape(-1, np.size(fit.theta_P))
    return draws_BP[np.isfinite(draws_BP).all(axis=1)]


def _split(total: int, shares: tuple[float, ...]) -> list[int]:
    """Whole numbers in proportion to `shares` that add up to `total`.

    >>> _split(10, (0.7, 0.3))
    [7, 3]
    """
    ends = np.round(np.cumsum(shares) / sum(shares) * total).astype(int)
    return np.diff(np.concatenate([[0], ends])).tolist()
