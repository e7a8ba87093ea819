"""A routing trace is what the layers counted themselves, step by step, and recording it changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import pyarrow.parquet as pq

from kleiber.errors import InputError
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.models.experts import Experts
from kleiber.lab.recipe import Recipe
from kleiber.lab.routing import RoutingRecorder
from kleiber.lab.shape import DenseShape
from kleiber.lab.train import Trainer

RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=512, transfer=True)
SHAPE = DecoderShape(width=16, depth=2, hidden=32, context=32, experts=ExpertSetting(count=6, chosen=2))


@pytest.fixture(scope="module")
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


def test_the_counts_are_those_of_the_layers_and_the_run_is_the_same(corpus: Corpus) -> None:
    watched, alone = (Trainer(SHAPE, RECIPE, corpus, seed=0) for _ in range(2))
    layers = [part for part in watched.model.modules() if isinstance(part, Experts)]
    loads = []
    with RoutingRecorder(watched.model) as recorder:
        for step in range(1, 5):
            watched.train_trunk(step)
            loads.append([layer.load_E.tolist() for layer in layers])
        watched.held_out_loss()
    watched.train_trunk(6)
    alone.train_trunk(6)
    assert np.array_equal(watched.state().weights_P, alone.state().weights_P)
    assert np.array_equal(recorder.counts(), np.array(loads))
    choices = recorder.choices()
    assert choices.shape == (4, 2, RECIPE.batch_tokens, 2)
    assert (choices[..., 0] != choices[..., 1]).all()


def test_every_other_step_from_a_later_one(corpus: Corpus, tmp_path: Path) -> None:
    trainer = Trainer(SHAPE, RECIPE, corpus, seed=0)
    trainer.train_trunk(3)
    with RoutingRecorder(trainer.model, every=2, first_step=3) as recorder:
        trainer.train_trunk(8)
    assert recorder.steps().tolist() == [3, 5, 7]
    recorder.write(tmp_path / "trace.npy")
    recorder.write(tmp_path / "trace.parquet")
    counts = np.load(tmp_path / "trace.npy", allow_pickle=False)
    table = pq.read_table(tmp_path / "trace.parquet")
    assert table.column_names == ["step", "layer", "expert", "count"]
    assert table.num_rows == 3 * 2 * 6
    row = {name: column[-1].as_py() for name, column in zip(table.column_names, table.columns, strict=True)}
    assert row == {"step": 7, "layer": 1, "expert": 5, "count": int(counts[2, 1, 5])}
    assert table.schema.metadata == {b"kleiber.tokens_per_step": b"128", b"kleiber.chosen": b"2"}


@pytest.mark.parametrize(
    ("name", "experts", "chosen"),
    [("experts-8", 8, 2), ("experts-64", 64, 4), ("experts-64-unbalanced", 64, 4), ("experts-256", 256, 8)],
)
def test_the_shipped_traces_are_whole(name: str, experts: int, chosen: int) -> None:
    path = Path(__file__).resolve().parents[2] / "examples" / "traces" / f"{name}.parquet"
    assert path.stat().st_size < 300_000
    count_SLE = pq.read_table(path)["count"].to_numpy().reshape(60, 2, experts)
    assert (count_SLE.sum(axis=2) == 16 * 128 * chosen).all()


def test_a_model_without_experts_has_nothing_to_record(corpus: Corpus) -> None:
    trainer = Trainer(DenseShape(width=8, depth=1, hidden=16, context=32), RECIPE, corpus, seed=0)
    with pytest.raises(InputError, match="no experts to watch"):
        RoutingRecorder(trainer.model)
