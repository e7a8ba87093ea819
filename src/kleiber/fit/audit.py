"""What is wrong with a fit: the checks that need one, listed here as the table's own stand in `kleiber.runs.audit`.

A check takes a `Fit` and gives a `Finding`, or None where it does not apply. Adding one: write `check(fit) -> Finding | None` and
list it in `CHECKS`; the tests want a fit on which it speaks and one on which it is silent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kleiber.finding import Finding
from kleiber.fit.checklist import SURVEY, checklist
from kleiber.fit.few import influence_of_few
from kleiber.fit.fitting import refit
from kleiber.fit.frontier import cloud, frontier, other_inputs, splits
from kleiber.fit.profile import problem_of, threshold
from kleiber.fit.result import Fit, percentile
from kleiber.fit.sensitivity import recounted, twin_of
from kleiber.laws.evaluate import to_search
from kleiber.quantity import show
from kleiber.runs.audit.grouping import clusters

Check = Callable[[Fit], Finding | None]

BESIROGLU = "Besiroglu et al. 2024 (arXiv 2404.10102)"
ENTANGLED = 0.95  # correlation beyond which two parameters are one
PRINTED = 3  # significant digits that papers print
NEAR = 1e-6  # share of the box that counts as its end
WIDER = 1.3  # a cluster bootstrap this much wider says that runs are not independent
DRAWS = 200


def threshold_against_scatter(fit: Fit) -> Finding | None:
    """Whether the Huber threshold lies far from the residuals' scatter, so that the objective is L1 or squares in fact."""
    if fit.objective.name != "huber_log" or not fit.residuals_R.size:
        return None
    scatter = 1.4826 * float(np.median(np.abs(fit.residuals_R)))
    ratio = fit.objective.delta / max(scatter, 1e-300)
    kind = "absolute deviations" if ratio < 0.1 else "squares" if ratio > 10 else "a mixture of squares and deviations"
    stated = f"The Huber threshold {fit.objective.delta:g} is {show(ratio, 2)} times the residuals' scatter ({show(scatter, 2)})"
    return Finding(
        name="threshold against scatter",
        verdict="ok" if 0.1 <= ratio <= 10 else "warning",
        evidence=f"{stated}: {kind} in fact.",
        remedy="" if 0.1 <= ratio <= 10 else "state it, and see what another threshold would do (--sensitivity)",
        value=ratio,
        reference=BESIROGLU,
    )


def joint_identification(fit: Fit) -> Finding | None:
    """Parameters that the runs determine only together."""
    if len(fit.draws_BP) < 20:
        return None
    free = [index for index, name in enumerate(fit.law.names) if name not in fit.fixed]
    draws = to_search(fit.draws_BP, fit.law.form.logged)[:, free]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.atleast_2d(np.corrcoef(draws, rowvar=False))
    names = [fit.law.names[index] for index in free]
    pairs = [
        (abs(float(correlation[i, j])), f"{names[i]} and {names[j]} ({correlation[i, j]:+.3f})")
        for i in range(len(free))
        for j in range(i)
        if abs(correlation[i, j]) > ENTANGLED
    ]
    if not pairs:
        return Finding(name="joint identification", verdict="ok", evidence="No two parameters stand for one another.")
    worst = sorted(pairs, reverse=True)
    return Finding(
        name="joint identification",
        verdict="warning",
        evidence=f"Known together, not one by one: {', '.join(words for _, words in worst[:4])} (correlation of the draws).",
        remedy="quote forecasts and the optimum with their intervals, not single parameters; pass on the draws, not the table",
        value=worst[0][0],
        reference=BESIROGLU,
    )


