"""`kleiber diagnose counterfactual`, `contamination`, `order`: was a text seen in training?

One idea: three questions by what is at hand: models trained on random halves, the training text, or nothing but the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.diagnose_data import HeldOut, Train, documents_of
from kleiber.cli.diagnose_show import SCHEMA, show
from kleiber.cli.options import Output
from kleiber.finding import Finding

Scores = Annotated[
    str, typer.Argument(metavar="SCORES", help="CSV or Parquet, a row a model and document: model, document, member, score.")
]  # fmt: skip
Orders = Annotated[
    str, typer.Argument(metavar="ORDERS", help="CSV or Parquet, a row a part and order: part, published (1 or 0), logprob.")
]  # fmt: skip
Control = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Documents of the same kind that cannot be in the training text.")
]
Words = Annotated[int, typer.Option(min=2, max=1000, help="Words in a row that count as seen.")]
Level = Annotated[float, typer.Option(metavar="P", help="The share of false alarms.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed prints the same bytes.")]


def counterfactual(scores: Scores, output: Output, level: Level = 0.05, seed: Seed = 0) -> int:
    """How much better is a document known by models trained on it than by models that were not?

    Models trained on random halves of the documents, 4 or more; each scores every document. member: 1 where the model was trained
    on the document, else 0; score: accuracy, or mean log-probability.
    """
    from kleiber.diagnose.memorisation import counterfactual as measure
    from kleiber.diagnose.memorisation.long_tables import read_counterfactual

    score_MD, member_MD, names = read_counterfactual(scores)
    with screen.working("drawing the halves again"):
        finding = measure(score_MD, member_MD, level=level, seed=seed).evidence.finding
    return show([_named(finding, names)], output)


def contamination(train: Train, test: HeldOut, output: Output, control: Control = None, words: Words = 13) -> int:
    """Test documents with a run of words that stands in the training text, word for word.

    A folder's files are its documents; a single file is cut at zero bytes, or else at empty lines. Texts of a kind share set
    phrases, so that without --control any such document is a warning.
    """
    from kleiber.diagnose.memorisation.contamination import overlap
    from kleiber.diagnose.memorisation.words import numbered

    texts = (documents_of(train), documents_of(test), [] if control is None else documents_of(control))
    train_D, test_D, control_D = numbered(*texts)
    return show([overlap(train_D, test_D, n=words, control=control_D).finding], output)


def order(orders: Orders, output: Output, level: Level = 0.05, seed: Seed = 0) -> int:
    """Is the published order of a test set likelier to the model than shuffles of it? Then it has seen the file.

    Of each part of the test set one row is the published order (published 1), the others are shuffles of the same examples.
    """
    from kleiber.diagnose.memorisation import order_contamination
    from kleiber.diagnose.memorisation.long_tables import read_orders

    published_S, shuffled_SP = read_orders(orders)
    return show([order_contamination(published_S, shuffled_SP, level=level, seed=seed)], output)


def _named(finding: Finding, names: Sequence[str]) -> Finding:
    """Documents by their names in the file: their numbers are not its rows."""
    if not finding.rows:
        return finding
    listed = ", ".join(names[row - 1] for row in finding.rows)
    return replace(finding, rows=(), evidence=f"{finding.evidence} The largest are {listed}.")


COMMANDS: tuple[Command, ...] = (
    Command(
        group="diagnose",
        name="counterfactual",
        title="Documents that only those know who saw them.",
        run=counterfactual,
        schema=SCHEMA,
    ),
    Command(
        group="diagnose",
        name="contamination",
        title="Test text in the training text, by runs of words.",
        run=contamination,
        schema=SCHEMA,
    ),
    Command(group="diagnose", name="order", title="Has the model seen a test set's order?", run=order, schema=SCHEMA),
)
