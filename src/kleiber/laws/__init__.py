"""What theory says: `Law`, a formula from which everything else is derived, and one small file per law.

This is the contents page. A law joins by joining `LAWS`, and with that the conformance tests (`tests/test_conformance.py`).
Adding one: write `laws/x.py` that builds a `Law(...)` with source, validity and published sets; a user does the same with a
formula string and no file.
"""

from __future__ import annotations

from kleiber.errors import FormulaError, did_you_mean
from kleiber.laws.allocation import OPTIMAL_FLOPS_PER_TOKEN, OPTIMAL_PARAMS, OPTIMAL_TOKENS
from kleiber.laws.broken import BROKEN, broken
from kleiber.laws.chinchilla import CHINCHILLA, CHINCHILLA_COUPLED
from kleiber.laws.context import CONTEXT
from kleiber.laws.data_constrained import DATA_CONSTRAINED, OVER_REPETITION
from kleiber.laws.data_quality import QUALITY, QUALITY_TOKENS
from kleiber.laws.distillation import DISTILLATION
from kleiber.laws.filtering import FILTERING
from kleiber.laws.kaplan import KAPLAN, KAPLAN_COMPUTE, KAPLAN_PARAMS, KAPLAN_STEPS, KAPLAN_TOKENS
from kleiber.laws.law import INPUTS, Law
from kleiber.laws.learning_curves import M1, M2, M3, M4
from kleiber.laws.leverage import LEVERAGE
from kleiber.laws.overtrained import DOWNSTREAM_ERROR, GADRE, GADRE_MULTIPLIER, TASK_ACCURACY
from kleiber.laws.parameter import Coefficients, Parameter
from kleiber.laws.posynomial import Posynomial
from kleiber.laws.precision import PRECISION, QUANTISATION
from kleiber.laws.routed import JOINT, ROUTED
from kleiber.laws.sparse import GRANULARITY, SPARSITY
from kleiber.laws.step_law import COMPUTE_BATCH, COMPUTE_LR, CRITICAL_BATCH, STEP_BATCH, STEP_LR
from kleiber.laws.test_time import COVERAGE
from kleiber.laws.vocabulary import VOCABULARY, VOCABULARY_BY_COMPUTE, VOCABULARY_BY_PARAMS

LAWS: tuple[Law, ...] = (
    CHINCHILLA,
    CHINCHILLA_COUPLED,
    KAPLAN,
    KAPLAN_PARAMS,
    KAPLAN_TOKENS,
    KAPLAN_COMPUTE,
    KAPLAN_STEPS,
    GADRE,
    GADRE_MULTIPLIER,
    DOWNSTREAM_ERROR,
    TASK_ACCURACY,
    DATA_CONSTRAINED,
    OVER_REPETITION,
    BROKEN,
    M1,
    M2,
    M3,
    M4,
    STEP_LR,
    STEP_BATCH,
    COMPUTE_LR,
    COMPUTE_BATCH,
    CRITICAL_BATCH,
    OPTIMAL_PARAMS,
    OPTIMAL_TOKENS,
    OPTIMAL_FLOPS_PER_TOKEN,
    ROUTED,
    JOINT,
    GRANULARITY,
    SPARSITY,
    LEVERAGE,
    QUALITY,
    QUALITY_TOKENS,
    FILTERING,
    CONTEXT,
    DISTILLATION,
    PRECISION,
    QUANTISATION,
    VOCABULARY,
    VOCABULARY_BY_COMPUTE,
    VOCABULARY_BY_PARAMS,
    COVERAGE,
)


def find(name_or_formula: str) -> Law:
    """The shipped law of that name (`broken-3` for three breaks), else the law that the text spells out as a formula.

    Raises `FormulaError` if the text is neither, with the nearest names.

    >>> find("chinchilla").names
    ('E', 'A', 'B', 'alpha', 'beta')
    >>> find("E + A/params**alpha").names
    ('E', 'A', 'alpha')
    """
    text = name_or_formula.strip()
    names = {law.name: law for law in LAWS}
    if text in names:
        return names[text]
    stem, _, count = text.partition("-")
    if stem == "broken" and count.isascii() and count.isdigit() and int(count) <= 5:
        return broken(int(count))
    if text.replace("-", "").replace("_", "").isalnum():
        raise FormulaError(f"no law {text!r}", expected=f"a formula, or a law's name: {did_you_mean(text, names)}")
    return Law(text)


__all__ = ["INPUTS", "LAWS", "Coefficients", "Law", "Parameter", "Posynomial", "broken", "find"]
