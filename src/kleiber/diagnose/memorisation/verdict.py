"""One verdict per run: memorising, generalising, both or cannot tell, from all the evidence at one error rate.

The way the data takes: evidence for either claim -> p-values corrected together by Holm, and for every look at the run -> which
claims stand -> a word, and the change it argues for. One idea: the chance that any false claim stands is at most the level,
however many diagnostics were asked and however often; and a claim is denied only by evidence that could have shown it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.evidence import LEVEL, Claim, Evidence, levels, shown
from kleiber.diagnose.memorisation.exposure import exposure
from kleiber.diagnose.memorisation.membership import membership
from kleiber.diagnose.memorisation.probing import NAME as PROBE
from kleiber.diagnose.memorisation.probing import NAME_GAP, probe, probe_gap
from kleiber.errors import InputError
from kleiber.finding import Finding
from kleiber.finding import Verdict as Mark

NAME = "memorising_or_generalising"
REFERENCE = "Holm 1979, A simple sequentially rejective multiple test procedure (Scand. J. Stat. 6)"
Word = Literal["memorising", "generalising", "both", "cannot tell"]
MARKS: dict[Word, Mark] = {
    "memorising": "problem",
    "both": "warning",
    "generalising": "found",
    "cannot tell": "cannot tell",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The word, the change it argues for, the corrected p-value of every test, and all of it as a finding."""

    word: Word
    change: str
    corrected: dict[str, float]
    finding: Finding


def verdict(
    evidence: Sequence[Evidence], *, level: float = LEVEL, looks: int = 1, budget: Finding | None = None
) -> Verdict:
    """Weigh the evidence of one run at one moment; `looks` is how many moments of it are looked at in all.

    A claim stands where one of its material tests is rejected after Holm's correction over all tests and Bonferroni's over
    `looks`. It is denied where none is and every one that was asked could have shown a large effect. memorising: rote
    stands and rule is denied; generalising: the reverse; both: both stand; cannot tell: anything else. `budget`
    (`capacity.budget`) sharpens the change it argues for.

    Raises `InputError` where there is no evidence or looks is below 1.

    >>> from kleiber.diagnose.memorisation.carry_over import carry_over
    >>> found = carry_over(2.0 + 0.1 * np.arange(20), 0.9 * (2.0 + 0.1 * np.arange(20)))
    >>> verdict([found.memorising, found.generalising]).word
    'generalising'

    Source: Holm 1979.
    """
    if not evidence:
        raise InputError("there is no evidence to weigh", expected="one Evidence or more")
    if looks < 1:
        raise InputError("a run is looked at once or more", found=looks)
    tested = [one for one in evidence if one.p_value is not None]
    if len({one.finding.name for one in tested}) < len(tested):
        raise InputError("a test is handed in twice", found=", ".join(one.finding.name for one in tested))
    corrected = dict(
        zip((one.finding.name for one in tested), _holm([one.p_value or 0.0 for one in tested], looks), strict=True)
    )
    stands = {claim: _stands(tested, corrected, claim, levels(level)) for claim in ("memorising", "generalising")}
    denied = {claim: _denied(tested, corrected, claim, level) for claim in ("memorising", "generalising")}
    word = _word(stands, denied)
    change = _change(word, stands["memorising"], budget, tested)
    carried = next((one.finding for one in tested if one.finding.name in ("carries_over", PROBE)), None)
    finding = Finding(
        name=NAME,
        verdict=MARKS[word],
        value=carried.value if carried else None,
        interval=carried.interval if carried else None,
        evidence=_sentence(word, stands, tested, corrected, looks),
        remedy=change,
        caveats=("A verdict on what was asked: skills that no diagnostic asked for may differ.",),
        reference=REFERENCE,
    )
    return Verdict(word=word, change=change, corrected=corrected, finding=finding)


def _holm(p_values: Sequence[float], looks: int) -> list[float]:
    """Holm's adjusted p-values, times the number of looks."""
    order = np.argsort(p_values, kind="stable")
    factor = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(1.0, looks * np.maximum.accumulate(np.asarray(p_values)[order] * factor))
    found = np.empty(len(p_values))
    found[order] = adjusted
    return found.tolist()


def _stands(tested: Sequence[Evidence], corrected: dict[str, float], claim: str, level: float) -> list[Evidence]:
    return [one for one in tested if one.claim == claim and one.material and corrected[one.finding.name] <= level]


def _denied(tested: Sequence[Evidence], corrected: dict[str, float], claim: str, level: float) -> bool:
    """Whether a claim was asked after and each test without an effect could have shown a large one."""
    asked = [one for one in tested if one.claim == claim]
    small = (one.informative or corrected[one.finding.name] <= level for one in asked)
    return bool(asked) and all(small)


