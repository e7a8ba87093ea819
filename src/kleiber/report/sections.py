"""The sections of a report, each a function from the evidence to markup.

One idea: the first thing a reader meets is the decision, or why there is none; everything after it is the evidence.
"""

from __future__ import annotations

import numpy as np

from kleiber.finding import Finding
from kleiber.fit.checklist import SURVEY
from kleiber.fit.result import Fit
from kleiber.plan.result import Plan
from kleiber.quantity import show, show_flops
from kleiber.report import panels
from kleiber.report.evidence import Evidence, Missing, largest_flops
from kleiber.report.html import (
    EMPTY,
    Html,
    element,
    facts,
    join,
    listing,
    paragraph,
    section,
    table,
    text,
)

MARKS = {
    "ok": "✔ fine",
    "found": "● found",
    "warning": "! warning",
    "problem": "✘ problem",
    "cannot tell": "? cannot tell",
}
VERDICT_CLASSES = {"ok": "ok", "found": "found", "warning": "warning", "problem": "problem", "cannot tell": "unknown"}


def decision(found: Evidence) -> Html:
    """The decision in one sentence, or the refusal with its remedy."""
    fit = found.fit
    if fit.outcome.refused:
        return element(
            "div",
            paragraph(f"These runs do not support a decision: {fit.outcome_detail}.", class_="headline"),
            paragraph(f"What would change it: {fit.outcome.value}."),
            paragraph("The runs are shown below; nothing here should be planned with."),
            class_="decision refused",
        )
    if isinstance(found.plan, Missing):
        said = f"The law {fit.law.name} fits {fit.runs.count} runs with a typical error of {_scatter(fit)}."
        why = f"There is no plan: {found.plan.reason}. {found.plan.remedy}".strip()
        return element("div", paragraph(said, class_="headline"), paragraph(why), class_="decision")
    _, *others = found.plan.sentences()
    note = "" if found.asked else "No budget was named, so this is for ten times the largest run's compute. "
    return element(
        "div",
        paragraph(headline(found.plan), class_="headline"),
        paragraph(f"{note}{_reach(found.plan, fit)}"),
        listing(line[:1].upper() + line[1:] for line in others),
        class_="decision",
    )


def headline(plan: Plan) -> str:
    """What to train and what to expect, in one sentence."""
    params, tokens = (show(float(f"{amount.value:.2g}")) for amount in (plan.params, plan.tokens))
    inside = ""
    if plan.loss.interval:
        inside = f" ({100 * plan.level:g} % interval {plan.loss.interval[0]:.3f} to {plan.loss.interval[1]:.3f})"
    reach = plan.extrapolation_decades
    beyond = f", {reach:.1f} decades of compute beyond the largest run" if reach else ""
    budget = f"With {show_flops(plan.flops)} FLOP"
    return f"{budget}, train {params} params on {tokens} tokens: loss {plan.loss.value:.3f}{inside}{beyond}."


def _reach(plan: Plan, fit: Fit) -> str:
    largest = largest_flops(fit)
    runs = f"{fit.runs.count} runs" + (f" of up to {show_flops(largest)} FLOP" if largest else "")
    reach = plan.extrapolation_decades
    if not reach:
        return f"It rests on {runs}, and the budget lies within their range."
    times = f"{10**reach:,.0f}" if 10**reach >= 100 else f"{10**reach:.3g}"
    return f"It rests on {runs}; the budget is {times} times the largest of them."


def fitted(found: Evidence) -> Html:
    """What was fitted: the formula and its parameters."""
    fit = found.fit
    about = join(
        element("p", element("code", text(f"{fit.law.target} = {fit.law.formula}"), class_="formula")),
        paragraph(f"{fit.law.title}." if fit.law.title else "", class_="key"),
    )
    if not np.isfinite(fit.theta_P).all():
        return section("fitted", "What was fitted", about, paragraph("Nothing: the runs are too few to try."))
    rows = [_parameter(fit, name) for name in fit.law.names]
    header = ("Parameter", "Value", "Standard error", "95 % interval", "What it is")
    draws = f"{len(fit.draws_BP):,} resamples ({fit.resampling})" if len(fit.draws_BP) else "none: no intervals"
    notes = (
        f"{fit.runs.count} runs · {fit.objective.name} objective, delta {fit.objective.delta:g}, at "
        f"{fit.objective_value:.8g} · {fit.agreeing} of {fit.starts} starts agree · typical error {_scatter(fit)} · "
        f"draws: {draws}."
    )
    joint = (
        "The weights of the terms and their exponents are known together much better than one by one: use the draws."
    )
    validity = f"Holds for: {fit.law.validity}." if fit.law.validity else ""
    tail = (paragraph(notes, class_="key"), paragraph(joint, class_="key"), paragraph(validity, class_="key"))
    return section("fitted", "What was fitted", about, table("Fitted parameters", header, rows), *tail)


