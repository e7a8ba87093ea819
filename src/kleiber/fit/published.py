"""A published set of coefficients as a fit: what to plan from before there are runs of one's own.

One idea: a published law is a fit whose runs stayed at home. It has a point estimate, a range and conventions, but no draws, so
nothing that rests on it has an interval, and every answer says so.
"""

from __future__ import annotations

import hashlib

import numpy as np

from kleiber.errors import InputError
from kleiber.fit.objective import Objective
from kleiber.fit.outcome import Outcome
from kleiber.fit.result import Fit, RunFacts
from kleiber.laws import find
from kleiber.laws.parameter import Coefficients


def looks_published(text: str) -> bool:
    """Whether `text` names a law and a set of it, `chinchilla:besiroglu-2024`, and no file.

    >>> looks_published("chinchilla:besiroglu-2024"), looks_published("runs.csv")
    (True, False)
    """
    law, colon, name = text.partition(":")
    return bool(colon and name) and all(part.replace("-", "").isalnum() for part in (law, name))


def published(text: str) -> Fit:
    """The published set `LAW:SET` as a fit without draws.

    Raises `InputError` for an unknown law or set, with the nearest name.

    >>> round(published("chinchilla:besiroglu-2024").forecast(params=70e9, tokens=1.4e12).loss, 4)
    1.9739
    """
    name, _, wanted = text.partition(":")
    law = find(name)
    found = law.coefficients(wanted)
    if set(found.values) != set(law.names):
        raise InputError(f"the set {wanted!r} does not give all of {law.name}", found=", ".join(found.values))
    digest = hashlib.sha256(repr(sorted(found.values.items())).encode()).hexdigest()
    return Fit(
        law=law,
        theta_P=np.array([found.values[each] for each in law.names]),
        draws_BP=np.empty((0, len(law.names))),
        objective=Objective(),
        objective_value=float("nan"),
        starts=1,
        agreeing=1,
        runs=RunFacts(
            count=0,
            hash=f"sha256:{digest}",
            source=f"{text}: {found.source}",
            conventions=_conventions(found),
            ranges=_ranges(found),
        ),
        outcome=Outcome.SOLVED,
        outcome_detail="published, not fitted here",
        findings=(),
        residuals_R=np.empty(0),
        seed=0,
        resampling="none",
    )


def _conventions(found: Coefficients) -> dict[str, str]:
    """Whether the set's params leave out embeddings, and its loss unit, as far as its words say."""
    words = found.conventions.lower()
    params = (
        "non_embedding"
        if "non-embedding" in words or "non-vocabulary" in words
        else "total"
        if "total" in words
        else "unknown"
    )
    loss = "bits_per_byte" if "bits per byte" in words else "nats_per_token" if "nats" in words else "unknown"
    return {"params": params, "flops": "unknown", "loss": loss}


def _ranges(found: Coefficients) -> dict[str, tuple[float, float]]:
    ranges = dict(found.domain)
    if "params" in ranges and "tokens" in ranges and "flops" not in ranges:
        (least, most), (few, many) = ranges["params"], ranges["tokens"]
        ranges["flops"] = (6 * least * few, 6 * most * many)
    return ranges
