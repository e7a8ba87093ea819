"""What a run table and its reader are told of an experiment on the data: its columns, and how often text comes back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.corpus import Corpus
from kleiber.lab.corruption import Data, spoil
from kleiber.lab.held_out import HeldOut
from kleiber.lab.tokenizer import BYTES
from kleiber.quantity import show


def text_columns(corpus: Corpus, held: HeldOut | None) -> dict[str, Any]:
    """What a token is, and the loss in a unit that does not depend on it, if the run came to one."""
    return {
        "tokenizer": corpus.tokenizer.column if corpus.tokenizer else BYTES,
        "bytes_per_token": held.bytes_per_token if held else None,
        "loss_bits_per_byte": held.bits_per_byte if held else None,
        "loss_bits_per_byte_se": known(held.bits_per_byte_se) if held else None,
    }


def known(error: float) -> float | None:
    """A standard error, or None where there is none: a single held-out document tells nothing of the spread."""
    return error if math.isfinite(error) else None


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
    word = f"tokens ({corpus.tokenizer.name})" if corpus.tokenizer else "bytes"
    for data, tokens in largest.items():
        held = spoil(corpus, data).unique_train_tokens
        if tokens > held:
            settings = ", ".join(f"{name} = {value}" for name, value in data.facts().items())
            which = f"{corpus.source} ({settings})" if settings else corpus.source
            yield (
                f"{which} holds {show(held)} different {word} to train on: a run of {show(tokens)} tokens reads them "
                f"{tokens / held:.1f} times over. Each run's unique_tokens says how many it saw."
            )