def ends_of_the_box(fit: Fit) -> Finding | None:
    """Parameters, or a good share of their draws, that lie on a bound; a floor at 0."""
    problem, u_P = problem_of(fit)
    width_P = problem.upper_P - problem.lower_P
    draws_BP = to_search(fit.draws_BP, fit.law.form.logged) if len(fit.draws_BP) else u_P[None]
    found, worst = [], 0.0
    for index, parameter in enumerate(fit.law.parameters):
        if width_P[index] == 0:
            continue
        margin = NEAR * width_P[index]
        ends = ((problem.lower_P[index] + margin, -1.0), (problem.upper_P[index] - margin, 1.0))
        for (end, side), word in zip(ends, ("lower", "upper"), strict=True):
            on_end = side * u_P[index] >= side * end
            share = float((side * draws_BP[:, index] >= side * end).mean())
            if on_end or share > 0.025:
                where = "0" if parameter.floor and word == "lower" else f"its {word} bound"
                found.append(f"{parameter.name} is at {where}{'' if on_end else f' in {share:.0%} of the draws'}")
                worst = max(worst, 1.0 if on_end else share)
    if not found:
        return Finding(name="ends of the box", verdict="ok", evidence="No parameter lies on a bound.", value=0.0)
    return Finding(
        name="ends of the box",
        verdict="problem" if worst == 1.0 else "warning",
        evidence=f"{'; '.join(found)}.",
        remedy="the runs do not bound it: a wider ladder, or fix the parameter and say so (--fix)",
        value=worst,
    )


def digits_needed(fit: Fit) -> Finding | None:
    """Digits of the parameters that must be printed for the printed ones to be the fit."""
    problem, u_P = problem_of(fit)
    allowed = 0.01 * threshold(problem, u_P, 0.95)
    logged = fit.law.form.logged

    def rise(digits: int) -> float:
        rounded = np.array([float(f"{value:.{digits}g}") for value in fit.theta_P])
        with np.errstate(all="ignore"):
            inputs = dict(zip(fit.law.inputs, np.exp(problem.times_IR), strict=True))
            predicted = fit.law.evaluate(np.where(np.asarray(logged), np.abs(rounded), rounded), inputs)
            return float(problem.objective.value(predicted, problem.y_R)) - fit.objective_value

    needed = next((digits for digits in range(2, 12) if rise(digits) <= allowed), 12)
    share = rise(PRINTED) / fit.objective_value if fit.objective_value > 0 else float("inf")
    return Finding(
        name="digits needed",
        verdict="ok" if needed <= PRINTED else "warning",
        evidence=f"Rounded to {PRINTED} digits the parameters raise the fit's objective by {100 * share:.2g} %; "
        f"{needed} digits keep it.",
        remedy="" if needed <= PRINTED else f"print {needed} digits, or pass on the fit file",
        value=float(needed),
        reference=BESIROGLU,
    )


def dependent_runs(fit: Fit) -> Finding | None:
    """Whether resampling whole runs (or sizes) instead of rows widens the intervals."""
    if fit.table is None or fit.cluster is not None:
        return None
    column, codes = _clusters(fit)
    if codes is None:
        return None
    import pyarrow as pa

    table = fit.table
    if column == "size":
        from dataclasses import replace

        table = replace(table, table=table.table.append_column("size", pa.array(codes)))
    pairs, whole = (refit(fit, table, bootstrap=DRAWS, cluster=cluster) for cluster in (None, column))
    assert pairs.se is not None
    assert whole.se is not None
    ratios = {name: whole.se[name] / error for name, error in pairs.se.items() if error > 0}
    name = max(ratios, key=lambda each: ratios[each])
    words = f"Resampled by {column}, the error of {name} is {ratios[name]:.2g} times that of resampled rows"
    wide = ratios[name] > WIDER
    return Finding(
        name="dependent runs",
        verdict="warning" if wide else "ok",
        evidence=f"{words} ({codes.max() + 1} clusters of {len(table)} rows).",
        remedy=f"resample clusters{f' (--cluster {column})' if table.has(column) and column != 'size' else ''}"
        if wide
        else "",
        value=ratios[name],
        reference="Efron & Tibshirani (1993), chapter 8",
    )