def _parameter(fit: Fit, name: str) -> list[str]:
    interval, se = fit.interval(name), fit.se
    meaning = next(parameter.meaning for parameter in fit.law.parameters if parameter.name == name)
    held = "held fixed" if name in fit.fixed else ""
    return [
        name,
        number(fit.parameters[name], 5),
        held or (number(se[name], 2) if se else "–"),
        held or (f"{number(interval[0], 4)} to {number(interval[1], 4)}" if interval else "–"),
        meaning,
    ]


def number(value: float, digits: int) -> str:
    """A parameter in full, without k and M, to `digits` significant digits.

    >>> number(2143.417, 5), number(123.4, 2), number(3.2e7, 3)
    ('2143.4', '120', '32M')
    """
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.{max(digits, 6)}g}" if 1e-4 <= abs(rounded) < 1e5 else show(value, max(digits, 3))


def _scatter(fit: Fit) -> str:
    """The robust scatter of runs about the law, as a percentage where the objective is on the log."""
    spread = 1.4826 * float(np.median(np.abs(fit.residuals_R - np.median(fit.residuals_R))))
    return f"{100 * spread:.2g} %" if fit.objective.on_log else show(spread, 2)


def runs_and_law(found: Evidence) -> Html:
    """The main charts."""
    shown = [panels.main(found), panels.slices(found), panels.plane(found), panels.outlook(found)]
    return section("charts", "The runs and the law", panels.drawn(shown))


def trust(found: Evidence) -> Html:
    """Whether to believe the law: residuals and the draws."""
    content = panels.drawn([*panels.residuals(found), *panels.clouds(found)])
    return section("trust", "Does the law describe these runs?", content)


def hidden(found: Evidence) -> Html:
    """The back-test."""
    if isinstance(found.backtest, Missing):
        return section("backtest", "Would it have predicted the top of the ladder?", missing(found.backtest))
    rows = [
        [
            show_flops(fold.cut) if fold.along == "flops" else show(fold.cut),
            str(fold.fit_runs),
            str(fold.test_runs),
            f"{100 * fold.log_rmse.value:.2g} %",
            f"{100 * fold.bias.value:+.2g} %",
            f"{100 * fold.coverage.value:.0f} %" if np.isfinite(fold.coverage.value) else "–",
            str(fold.allocation_exponent) if fold.allocation_exponent else "–",
        ]
        for fold in found.backtest.of(found.backtest.best)
    ]
    header = ("Fitted up to", "Runs fitted", "Runs hidden", "Log-RMSE", "Bias", "Inside 95 %", "Exponent of params")
    return section(
        "backtest",
        "Would it have predicted the top of the ladder?",
        listing(found.backtest.sentences()),
        table("Back-test by cut", header, rows),
        panels.drawn(list(panels.hidden(found))),
    )


def split(found: Evidence) -> Html:
    """Allocation against named rules, and what more compute buys."""
    title = "How to split compute, and what more of it buys"
    if isinstance(found.allocation, Missing):
        return section("allocation", title, missing(found.allocation))
    words = {True: "excluded", False: "not excluded", None: "no interval to judge by"}
    rows = [
        [verdict.rule.words, f"{verdict.rule.power:.3g}", words[verdict.excluded], verdict.rule.source]
        for verdict in found.allocation.rules
    ]
    header = ("Rule", "k", "By these runs", "Source")
    return section(
        "allocation",
        title,
        listing(found.allocation.sentences()),
        table("Named rules: tokens ∝ params^k", header, rows, numbers=False),
        panels.drawn([panels.rules(found)]),
        _rule_costs(found.plan),
        _other_ways(found),
    )


def _rule_costs(plan: Plan | Missing) -> Html:
    if isinstance(plan, Missing) or not plan.rules:
        return EMPTY
    rows = [
        [rule.words, show(rule.params), show(rule.tokens), f"{rule.loss.value:.3f}", f"{rule.excess.value:+.2g}"]
        for rule in plan.rules
    ]
    caption = f"What the rules would train with {show_flops(plan.flops)} FLOP"
    return table(caption, ("Rule", "Params", "Tokens", "Loss", f"Above the plan ({plan.loss_unit})"), rows)


def _other_ways(found: Evidence) -> Html:
    """The same exponent by Hoffmann's first two approaches, with their warnings."""
    answers = [each for each in found.approaches if not isinstance(each, Missing)]
    if not answers:
        return EMPTY
    lines = [f"{answer.sentences()[0]} {answer.warning}" for answer in answers]
    return join(element("h3", text("The same exponent by other ways")), listing(lines))


