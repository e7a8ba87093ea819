"""Is a straight line on log-log paper a power law? Most data cannot tell it from a lognormal: that is the default answer.

The way the data takes: sample -> where its tail starts and how steep it is (`xmin`) -> contests with what else it could be
(`rivals`) -> a bootstrap of how far true power laws of that size lie from their own best fit -> three findings: is the tail
heavier than an exponential, could a power law have made it, does a power law fit better than its rivals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import zeta

from kleiber.diagnose.criticality.rivals import CUT_OFF, RIVALS, Contest, contest
from kleiber.diagnose.criticality.sample import Sample, sample_of
from kleiber.diagnose.criticality.xmin import Start, find_start, start_at
from kleiber.diagnose.series import cannot_tell
from kleiber.errors import InputError
from kleiber.finding import Finding

Array = NDArray[np.float64]
NAME, HEAVY, GOODNESS = "power_law", "heavy_tail", "goodness_of_fit"
REFERENCE = "Clauset, Shalizi & Newman 2009, SIAM Review 51:661; Vuong 1989, Econometrica 57:307"
FEWEST, LEVEL, TABLE = 50, 0.05, 10_000
DRAWS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerLaw:
    """The tail's power law, its contests, the share `p` of true power laws that lie as far from their fit, and the findings."""

    sample: Sample
    start: Start
    interval: tuple[float, float]
    contests: Mapping[str, Contest]
    p: float | None
    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        """Whether a power law fits better than its rivals."""
        return self.findings[0]


def power_law(
    values: ArrayLike, *, xmin: float | None = None, discrete: bool | None = None, draws: int = DRAWS, seed: int = 0
) -> PowerLaw | Finding:
    """The power law p(x) ~ x^-alpha, x >= xmin, that a sample `(n,)` of positive values ends in, held against its rivals.

    `xmin` is searched unless given; `discrete` is true of integers unless said; `draws` bootstrap samples judge the fit, 0
    for none. Fewer than 50 samples, or in the tail, give the finding that it cannot be told.

    Raises `InputError` where a value is not finite or not positive.

    >>> import numpy as np
    >>> draws = np.random.default_rng(0).pareto(1.5, size=1000) + 1
    >>> found = power_law(draws, draws=0)
    >>> round(found.start.alpha, 1), found.finding.verdict
    (2.5, 'cannot tell')
    """
    sample = sample_of(values, discrete=discrete)
    short = _too_little(sample, xmin)
    if short is not None:
        return short
    start = find_start(sample) if xmin is None else start_at(sample, xmin)
    tail = sample.beyond(start.xmin)
    contests = {name: contest(name, tail, start.xmin, start.alpha) for name in RIVALS}
    p = _goodness(sample, start, xmin is None, draws, np.random.default_rng(seed)) if draws else None
    reach = 1.96 * start.alpha_error
    interval = (start.alpha - reach, start.alpha + reach)
    findings = [_contest_finding(start, interval, contests), _heavy_finding(start, contests["exponential"])]
    if p is not None:
        findings.append(_goodness_finding(start, p, draws))
    return PowerLaw(sample=sample, start=start, interval=interval, contests=contests, p=p, findings=tuple(findings))


def _too_little(sample: Sample, xmin: float | None) -> Finding | None:
    if xmin is not None and not xmin > 0:
        raise InputError("the start of a power law is positive", found=xmin, where="xmin")
    within = sample if xmin is None else sample.beyond(xmin)
    if within.size < FEWEST:
        return cannot_tell(
            NAME,
            f"{within.size} samples are too few for a tail.",
            remedy=f"gather at least {FEWEST}; several hundred in the tail tell some rivals apart",
            reference=REFERENCE,
        )
    if within.values_U.size < 3:
        return cannot_tell(
            NAME, f"The sample has {within.values_U.size} distinct values: no tail.", reference=REFERENCE
        )
    return None


def draw_power_law(size: int, xmin: float, alpha: float, discrete: bool, rng: np.random.Generator) -> Array:
    """`size` draws from x^-alpha on x >= xmin; discrete ones exactly up to 10,000 above xmin and by rounding beyond."""
    uniform = 1 - rng.random(size)
    if not discrete:
        return xmin * uniform ** (-1 / (alpha - 1))
    survival = zeta(alpha, xmin + np.arange(TABLE)) / zeta(alpha, xmin)
    steps = np.searchsorted(-survival, -uniform, side="right") - 1
    last = xmin + TABLE - 1
    beyond = np.floor((last - 0.5) * (uniform / survival[-1]) ** (-1 / (alpha - 1)) + 0.5)
    return np.where(steps < TABLE - 1, xmin + steps, np.minimum(np.maximum(beyond, last), 2.0**52))