def _clusters(fit: Fit) -> tuple[str, np.ndarray | None]:
    """The column that groups rows, and the codes: `run` where rows share one, else sizes that were measured repeatedly."""
    assert fit.table is not None
    if fit.table.has("run"):
        codes = np.unique([str(each) for each in fit.table.labels("run")], return_inverse=True)[1]
        if 6 <= codes.max() + 1 < len(codes):
            return "run", codes
    if fit.table.has("params"):
        codes = clusters(fit.table.column("params"))
        if 6 <= codes.max() + 1 <= len(codes) / 2:
            return "size", codes
    return "", None


def reach(fit: Fit) -> Finding | None:
    """How many decades of compute the runs span, which is about as far as the law may be carried beyond them."""
    name = next((each for each in ("flops", *fit.law.inputs) if each in fit.runs.ranges), None)
    if name is None:
        return None
    low, high = fit.runs.ranges[name]
    span = float(np.log10(high / low))
    verdict = "ok" if span >= 2 else "warning"
    return Finding(
        name="reach",
        verdict=verdict,
        evidence=f"The runs span {span:.1f} decades of {name}, up to {show(high)}: a forecast beyond {show(high * 10**span)} "
        "goes further than the runs themselves reach.",
        remedy="" if verdict == "ok" else "a ladder of two decades or more",
        value=span,
    )


def counting_of_params(fit: Fit) -> Finding | None:
    """How far the allocation exponent moves when params are counted the other way."""
    if fit.table is None or not splits(fit.law) or "params" not in fit.law.inputs:
        return None
    twin = twin_of(fit.table)
    if twin is None:
        return None
    other = refit(fit, recounted(fit.table, twin), bootstrap=DRAWS)
    ranges = fit.runs.ranges
    flops = ranges["flops"][1] if "flops" in ranges else 6 * ranges["params"][1] * ranges["tokens"][1]
    ours = float(frontier(fit.law, fit.theta_P[None], flops, other_inputs(fit)).exponent_K[0])
    theirs = frontier(fit.law, cloud(other), flops, other_inputs(other)).exponent_K
    interval = percentile(theirs[np.isfinite(theirs)], 0.95)
    moved = not interval[0] <= ours <= interval[1]
    return Finding(
        name="counting of params",
        verdict="warning" if moved else "ok",
        evidence=f"Counted as {twin}, params ∝ compute^{theirs[0]:.3f} ({interval[0]:.3f} - {interval[1]:.3f}) "
        f"instead of {ours:.3f}.",
        remedy="state which params are counted wherever the exponent is quoted" if moved else "",
        value=float(theirs[0]),
        interval=interval,
        reference="Porian et al. 2024 (arXiv 2406.19146); Pearce & Song 2024 (arXiv 2406.12907)",
    )


def what_is_not_said(fit: Fit) -> Finding:
    """Questions of the (Mis)Fitting checklist that neither the fit nor its runs answer."""
    items = checklist(fit)
    open_ones = [item.question for item in items if item.answer is None]
    share = 1 - len(open_ones) / len(items)
    return Finding(
        name="fitting checklist",
        verdict="ok" if share >= 0.75 else "warning",
        evidence=f"{len(items) - len(open_ones)} of {len(items)} questions of the checklist are answered"
        + (f"; open: {' '.join(open_ones)}" if open_ones else "."),
        remedy="add the columns, or answer them beside the report" if open_ones else "",
        value=share,
        reference=SURVEY,
    )


CHECKS: tuple[Check, ...] = (
    influence_of_few,
    threshold_against_scatter,
    joint_identification,
    ends_of_the_box,
    digits_needed,
    dependent_runs,
    reach,
    counting_of_params,
    what_is_not_said,
)


def audit_fit(fit: Fit) -> tuple[Finding, ...]:
    """The fit's own findings (agreement of starts and restarts), then every check that applies, in the order of `CHECKS`.

    Needs a fit that has its runs. A fit that was refused without being tried gets a single finding that says so.
    """
    if not np.isfinite(fit.theta_P).all():
        refused = Finding(name="fit", verdict="problem", evidence=f"{fit.outcome_detail}.", remedy=fit.outcome.value)
        return (*fit.findings, refused)
    found = (check(fit) for check in CHECKS)
    return (*fit.findings, *(finding for finding in found if finding is not None))