def choices(found: Evidence) -> Html:
    """What other defensible ways of fitting would have said."""
    title = "Does the answer hang on how it was fitted?"
    if isinstance(found.sensitivity, Missing):
        return section("sensitivity", title, missing(found.sensitivity))
    answer = found.sensitivity
    rows = []
    for variant in (answer.base, *answer.variants):
        optimum = (variant.exponent, variant.params, variant.loss)
        numbers = [f"{each.value:.3g}" if each else "–" for each in (optimum[0], optimum[2])]
        size = show(variant.params.value) if variant.params else "–"
        rows.append([variant.name, str(variant.runs), numbers[0], size, numbers[1], variant.outcome.replace("_", " ")])
    at = f" at {show_flops(answer.flops)} FLOP" if answer.flops else ""
    header = ("Fitted with", "Runs", "Exponent of params", f"Best params{at}", "Loss there", "Outcome")
    return section(
        "sensitivity", title, listing(answer.sentences()), table("The same runs, fitted otherwise", header, rows)
    )


def floor(found: Evidence) -> Html:
    """Whether there is an irreducible loss to be seen."""
    title = "Is there a floor?"
    if isinstance(found.ceiling, Missing):
        return section("ceiling", title, missing(found.ceiling))
    return section("ceiling", title, listing(found.ceiling.sentences()))


def audit(found: Evidence) -> Html:
    """Every finding, the worst first; checks that found nothing are folded away."""
    speaking = [finding_item(each) for each in found.findings if each.verdict != "ok"]
    silent = [finding_item(each) for each in found.findings if each.verdict == "ok"]
    listed = element("ul", *speaking, class_="findings") if speaking else paragraph("No check found anything wrong.")
    summary = element("summary", text(f"{len(silent)} checks found nothing wrong"))
    folded = element("details", summary, element("ul", *silent, class_="findings")) if silent else EMPTY
    return section("audit", "Audit: what may be wrong with these runs", listed, folded)


def finding_item(found: Finding) -> Html:
    """A finding as an entry of a list."""
    badge = element("span", text(MARKS[found.verdict]), class_=f"badge {VERDICT_CLASSES[found.verdict]}")
    name = element("strong", text(found.name.replace("_", " ")))
    remedy = paragraph(f"What to do: {found.remedy}" if found.remedy else "")
    source = paragraph(f"Source: {found.reference}" if found.reference else "", class_="key")
    caveats = [paragraph(caveat, class_="key") for caveat in found.caveats]
    return element("li", badge, Html(" "), name, paragraph(found.evidence), remedy, *caveats, source)


def checklist(found: Evidence) -> Html:
    """The (Mis)Fitting checklist: what a reader must know, answered or open."""
    rows = [[item.question, item.answer or "not stated", item.section] for item in found.checklist]
    known = sum(item.answer is not None for item in found.checklist)
    said = (
        f"{known} of {len(rows)} questions that a reader must be able to answer are answered by the runs and the fit."
    )
    header = ("Question", "Answer", "About")
    return section(
        "checklist",
        "The (Mis)Fitting checklist",
        paragraph(said),
        table("What a reader must know to repeat or doubt this fit", header, rows, numbers=False),
        paragraph(f"Source: {SURVEY}.", class_="key"),
    )


def provenance(found: Evidence, command: str, versions: dict[str, str]) -> Html:
    """Where every number comes from."""
    fit = found.fit
    derived = fit.table.derived if fit.table is not None else {}
    pairs = [
        ("Runs", f"{fit.runs.count} from {fit.runs.source}"),
        ("Content hash", fit.runs.hash),
        ("Filters", "; ".join(fit.runs.steps) or "none"),
        ("Columns", "; ".join(f"{name} = {how}" for name, how in derived.items())),
        ("Conventions", ", ".join(f"{kind}: {word}" for kind, word in fit.runs.conventions.items())),
        ("Law", f"{fit.law.name}: {fit.law.formula}"),
        ("Source of the law", fit.law.source),
        ("Objective", f"{fit.objective.name}, delta {fit.objective.delta:g}, value {fit.objective_value:.12g}"),
        ("Held fixed", ", ".join(f"{name} = {value:g}" for name, value in fit.fixed.items())),
        ("Search", f"{fit.agreeing} of {fit.starts} starts agree"),
        ("Draws", f"{len(fit.draws_BP)} ({fit.resampling})"),
        ("Seed", str(fit.seed)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
    ]
    again = element("pre", element("code", text(command)), tabindex="0")
    return section("provenance", "Where this comes from", facts(pairs), paragraph("To make it again:"), again)


def missing(answer: Missing) -> Html:
    """An answer that could not be had: why, and what would change that."""
    remedy = f" What would change it: {answer.remedy}." if answer.remedy else ""
    return paragraph(f"Not available: {answer.reason.rstrip('.')}.{remedy}", class_="missing")
