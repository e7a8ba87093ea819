"""The gap between test and train error of a run, without a test set: estimated from topology, and held against what is free.

The way the data takes: a run's numbers and reference runs -> the map from topology, and the maps from the rivals -> two
findings: the estimate, and whether anything that is free does better.

One idea: an estimate is worth its errors on families it was not fitted on, and a number that a few hundred labels would also give
says so itself. Where topology does no better than chance, or the run is unlike the reference, there is no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kleiber.diagnose.topology.gap_map import GapMap, chance, gap_map, labels_worth
from kleiber.diagnose.topology.graph import REFERENCE
from kleiber.diagnose.topology.reference_runs import ReferenceRuns, reference_runs
from kleiber.diagnose.topology.refusal import refused
from kleiber.errors import InputError, Refusal
from kleiber.finding import Finding

FEATURES = ("life", "midlife")
RIVALS = ("norm", "margin", "train_loss", "train_error")
TOLERATED, LEVEL, DRAWS = 0.05, 0.95, 1000
CRITICISM = "Tan et al., On the Limitations of Fractal Dimension as a Measure of Generalization (NeurIPS 2024)"


@dataclass(frozen=True, kw_only=True)
class GapEstimate:
    """What topology says of a run's gap, and how its rivals do on the reference runs.

    `estimate`: in [-1, 1], None where it is refused. `errors`: mean absolute error on families left out, by map.
    """

    estimate: float | None
    errors: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        """The estimate's own finding."""
        return self.findings[0]


def estimated_gap(
    run: Mapping[str, float | None],
    reference: ReferenceRuns,
    *,
    features: Sequence[str] = FEATURES,
    tolerated: float = TOLERATED,
    level: float = LEVEL,
    seed: int = 0,
) -> GapEstimate:
    """Estimate the gap of a run from its `features`, and compare with the mean gap, norm, margin and training loss.

    `run`: its numbers by name, measured as those of the reference runs were (as many units and inputs, the same cut-off and
    field). Raises `InputError` for a feature that the reference lacks or a tolerated gap that is no share.
    """
    if not 0 <= tolerated < 1 or not 0 < level < 1:
        raise InputError("the tolerated gap and the level are shares", found=f"{tolerated:g} and {level:g}")
    if not features:
        raise InputError("a map needs a feature", expected="life, midlife, mean_edge or edge_spread")
    try:
        own = gap_map(reference, features)
        rivals = _rivals(reference)
        against = _against(own, rivals, seed)
    except Refusal as refusal:
        return GapEstimate(estimate=None, errors={}, findings=(refused("topology_gap", refusal, reference=REFERENCE),))
    errors = {"topology": own.mean_error, **{name: rival.mean_error for name, rival in rivals.items()}}
    try:
        finding, estimate = _estimate(run, reference, own, tolerated, level, seed, errors)
    except Refusal as refusal:
        finding, estimate = refused("topology_gap", refusal, reference=REFERENCE), None
    return GapEstimate(estimate=estimate, errors=errors, findings=(finding, against))


def topology_gap(
    *,
    life: float,
    midlife: float,
    reference_gap_R: ArrayLike,
    reference_life_R: ArrayLike,
    reference_midlife_R: ArrayLike,
    families: Sequence[str],
    tolerated: float = TOLERATED,
    seed: int = 0,
) -> Finding:
    """The estimate from plain numbers: `life` and `midlife` of a run, and of reference runs with their gaps and families."""
    columns = {"life": reference_life_R, "midlife": reference_midlife_R}
    runs = reference_runs(reference_gap_R, families, columns)
    return estimated_gap({"life": life, "midlife": midlife}, runs, tolerated=tolerated, seed=seed).finding


