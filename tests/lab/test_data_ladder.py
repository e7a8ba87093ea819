"""A ladder whose stages spoil their text: names, columns, and the yardstick that all stages share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.lab.cell import Cell
from kleiber.lab.corpus import read_corpus
from kleiber.lab.description import read_ladder
from kleiber.lab.experiment import repetitions
from kleiber.lab.ladder import run
from kleiber.lab.synthetic import named
from kleiber.lab.table import COLUMNS, DATA_COLUMNS, table

SPOILT = """
[[stage]]
widths = [8]
tokens = [4096]
seeds = [0]
data = {settings}
"""


def spoilt(ladder_toml: Path, *settings: str) -> Path:
    ladder_toml.write_text(ladder_toml.read_text() + "".join(SPOILT.replace("{settings}", s) for s in settings))
    return ladder_toml


def name_before_there_was_data(cell: Cell) -> str:
    """The hash as it was made of a run before ladders could spoil text."""
    shape, recipe, seed, tokens = cell.shape, cell.recipe.facts(), cell.seed, cell.tokens
    later = ("vocabulary", "rotary_base", "head_width")
    dimensions = {name: value for name, value in asdict(shape).items() if name not in later}
    facts = {"family": shape.family, "shape": dimensions, "recipe": recipe, "seed": seed, "corpus": cell.corpus}
    return hashlib.sha256(json.dumps({**facts, "tokens": tokens}, sort_keys=True).encode()).hexdigest()[:12]


def test_names_given_before_there_was_data_stand(ladder_toml: Path) -> None:
    before = [cell.run for cell in read_ladder(ladder_toml).cells]
    assert before == [name_before_there_was_data(cell) for cell in read_ladder(ladder_toml).cells]
    # The cell named once more on clean text is one of those that are there.
    after = [cell.run for cell in read_ladder(spoilt(ladder_toml, "{noise = 0}", "{noise = 0.1}")).cells]
    assert after[:-1] == before
    assert after[-1] not in before


def test_the_shipped_ladder_keeps_its_names() -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    folder = Path(__file__).parents[2] / "ladders" / "sotu-dense"
    shipped = set(pq.read_table(folder / "runs.parquet", columns=["run"])["run"].to_pylist())
    assert shipped == {cell.run for cell in read_ladder(folder / "ladder.toml").cells}


def test_every_setting_makes_a_run_and_a_trunk_of_its_own(ladder_toml: Path) -> None:
    told = ["{noise = 0.1}", "{noise = 0.2}", "{noise = 0.1, seed = 1}", "{label_noise = 0.1}", "{duplicate = 0.5}"]
    told += ["{duplicate = 0.5, times = 4}", "{shortest = 0.5}", "{longest = 0.5}", "{mixture = {a = 1, b = 2}}"]
    cells = read_ladder(spoilt(ladder_toml, *told, "{noise = 0.10}", "{duplicate = 0.5, times = 2}")).cells
    assert len({cell.run for cell in cells}) == 5 + len(told)
    assert len({cell.trunk for cell in cells}) == 3 + len(told)


def test_a_setting_that_makes_no_sense_is_named_with_its_stage(ladder_toml: Path) -> None:
    with pytest.raises(InputError, match=r"stage 3, data: `nose` is not known.*'noise'"):
        read_ladder(spoilt(ladder_toml, "{nose = 0.1}"))


def test_repetition_is_announced_once_for_each_text(ladder_toml: Path, text_folder: Path) -> None:
    corpus = read_corpus(text_folder)
    cells = read_ladder(spoilt(ladder_toml, "{longest = 0.1, noise = 0.5}")).cells
    assert corpus.unique_train_tokens > 8192
    assert list(repetitions(cells[:5], corpus)) == []
    ladder_toml.write_text(ladder_toml.read_text().replace("tokens = [4096]", "tokens = [409_600]"))
    sentences = list(repetitions(read_ladder(ladder_toml).cells, corpus))
    assert [sentence.split(" holds")[0] for sentence in sentences] == [
        str(text_folder),
        f"{text_folder} (longest = 0.1, noise = 0.5)",
    ]
    assert f"{409_600 / corpus.unique_train_tokens:.1f} times over" in sentences[0]


def test_a_task_is_trained_and_its_answers_are_measured_apart(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    pytest.importorskip("pyarrow")
    lines = [line for line in ladder_toml.read_text().split("\n") if not line.startswith("corpus")]
    # Two skills of one bit each: the answer is a bit that stands in the line, which the smallest model can learn.
    task = "parity:skills=2,bits=2,subset=1,tokens=100k"
    ladder_toml.write_text(f'corpus = "{task}"\n' + "\n".join(lines).replace("8192", "65_536"))
    list(run(ladder_toml, tmp_path))
    runs = table(tmp_path)
    assert runs.column_names == [*COLUMNS, "answer_loss"]
    best = min(runs.to_pylist(), key=lambda row: row["loss"])
    floor = named(task).nats_per_byte
    assert floor < best["loss"] < 1.5 * floor
    assert 0 < best["answer_loss"] < 1.1 * np.log(2)


def test_an_untrained_model_knows_no_answer_and_long_lines_are_left_out() -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    from kleiber.lab.recipe import Recipe
    from kleiber.lab.shape import DenseShape
    from kleiber.lab.train import Trainer

    shape = DenseShape(width=16, depth=1, hidden=32, context=32)
    recipe = Recipe(context=32, batch_windows=4)
    known, long = read_corpus("recall:pairs=3,queries=2,tokens=20k"), read_corpus("parity:bits=32,tokens=20k")
    # The first weights predict every byte alike.
    assert Trainer(shape, recipe, known, seed=0).answer_loss() == pytest.approx(np.log(256), abs=1e-5)
    assert Trainer(shape, recipe, long, seed=0).answer_loss() is None


def test_a_model_that_knows_only_the_answers_is_at_their_floor() -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    import torch

    from kleiber.lab.recipe import Recipe
    from kleiber.lab.shape import DenseShape
    from kleiber.lab.train import Trainer

    class Echo(torch.nn.Module):
        """Sure that the next byte is the last but one: true of `0 1 1` at its answer, false at every other place."""

        def forward(self, input_BT: torch.Tensor) -> torch.Tensor:
            return 50.0 * torch.nn.functional.one_hot(input_BT.roll(1, dims=1), 256)

    corpus = read_corpus("parity:skills=1,bits=1,subset=1,tokens=20k")
    shape, recipe = DenseShape(width=16, depth=1, hidden=32, context=32), Recipe(context=32, batch_windows=4)
    trainer = Trainer(shape, recipe, corpus, seed=0)
    trainer.model = Echo()
    assert trainer.answer_loss() == pytest.approx(0.0, abs=1e-6)
    assert trainer.held_out_loss()[0] > 10


def test_the_table_says_how_text_was_spoilt(
    ladder_toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    pytest.importorskip("pyarrow")
    rows = list(run(ladder_toml, tmp_path))
    assert table(tmp_path).column_names == list(COLUMNS)
    assert capsys.readouterr().err == ""
    told = ["{noise = 0.5}", "{label_noise = 0.5}", "{longest = 0.03}", "{duplicate = 1.0, times = 3}"]
    list(run(spoilt(ladder_toml, *told), tmp_path))
    runs = table(tmp_path)
    assert runs.column_names == [*COLUMNS, *DATA_COLUMNS]
    by_run = {row["run"]: row for row in runs.to_pylist()}
    noise, labels, longest, thrice = [by_run[cell.run] for cell in read_ladder(ladder_toml).cells[5:]]
    clean = next(by_run[row["run"]] for row in rows if (row["width"], row["tokens"], row["seed"]) == (8, 4096, 0))
    assert [clean[name] for name in DATA_COLUMNS] == [0.0, 0.0, 0.0, 1, 1.0, 1.0, 1.0, "", 0]
    assert (noise["noise"], labels["label_noise"], thrice["duplicated"], thrice["copies"]) == (0.5, 0.5, 1.0, 3)
    # All are measured on the same text, and no two of them are the same model.
    assert len({row["loss"] for row in by_run.values()}) == len(by_run)
    assert min(noise["loss"], labels["loss"]) > clean["loss"]
    size = read_corpus(read_ladder(ladder_toml).corpus).unique_train_tokens
    seen = 1 - (1 - 4096 / (3 * size + 2)) ** 3
    assert clean["unique_tokens"] == 4096
    assert thrice["unique_tokens"] == pytest.approx(seen * size, abs=2)
    assert longest["unique_tokens"] < 4096
    assert np.isfinite(longest["loss"])
    assert "(longest = 0.03) holds" in capsys.readouterr().err
