"""What a fit is asked besides its parameters: the split of compute, a back-test, its floor, its sensitivity.

One idea: every analysis answers with sentences and with JSON; one that the runs (or the law) do not support answers with the
reason, and the fit stands without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kleiber.cli import screen
from kleiber.errors import KleiberError

if TYPE_CHECKING:
    from kleiber.fit import Fit


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an analysis said, for people and for programs."""

    sentences: tuple[str, ...]
    as_json: Mapping[str, Any]


def of(fit: Fit, names: Iterable[str]) -> dict[str, Answer]:
    """The answers to the analyses `names`, in that order."""
    answers = {}
    for name in names:
        with screen.working(WORDS[name]):
            answers[name] = _ask(name, fit)
    return answers


def _ask(name: str, fit: Fit) -> Answer:
    try:
        result = ANALYSES[name](fit)
    except KleiberError as error:
        reason = str(error).split("\n")[0]
        return Answer(sentences=(f"No {name} here: {reason}",), as_json={"refused": reason})
    return Answer(sentences=tuple(result.sentences()), as_json=result.to_json())


def _allocation(fit: Fit) -> Any:
    from kleiber.fit.allocation import allocation

    return allocation(fit)


def _backtest(fit: Fit) -> Any:
    from kleiber.fit.backtest import backtest

    assert fit.table is not None, "a fit made here has its runs"
    return backtest(
        fit.table,
        [fit.law],
        objective=fit.objective,
        seed=fit.seed,
        fixed=fit.fixed,
        bootstrap=_draws(fit, 200),
        cluster=fit.cluster,
    )


def _ceiling(fit: Fit) -> Any:
    from kleiber.fit.ceiling import ceiling

    return ceiling(fit.table, fit.law, objective=fit.objective, seed=fit.seed)


def _profile(fit: Fit) -> Any:
    from kleiber.fit.profile import profile

    return profile(fit)


def _sensitivity(fit: Fit) -> Any:
    from kleiber.fit.sensitivity import sensitivity

    return sensitivity(fit)


def _envelope(fit: Fit) -> Any:
    from kleiber.fit.isoflop import envelope

    return envelope(fit.table, bootstrap=_draws(fit, 200), seed=fit.seed)


def _parabolas(fit: Fit) -> Any:
    from kleiber.fit.isoflop import parabolas

    return parabolas(fit.table, bootstrap=_draws(fit, 200), seed=fit.seed)


def _draws(fit: Fit, most: int) -> int:
    """Draws per fold: as many as the fit has, up to `most`."""
    return min(most, len(fit.draws_BP))


ANALYSES: Mapping[str, Callable[[Fit], Any]] = {
    "allocation": _allocation,
    "backtest": _backtest,
    "ceiling": _ceiling,
    "sensitivity": _sensitivity,
    "profile": _profile,
    "envelope": _envelope,
    "parabolas": _parabolas,
}
WORDS = {
    "allocation": "splitting compute",
    "backtest": "hiding top rungs",
    "ceiling": "looking for a floor",
    "sensitivity": "refitting with other choices",
    "profile": "profiling",
    "envelope": "following the frontier",
    "parabolas": "fitting parabolas",
}