def _estimate(
    run: Mapping[str, float | None],
    reference: ReferenceRuns,
    own: GapMap,
    tolerated: float,
    level: float,
    seed: int,
    errors: Mapping[str, float],
) -> tuple[Finding, float]:
    by_chance = chance(reference, own.features, seed=seed)
    named = " and ".join(own.features)
    if by_chance > 0.05:
        raise Refusal(
            f"{named} do not foretell the gap of the reference runs better than gaps dealt anew within families "
            f"(p = {by_chance:.2g}; mean error {_points(errors['topology'])}, the mean gap {_points(errors['mean gap'])})",
            remedy=f"label examples: 400 give a standard error of 2.5 points at most; or use {_best(errors)}",
        )
    estimate, half = own.estimate(run), own.half_width(level)
    interval = (max(-1.0, estimate - half), min(1.0, estimate + half))
    known = run.get("train_error")
    wrong = 0.5 if known is None else float(np.clip(known + estimate, 0.01, 0.99))
    labels = f"{'At most ' if known is None else ''}{labels_worth(own.rms_error, wrong):.0f} fresh examples with labels"
    above = interval[0] > tolerated
    below = interval[1] <= tolerated
    judged = "so it is above" if above else "so it is within" if below else "which does not tell whether it is above"
    ends = f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
    words = (
        f"The gap between test and train error is estimated at {_points(estimate)} from {named} "
        f"({100 * level:g} % interval {ends}), {judged} the tolerated {100 * tolerated:g}. "
        f"On families left out this map is off by {_points(own.mean_error)} on average, "
        f"the mean gap by {_points(errors['mean gap'])}. "
        f"{labels} would give as small a standard error."
    )
    remedy = "more data, fewer params or regularisation; label fresh examples before deciding on it" if above else ""
    finding = Finding(
        name="topology_gap",
        verdict="warning" if above else "ok" if below else "cannot tell",
        evidence=words,
        remedy=remedy,
        value=estimate,
        interval=interval,
        caveats=(
            f"calibrated on {len(reference)} reference runs of {len(reference.folds())} families, and holds for such runs alone",
            "activations on training inputs cannot show that the test data are of another kind",
        ),
        reference=f"{REFERENCE}; {CRITICISM}",
    )
    return finding, estimate


def _rivals(reference: ReferenceRuns) -> dict[str, GapMap]:
    """The mean gap, and the map from each rival that every reference run has."""
    found = {"mean gap": gap_map(reference)}
    for name in RIVALS:
        values = reference.columns.get(name)
        if values is not None and np.isfinite(values).all():
            try:
                found[name.replace("_", " ")] = gap_map(reference, [name])
            except Refusal:
                continue
    return found


def _against(own: GapMap, rivals: Mapping[str, GapMap], seed: int) -> Finding:
    """Is topology better than the best of its rivals? Ratio of mean errors, with an interval over runs drawn anew."""
    best = min(rivals, key=lambda name: rivals[name].mean_error)
    mine, theirs = np.abs(own.errors_R), np.abs(rivals[best].errors_R)
    drawn = np.random.default_rng(seed).integers(len(mine), size=(DRAWS, len(mine)))
    ratio = float(mine.mean() / theirs.mean()) if theirs.mean() > 0 else float("inf")
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanquantile(mine[drawn].mean(1) / theirs[drawn].mean(1), [0.025, 0.975])
    listed = ", ".join(f"{name} {_points(rival.mean_error)}" for name, rival in rivals.items())
    better, worse = high < 1, low > 1
    judged = (
        "topology is better than any of them"
        if better
        else f"{best} does better: use that"
        if worse
        else f"it is not told apart from {best}"
    )
    missing = [name.replace("_", " ") for name in RIVALS[:3] if name.replace("_", " ") not in rivals]
    return Finding(
        name="topology_against_free",
        verdict="ok" if better else "warning" if worse else "cannot tell",
        evidence=f"Mean error on families left out: topology {_points(own.mean_error)}; {listed}; {judged}.",
        remedy=f"estimate the gap from {best}" if worse else "",
        value=ratio if np.isfinite(ratio) else None,
        interval=(float(low), float(high)) if np.isfinite([low, high]).all() else None,
        caveats=(f"not compared, as the reference runs do not have it: {', '.join(missing)}",) if missing else (),
        reference=CRITICISM,
    )


def _best(errors: Mapping[str, float]) -> str:
    return min((name for name in errors if name != "topology"), key=lambda name: errors[name])


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
