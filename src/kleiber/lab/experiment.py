"""What a run table and its reader are told of an experiment on the data: its columns, and how often text comes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus
from kleiber.lab.corruption import Data, spoil
from kleiber.quantity import show


def data_columns(cell: Cell) -> dict[str, Any]:
    """How the run's text was spoilt; nothing for a run on clean text."""
    data = cell.data
    if not data.facts():
        return {}
    return {
        "noise": data.noise,
        "label_noise": data.label_noise,
        "duplicated": data.duplicate,
        "copies": data.times if data.duplicate else 1,
        "shortest": data.shortest,
        "longest": data.longest,
        "kept": data.keep,
        "data_mixture": ", ".join(f"{name} = {share:g}" for name, share in data.mixture),
        "data_seed": data.seed,
    }


def repetitions(cells: Iterable[Cell], corpus: Corpus) -> Iterator[str]:
    """One sentence for each text that is smaller than the largest run on it."""
    largest: dict[Data, int] = {}
    for cell in cells:
        largest[cell.data] = max(cell.tokens, largest.get(cell.data, 0))
    for data, tokens in largest.items():
        held = spoil(corpus, data).unique_train_bytes
        if tokens > held:
            settings = ", ".join(f"{name} = {value}" for name, value in data.facts().items())
            which = f"{corpus.source} ({settings})" if settings else corpus.source
            yield (
                f"{which} holds {show(held)} different bytes to train on: a run of {show(tokens)} tokens reads them "
                f"{tokens / held:.1f} times over. Each run's unique_tokens says how many it saw."
            )
