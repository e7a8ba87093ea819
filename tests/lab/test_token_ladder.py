"""A ladder in tokens of a trained vocabulary: its names, its rows, its unit, and what must not be mixed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.lab.corpus import read_corpus
from kleiber.lab.corruption import Data, spoil
from kleiber.lab.description import read_ladder
from kleiber.lab.experiment import repetitions
from kleiber.lab.ladder import run
from kleiber.lab.shape import DenseShape
from kleiber.lab.table import COLUMNS, table, write_table
from kleiber.lab.tokenizer import tokenized

pytest.importorskip("tokenizers", reason="byte-pair vocabularies are trained by Hugging Face tokenizers")

NAME = "bpe:300"


def in_tokens(ladder_toml: Path, name: str = NAME) -> Path:
    ladder_toml.write_text(f'tokenizer = "{name}"\n{ladder_toml.read_text()}')
    return ladder_toml


def test_a_tokenizer_names_other_runs_and_sets_the_vocabulary(ladder_toml: Path) -> None:
    before = {cell.run for cell in read_ladder(ladder_toml).cells}
    text = ladder_toml.read_text()
    found = {}
    for name in ("bytes", NAME, "bpe:301"):
        ladder_toml.write_text(text)
        found[name] = read_ladder(in_tokens(ladder_toml, name))
    assert {cell.run for cell in found["bytes"].cells} == before
    assert len({cell.run for ladder in found.values() for cell in ladder.cells}) == 3 * len(before)
    assert {cell.shape.vocabulary for cell in found[NAME].cells} == {300}
    assert found[NAME].tokenizer == NAME


def test_a_ladder_with_no_such_tokenizer_is_named(ladder_toml: Path) -> None:
    with pytest.raises(InputError, match=r"ladder\.toml: there is no such tokenizer.*'bpe:2k'"):
        read_ladder(in_tokens(ladder_toml, "bpe:2k"))


def test_repetition_is_announced_in_tokens(ladder_toml: Path, text_folder: Path, tmp_path: Path) -> None:
    corpus = tokenized(read_corpus(text_folder), NAME, tmp_path)
    held = spoil(corpus, Data()).unique_train_tokens
    in_tokens(ladder_toml).write_text(ladder_toml.read_text().replace("tokens = [4096]", "tokens = [65_536]"))
    (sentence,) = repetitions(read_ladder(ladder_toml).cells, corpus)
    assert "different tokens (bpe:300)" in sentence
    assert f"{65_536 / held:.1f} times over" in sentence
    # The bytes of that text would not have been read over.
    assert corpus.unique_train_tokens > 65_536 > held


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, ladder_text: str) -> tuple[Path, Path]:
    """A ladder in tokens that goes over its text more than once, trained."""
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    folder = tmp_path_factory.mktemp("tokens")
    toml = folder / "ladder.toml"
    toml.write_text(ladder_text.replace("8192", "65_536"))
    list(run(in_tokens(toml), folder / "results"))
    return toml, folder / "results"


def test_a_row_says_what_a_token_is(results: tuple[Path, Path], text_folder: Path) -> None:
    pytest.importorskip("pyarrow")
    toml, folder = results
    rows = table(folder).to_pylist()
    corpus = tokenized(read_corpus(text_folder), NAME, folder)
    held = spoil(corpus, Data())
    assert corpus.tokenizer is not None
    assert {row["run"] for row in rows} == {cell.run for cell in read_ladder(toml).cells}
    for row in rows:
        assert row["tokenizer"] == corpus.tokenizer.column
        assert row["embedding_params"] == 2 * 300 * row["width"]
        assert row["flops"] == 6 * row["params"] * row["tokens"]
        assert row["unique_tokens"] == min(row["tokens"], held.unique_train_tokens)
        # Bytes from the decoded text: all but those of each document's first token.
        predicted = [corpus.tokenizer.decode(text[1:]) for text in held.held_out]
        tokens = sum(text.size - 1 for text in held.held_out)
        assert row["bytes_per_token"] == sum(map(len, predicted)) / tokens
        assert row["loss_bits_per_byte"] == pytest.approx(row["loss"] / math.log(2) / row["bytes_per_token"])
        assert 0 < row["loss_bits_per_byte_se"] < 0.1
    assert min(row["unique_tokens"] / row["tokens"] for row in rows) < 1
    # Made of twelve words: it has learnt them, and something of their order is left to chance.
    assert min(row["loss"] for row in rows) < 0.7 * math.log(300)


def test_the_tables_unit_is_that_of_its_tokens(results: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from kleiber.runs import read

    written = write_table(results[1], tmp_path / "runs.parquet", source="a test")
    assert written.column_names == list(COLUMNS)
    assert written.schema.metadata[b"kleiber.loss_unit"] == b"nats_per_token"
    assert read(tmp_path / "runs.parquet").conventions.loss == "nats_per_token"


def test_an_untrained_model_pays_log_vocabulary_for_every_token(results: tuple[Path, Path], text_folder: Path) -> None:
    from kleiber.lab.recipe import Recipe
    from kleiber.lab.train import Trainer

    corpus = spoil(tokenized(read_corpus(text_folder), NAME, results[1]), Data())
    shape, recipe = DenseShape(width=8, depth=1, hidden=16, context=32, vocabulary=300), Recipe(context=32)
    held = Trainer(shape, recipe, corpus, seed=0).held_out()
    assert held.loss == pytest.approx(math.log(300), abs=1e-5)
    assert held.nats_D == pytest.approx(held.tokens_D * math.log(300), rel=1e-5)
    assert np.array_equal(held.bytes_D, [corpus.bytes_of(text) - corpus.bytes_of(text[:1]) for text in corpus.held_out])
    with pytest.raises(InputError, match="256 tokens in the model, 300 in the text"):
        Trainer(DenseShape(width=8, depth=1, hidden=16, context=32), recipe, corpus, seed=0)


def test_tables_that_would_mix_tokenizers_are_refused(results: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "runs").mkdir()
    one, other, *_ = sorted((results[1] / "runs").glob("*.json"))
    (tmp_path / "runs" / one.name).write_text(one.read_text())
    row = json.loads(other.read_text())
    for name in ("tokenizer", "bytes_per_token", "loss_bits_per_byte", "loss_bits_per_byte_se"):
        del row[name]
    (tmp_path / "runs" / other.name).write_text(json.dumps(row))
    with pytest.raises(
        InputError, match=r"different tokenizers.*bpe:300:.*bytes.*folder of their own.*loss_bits_per_byte"
    ):
        table(tmp_path)
    # A run written down before there were tokenizers is one on bytes.
    (tmp_path / "runs" / one.name).unlink()
    (found,) = table(tmp_path).to_pylist()
    assert (found["tokenizer"], found["bytes_per_token"]) == ("bytes", 1.0)
    assert found["loss_bits_per_byte"] == row["loss"] / math.log(2)


def test_a_student_learns_in_its_teachers_tokens(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    text = in_tokens(ladder_toml).read_text()
    text = text[: text.index("[[stage]]")].replace("lr = 0.01", "lr = 0.01\ncompile = false")
    ladder_toml.write_text(
        text + "[[stage]]\nwidths = [8]\ntokens = [2048]\nseeds = [0]\nteacher = {width = 16, tokens = 2048}\n"
        "data = {label_noise = 0.1, noise = 0.01}\n"
    )
    teacher, student = run(ladder_toml, tmp_path / "results")
    assert student["teacher"] == teacher["run"]
    assert student["tokenizer"] == teacher["tokenizer"]
    assert student["label_noise"] == 0.1
    assert student["loss"] < math.log(300)