def _word(stands: dict[str, list[Evidence]], denied: dict[str, bool]) -> Word:
    rote, rule = bool(stands["memorising"]), bool(stands["generalising"])
    if rote and rule:
        return "both"
    if rote and denied["generalising"]:
        return "memorising"
    if rule and denied["memorising"]:
        return "generalising"
    return "cannot tell"


def _sentence(
    word: Word, stands: dict[str, list[Evidence]], tested: Sequence[Evidence], corrected: dict[str, float], looks: int
) -> str:  # fmt: skip
    def because(claim: Claim) -> str:
        return ", ".join(one.finding.name.replace("_", " ") for one in stands[claim])

    said = {
        "memorising": f"The run memorises ({because('memorising')}) and nothing shows that it generalises",
        "generalising": f"The run generalises ({because('generalising')}) and no memory of training text was found",
        "both": f"The run generalises ({because('generalising')}) and memorises as well ({because('memorising')})",
        "cannot tell": _half_told(stands),
    }[word]
    most = f"; the weakest of what stands has {shown(_worst(stands, corrected))}" if word != "cannot tell" else ""
    seen = f" and {looks} looks" if looks > 1 else ""
    return f"{said}, at one error rate over {len(tested)} test{'s' * (len(tested) != 1)}{seen}{most}."


def _half_told(stands: dict[str, list[Evidence]]) -> str:
    if stands["memorising"]:
        return "The run memorises; whether it generalises as well cannot be told"
    if stands["generalising"]:
        return "The run generalises; whether it memorises as well cannot be told"
    return "Neither memory nor a rule is shown"


def _worst(stands: dict[str, list[Evidence]], corrected: dict[str, float]) -> float:
    return max(corrected[one.finding.name] for found in stands.values() for one in found)


def _change(word: Word, rote: Sequence[Evidence], budget: Finding | None, tested: Sequence[Evidence]) -> str:
    """What the verdict argues for, most specific first."""
    if word == "generalising":
        if budget is not None and budget.verdict == "warning":
            return f"look again: the parameters could store all of the text, so it takes {budget.remedy} to stay so"
        return "nothing here limits the run: look to its data, size and rate"
    if word == "cannot tell":
        missing = {"memorising", "generalising"} - {one.claim for one in tested}
        return (
            f"ask after {' and '.join(sorted(missing))} too" if missing else "score more documents, or look again later"
        )
    if any(one.finding.name == NAME_GAP for one in rote):
        return (
            "regularise (weight decay) and train on; more examples of the structure; or another architecture, as this one has "
            "not found the rule"
        )
    if budget is not None and budget.verdict == "warning":
        return f"more unique data or fewer parameters: {budget.remedy}; else regularise and stop earlier"
    if word == "memorising":
        return "fewer passes over the same text and more regularisation; the unique text is more than the parameters can store"
    return "leave out or count once what is known by heart; fewer passes over it"


def weigh(
    canary_loss_C: ArrayLike,
    reference_loss_R: ArrayLike,
    train_score_D: ArrayLike,
    held_out_score_H: ArrayLike,
    train_right_N: ArrayLike,
    structure_right_N: ArrayLike,
    chance: float,
) -> Finding:
    """The verdict from canaries, membership and a probe at once: what its error rate is measured on."""
    return verdict(
        [
            exposure(canary_loss_C, reference_loss_R),
            membership(train_score_D, held_out_score_H),
            probe(structure_right_N, chance=chance),
            probe_gap(train_right_N, structure_right_N),
        ]
    ).finding


def _drawn(random: np.random.Generator, shift: float, accuracy: float) -> dict[str, NDArray[np.float64] | float]:
    return {
        "canary_loss_C": random.normal(size=8) - shift,
        "reference_loss_R": random.normal(size=200),
        "train_score_D": random.normal(size=80) + shift,
        "held_out_score_H": random.normal(size=80),
        "train_right_N": (random.random(100) < max(0.1, accuracy)).astype(np.float64),
        "structure_right_N": (random.random(100) < accuracy).astype(np.float64),
        "chance": 0.1,
    }


DIAGNOSTIC = Diagnostic(
    name=NAME,
    title="Whether the run memorises, generalises, or both.",
    measure=weigh,
    null=lambda random: _drawn(random, 0.0, 0.1),
    planted=lambda random: _drawn(random, 0.8, 0.4),
    power=0.95,
    reference=REFERENCE,
)
