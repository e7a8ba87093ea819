"""`kleiber diagnose memorisation` and `grokking`: does a model memorise or generalise, and does the rule come late?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kleiber.cli.command import Command
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output, amount
from kleiber.errors import ColumnError, InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kleiber.diagnose.memorisation.judge import Run

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Token scores, CSV or Parquet: document, split, logprob; several files are looks at one run, in the order given.",
    ),
]

CurveFile = Annotated[
    str, typer.Argument(metavar="FILE", help="Accuracies over training, .csv or .parquet, a row an evaluation.")
]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Over how many examples the accuracies are, and what counts as knowing them."""

    train_examples: Annotated[int, typer.Option("--train-examples", min=1, metavar="N", help="Trained on.")]
    held_out_examples: Annotated[int, typer.Option("--held-out-examples", min=1, metavar="N", help="Held out.")]
    tau: Annotated[float, typer.Option(help="The accuracy from which examples are known.")] = 0.9


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of the run beside its scores."""

    params: Annotated[str | None, typer.Option(metavar="N", help="Parameters of the model, all of them.")] = None
    unique_tokens: Annotated[
        str | None, typer.Option("--unique-tokens", metavar="N", help="Different tokens of its training text.")
    ] = None
    vocabulary: Annotated[
        int | None, typer.Option(min=2, metavar="V", help="Of its tokenizer; needed for the split random.")
    ] = None
    baseline: Annotated[
        float | None,
        typer.Option(
            metavar="NATS",
            help="Loss per token of who knows nothing of the text, without a column reference_logprob. [default: ln V]",
        ),
    ] = None
    chance: Annotated[
        float | None, typer.Option(metavar="P", help="Accuracy of a guess on the probe; needed for probe-structure.")
    ] = None
    space_bits: Annotated[
        float | None,
        typer.Option("--space-bits", metavar="BITS", help="log2 of how many canaries there could have been."),
    ] = None
    queries: Annotated[
        int, typer.Option(min=1, metavar="N", help="Tries to have a passage said, where there is a column suffix.")
    ] = 100
    lowest: Annotated[
        float, typer.Option("--lowest", metavar="SHARE", help="Of a document's tokens, for Min-K% and Min-K%++.")
    ] = 0.2
    level: Annotated[float, typer.Option(metavar="P", help="Of any false claim, over all tests and files.")] = 0.05
    seed: Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")] = 0

    def run(self) -> Run:
        """The same as numbers; raises `InputError` naming the option."""
        from kleiber.diagnose.memorisation.judge import Run

        for option, value, most in (
            ("--baseline", self.baseline, float("inf")),
            ("--space-bits", self.space_bits, float("inf")),
            ("--chance", self.chance, 1.0),
            ("--level", self.level, 1.0),
        ):
            if value is not None and not 0 < value < most:
                limit = "a positive number" if most > 1 else "a number between 0 and 1"
                raise InputError("must be " + limit, found=value, where=option)
        if not 0 < self.lowest <= 1:
            raise InputError("must be a share of tokens above 0, at most 1", found=self.lowest, where="--lowest")
        return Run(
            params=None if self.params is None else amount(self.params, "--params"),
            unique_tokens=None if self.unique_tokens is None else amount(self.unique_tokens, "--unique-tokens"),
            vocabulary=self.vocabulary,
            chance=self.chance,
            space_bits=self.space_bits,
            baseline_nats=self.baseline,
            queries=self.queries,
            lowest_share=self.lowest,
        )


def memorisation(files: Files, facts: RunFacts, output: Output) -> int:
    """Say whether a run memorises, generalises or both, from what it finds of every token, and what to change.

    A FILE has one row a token. Columns: document, split, logprob (natural logarithm); if there: mean and sd of log p under the
    model's own prediction (Min-K%++), reference_logprob of a model that knows neither side, suffix (1 for the tokens of a
    passage to be said), correct (1 or 0, for probes). Splits: train and held-out (random parts of one text), canary and
    reference (random strings trained on, and others like them), random (uniform tokens trained on), probe-train, probe-row,
    probe-structure. What is not there is not asked. Several files are looks at one run: each is judged, at one level for all.
    """
    from kleiber.diagnose.memorisation.judge import judge
    from kleiber.diagnose.memorisation.tokens import read_tokens

    run = facts.run()
    findings = []
    for look, file in enumerate(files):
        found, weighed = judge(read_tokens(file), run, level=facts.level, looks=len(files), seed=facts.seed)
        if look == len(files) - 1:
            findings += found
        else:
            findings.append(replace(weighed.finding, evidence=f"{Path(file).name}: {weighed.finding.evidence}"))
    return show(findings, output, asked=findings[-1:])


def grokking(curve: CurveFile, counts: Counts, output: Output) -> int:
    """How long after it knows its training examples does a model answer those held out?

    A FILE has one row an evaluation: step, train_accuracy, held_out_accuracy and, where it is there, norm (of the weights).
    """
    from kleiber.diagnose.memorisation import grokking as measure
    from kleiber.diagnose.read import read_columns

    columns = read_columns(curve)
    step_S, train_S, held_S = (
        _column(columns, name, curve) for name in ("step", "train_accuracy", "held_out_accuracy")
    )
    try:
        finding = measure(
            step_S,
            train_S,
            held_S,
            train_examples=counts.train_examples,
            held_out_examples=counts.held_out_examples,
            norm_S=columns.get("norm"),
            tau=counts.tau,
        )
    except InputError as error:
        raise InputError(
            error.message, found=error.found, expected=error.expected, remedy=error.remedy, where=error.where or curve
        ) from None
    return show([finding], output)


def _column(columns: Mapping[str, NDArray], name: str, curve: str) -> NDArray:
    if name not in columns:
        raise ColumnError(f"there is no column {name} of numbers", where=curve, remedy=did_you_mean(name, columns))
    return columns[name]


COMMANDS: tuple[Command, ...] = (
    Command(
        group="diagnose",
        name="memorisation",
        title="Does a model memorise or generalise?",
        run=memorisation,
        schema=SCHEMA,
    ),
    Command(
        group="diagnose",
        name="grokking",
        title="Held-out examples answered long after those known.",
        run=grokking,
        schema=SCHEMA,
    ),
)
