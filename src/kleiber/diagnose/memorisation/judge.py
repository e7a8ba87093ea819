"""Everything that a table of token scores can tell of a run, and the verdict.

The way the data takes: a `TokenTable` and what is known of the run (params, unique tokens, vocabulary) -> each diagnostic whose
splits and columns are there -> the evidence together -> the verdict. What is not there is not asked, and the verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kleiber.diagnose.memorisation.capacity import budget, capacity
from kleiber.diagnose.memorisation.carry_over import carry_over
from kleiber.diagnose.memorisation.evidence import LEVEL, Evidence
from kleiber.diagnose.memorisation.exposure import exposure
from kleiber.diagnose.memorisation.extraction import extraction
from kleiber.diagnose.memorisation.membership import membership, min_k, min_k_plus
from kleiber.diagnose.memorisation.probing import probe, probe_gap
from kleiber.diagnose.memorisation.tokens import TokenTable
from kleiber.diagnose.memorisation.verdict import Verdict, verdict
from kleiber.errors import InputError
from kleiber.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is known of a run beside its scores; None where it is not.

    `params`: all that are trained; `unique_tokens`: different ones of training text; `vocabulary`: of the tokenizer; `chance`:
    accuracy of a guess on the probe; `space_bits`: log2 of how many canaries there could have been; `baseline_nats`: loss
    per token of a reference that knows nothing of the text, where the table has no reference_logprob (otherwise ln vocabulary).
    """

    params: float | None = None
    unique_tokens: float | None = None
    vocabulary: int | None = None
    chance: float | None = None
    space_bits: float | None = None
    baseline_nats: float | None = None
    queries: int = 100
    lowest_share: float = 0.2


def judge(
    table: TokenTable, run: Run, *, level: float = LEVEL, looks: int = 1, seed: int = 0
) -> tuple[list[Finding], Verdict]:
    """All findings of one look at a run, the verdict's last, and the verdict.

    Raises `InputError` where the table has nothing that a diagnostic asks for.
    """
    budgeted = _budget(table, run)
    evidence = [one for ask in ASKED for one in ask(table, run, level, seed)]
    if not evidence:
        raise InputError(
            "no diagnostic has what it needs",
            found="splits " + ", ".join(sorted(set(table.split_D.tolist()))),
            expected="train with held-out, canary with reference, random, or probe-train with probe-structure",
            where=table.source,
        )
    weighed = verdict(evidence, level=level, looks=looks, budget=budgeted)
    findings = [one.finding for one in evidence] + ([budgeted] if budgeted else [])
    return [*findings, weighed.finding], weighed


def _canaries(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("canary", "reference"):
        return []
    sides = [-table.sums("logprob", split) for split in ("canary", "reference")]
    return [exposure(*sides, space_bits=run.space_bits, level=level, seed=seed)]


def _random_strings(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("random") or run.vocabulary is None:
        return []
    tokens = table.lengths("random")
    if np.ptp(tokens) > 0:
        raise InputError(
            "strings of split random have different lengths",
            found=f"{tokens.min():.0f} to {tokens.max():.0f} tokens",
            where=table.source,
        )
    return [
        capacity(
            table.sums("logprob", "random"),
            tokens=int(tokens[0]),
            vocabulary=run.vocabulary,
            params=run.params,
            level=level,
        )
    ]


def _members(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("train", "held-out"):
        return []
    plus = {"mean", "sd"} <= table.columns.keys()
    score = (
        (lambda log_T, mean_T, sd_T: min_k_plus(log_T, mean_T, sd_T, share=run.lowest_share))
        if plus
        else (lambda log_T: min_k(log_T, share=run.lowest_share))
    )
    names = ("logprob", "mean", "sd") if plus else ("logprob",)
    sides = [
        np.array([score(*columns) for columns in table.documents(split, *names)]) for split in ("train", "held-out")
    ]
    return [
        membership(
            *sides,
            score="Min-K%++" if plus else "Min-K%",
            train_length_D=table.lengths("train"),
            held_out_length_H=table.lengths("held-out"),
            level=level,
            seed=seed,
        )
    ]


def _carried(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("train", "held-out"):
        return []
    if "reference_logprob" in table.columns:
        floor = {split: table.means("reference_logprob", split) for split in ("train", "held-out")}
    else:
        nats = run.baseline_nats or (math.log(run.vocabulary) if run.vocabulary else None)
        if nats is None:
            return []
        floor = dict.fromkeys(("train", "held-out"), -nats)
    gains = [table.means("logprob", split) - floor[split] for split in ("train", "held-out")]
    found = carry_over(*gains, level=level)
    return [found.memorising, found.generalising]


def _extracted(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("train", "held-out") or "suffix" not in table.columns:
        return []
    sides = []
    for split in ("train", "held-out"):
        said = table.documents(split, "logprob", "suffix")
        sides.append(np.array([log_T[suffix_T == 1].sum() for log_T, suffix_T in said if (suffix_T == 1).any()]))
    return [extraction(*sides, queries=run.queries, level=level)]


def _probed(table: TokenTable, run: Run, level: float, seed: int) -> list[Evidence]:
    if not table.has("probe-structure"):
        return []
    # An answer of several tokens is right where all of them are.
    right = {split: table.means("correct", split) == 1 for split in ("probe-train", "probe-row", "probe-structure")}
    found = []
    if run.chance is not None:
        rows = right["probe-row"] if table.has("probe-row") else None
        found.append(probe(right["probe-structure"], chance=run.chance, row_right_N=rows, level=level))
    if table.has("probe-train"):
        found.append(probe_gap(right["probe-train"], right["probe-structure"], level=level))
    return found


ASKED: Sequence[Callable[[TokenTable, Run, float, int], list[Evidence]]] = (
    _carried, _members, _extracted, _canaries, _random_strings, _probed,
)  # fmt: skip


def _budget(table: TokenTable, run: Run) -> Finding | None:
    """Unique bits against params, held-out text being priced by the model itself: an upper bound on what the text holds."""
    if run.params is None or run.unique_tokens is None or not table.has("held-out"):
        return None
    nats = -float(table.sums("logprob", "held-out").sum() / table.lengths("held-out").sum())
    return budget(run.unique_tokens * nats / math.log(2), run.params) if nats > 0 else None