def _goodness(sample: Sample, start: Start, search: bool, draws: int, rng: np.random.Generator) -> float:
    """The share of samples, drawn from the fit above xmin and from the data below, whose own fit is as distant (section 4.1)."""
    below = sample.values_U < start.xmin
    chances = sample.counts_U[below] / max(sample.counts_U[below].sum(), 1)
    farther = 1
    for _ in range(draws):
        if search:
            tail = int(rng.binomial(sample.size, start.tail / sample.size)) if below.any() else sample.size
            body = rng.choice(sample.values_U[below], size=sample.size - tail, p=chances) if tail < sample.size else []
        else:
            tail, body = start.tail, []
        drawn = np.concatenate([body, draw_power_law(tail, start.xmin, start.alpha, sample.discrete, rng)])
        again = sample_of(drawn, discrete=sample.discrete)
        refitted = find_start(again) if search else start_at(again, start.xmin)
        farther += refitted.distance >= start.distance
    return farther / (draws + 1)


def _said(start: Start) -> str:
    return f"from {start.xmin:g} on ({start.tail} samples)"


def _contest_finding(start: Start, interval: tuple[float, float], contests: Mapping[str, Contest]) -> Finding:
    head = f"A power law with exponent {start.alpha:.3f} [{interval[0]:.3f}, {interval[1]:.3f}] fits {_said(start)}"
    better = _holm(contests)
    if better:
        said, verdict = f", but a {_listed(better, contests)} fits better: it is not a pure power law", "found"
    elif all(each.ratio > 0 and each.p <= LEVEL for name, each in contests.items() if name != CUT_OFF):
        said, verdict = f" better than a {_listed(contests, contests, but=CUT_OFF)}", "found"
    else:
        alike = {name: each for name, each in contests.items() if not (each.ratio > 0 and each.p <= LEVEL)}
        said, verdict = f", and is not distinguishable from a {_listed(alike, contests)}", "cannot tell"
    return Finding(
        name=NAME,
        verdict=verdict,  # type: ignore[arg-type] - one of the words of `Verdict`
        value=start.alpha,
        interval=interval,
        evidence=head + said + ".",
        caveats=(
            "The interval takes xmin as known.",
            "Power laws lie at the edge of the lognormals: a sample can refute a power law and hardly ever a lognormal.",
        ),
        reference=REFERENCE,
    )


def _holm(contests: Mapping[str, Contest]) -> list[str]:
    """The rivals that fit better than the power law, at 5 % over all of them (Holm 1979)."""
    better = []
    for place, (name, each) in enumerate(sorted(contests.items(), key=lambda item: item[1].p)):
        if each.p > LEVEL / (len(contests) - place):
            break
        if each.ratio < 0:
            better.append(name)
    return better


def _listed(names: Mapping[str, Contest] | list[str], contests: Mapping[str, Contest], but: str = "") -> str:
    return ", ".join(f"{name} (p = {_small(contests[name].p)})" for name in names if name != but)


def _small(p: float) -> str:
    return f"{p:.2f}" if p >= 0.01 else f"{p:.1g}"


def _heavy_finding(start: Start, against: Contest) -> Finding:
    heavy = against.ratio > 0 and against.p <= 2 * LEVEL  # one-sided
    side = "better than" if against.ratio > 0 else "worse than"
    said = f"{_said(start).capitalize()} the power law fits {side} an exponential (p = {_small(against.p)})"
    return Finding(
        name=HEAVY,
        verdict="found" if heavy else "ok",
        value=against.ratio,
        evidence=f"{said}: the tail is {'heavy' if heavy else 'not shown to be heavy'}.",
        caveats=("A lognormal tail is heavy too.",),
        reference=REFERENCE,
    )


def _goodness_finding(start: Start, p: float, draws: int) -> Finding:
    refuted = p <= LEVEL
    share = f"{100 * p:.0f} % of {draws} samples of that law lie as far from theirs"
    said = f"The tail lies {start.distance:.4f} from its power law; {share}"
    return Finding(
        name=GOODNESS,
        verdict="found" if refuted else "ok",
        value=p,
        evidence=f"{said}: {'it is not what a power law gives' if refuted else 'a power law could have given it'}.",
        caveats=("With few samples almost anything could have been given by a power law.",),
        reference=REFERENCE,
    )
