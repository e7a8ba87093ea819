"""Distillation: the loss by closed form, students that follow their teacher, ladders with teachers and twins."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kleiber.errors import InputError
from kleiber.lab import FAMILIES
from kleiber.lab.cell import Cell, Distillation
from kleiber.lab.description import read_ladder
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape

RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=512)
STUDENT = DenseShape(width=8, depth=1, hidden=16, context=32)
SETTINGS = {
    "dense": "depth = 1, mlp_ratio = 2",
    "experts": "depth = 1, experts = 4",
    "ssm": "depth = 1, state = 8, scan_head_width = 8, chunk = 16",
    "hybrid": "depth = 2, attention_every = 2, scan_head_width = 8",
}
TAUGHT = """
[[stage]]
widths = [8]
tokens = [4096]
seeds = [0]
teacher = {width = 24, tokens = 8192, seed = 3}
temperature = 2.0
mixture = 0.9
twins = true
"""


def with_stage(ladder_toml: Path, stage: str = TAUGHT) -> Path:
    """The tiny ladder's head with this stage alone."""
    head = ladder_toml.read_text().split("[[stage]]")[0]
    path = ladder_toml.with_name("taught.toml")
    path.write_text(head + stage)
    return path


# -- what a ladder says --------------------------------------------------------------------------------------------------------


def test_a_stage_with_a_teacher_is_teacher_students_and_twins(ladder_toml: Path) -> None:
    teacher, student, equal_tokens, equal_flops = read_ladder(with_stage(ladder_toml)).cells
    assert (teacher.shape.width, teacher.tokens, teacher.seed, teacher.distillation) == (24, 8192, 3, None)
    assert student.distillation == Distillation(teacher=teacher, temperature=2.0, mixture=0.9)
    assert equal_tokens == replace(student, distillation=None)
    assert equal_flops == replace(equal_tokens, tokens=equal_flops.tokens)
    # 6 N D + 2 M (D + 3 E): N = 512 params on D = 4,096 tokens under M = 4,608 params trained on E = 8,192.
    total = 6 * 512 * 4096 + 2 * 4608 * (4096 + 3 * 8192)
    assert (student.shape.params, teacher.shape.params) == (512, 4608)
    assert student.flops + student.teacher_flops == total
    assert equal_flops.tokens % RECIPE.batch_tokens == 0
    one_batch = equal_flops.shape.flops_per_token * RECIPE.batch_tokens
    assert abs(equal_flops.flops - total) <= one_batch / 2


def test_a_run_of_a_stage_above_may_teach(ladder_toml: Path) -> None:
    teacher = read_ladder(ladder_toml).cells[1]
    stage = TAUGHT.replace("{width = 24, tokens = 8192, seed = 3}", f'{{run = "{teacher.run}"}}')
    ladder_toml.write_text(ladder_toml.read_text() + stage)
    cells = read_ladder(ladder_toml).cells
    assert [cell.distillation.teacher for cell in cells if cell.distillation] == [teacher]
    assert read_ladder(ladder_toml).teachers == {teacher.run}


def test_the_name_of_a_run_holds_its_teacher_and_how_it_teaches(ladder_toml: Path) -> None:
    teacher, student, alone, _ = read_ladder(with_stage(ladder_toml)).cells
    settings = Distillation(teacher=teacher, temperature=2.0, mixture=0.9)
    others = [
        replace(settings, temperature=1.0),
        replace(settings, mixture=0.8),
        replace(settings, teacher=replace(teacher, seed=4)),
    ]
    cells = [student, alone, *(replace(student, distillation=other) for other in others)]
    assert len({cell.run for cell in cells}) == len({cell.trunk for cell in cells}) == 5
    whole = replace(student, distillation=Distillation(teacher=teacher, temperature=2, mixture=1))
    assert whole.run == replace(student, distillation=replace(settings, mixture=1.0)).run


def test_names_of_runs_without_a_teacher_stand() -> None:
    # Written down before there were teachers; those of the shipped ladder are held in test_families.
    cell = Cell(shape=STUDENT, tokens=4096, seed=0, recipe=RECIPE, corpus="sotu")
    assert (cell.run, cell.trunk) == ("2267bfe94c6d", "w8-s0-e6c4a7f967b9")


def test_a_student_of_a_student_pays_for_both_teachers() -> None:
    first = Cell(shape=replace(STUDENT, width=24), tokens=8192, seed=0, recipe=RECIPE, corpus="sotu")
    second = replace(first, shape=replace(STUDENT, width=16), distillation=Distillation(teacher=first))
    third = replace(first, shape=STUDENT, tokens=4096, distillation=Distillation(teacher=second))
    own = 2 * second.shape.params * (4096 + 3 * 8192)
    assert third.teacher_flops == own + 2 * first.shape.params * (8192 + 3 * 8192)
    assert replace(third, distillation=Distillation(teacher=second, mixture=0.0)).teacher_flops == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("{width = 24, tokens = 8192, seed = 3}", '{run = "0123456789ab"}'),
            r"stage 1, teacher: there is no such run",
        ),
        (("{width = 24, tokens = 8192, seed = 3}", "{width = 24}"), r"stage 1, teacher: `tokens` is missing"),
        (("{width = 24, tokens = 8192, seed = 3}", "{tokens = 8192}"), r"stage 1, teacher: `width` is missing"),
        (("{width = 24, tokens = 8192, seed = 3}", '"big"'), r"stage 1: `teacher` is of the wrong kind"),
        (("width = 24", "widht = 24"), r"stage 1, teacher: `widht` is not known here.*did you mean 'width'"),
        (("seed = 3}", "seed = 3, recipe = {context = 16}}"), r"stage 1: the student reads further"),
        (("temperature = 2.0", "temperature = 0"), r"stage 1: the temperature must be positive"),
        (("temperature = 2.0", "temperature = nan"), r"stage 1: the temperature must be positive"),
        (("mixture = 0.9", "mixture = 1.1"), r"stage 1: the mixture .*from 0 to 1"),
        (("mixture = 0.9", "mixture = true"), r"stage 1: the mixture"),
        (("twins = true", "twins = 2"), r"stage 1: `twins` is of the wrong kind"),
        (("teacher = {width = 24, tokens = 8192, seed = 3}", ""), r"stage 1: `temperature` needs a teacher"),
    ],
)
def test_teachers_that_make_no_sense(ladder_toml: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ladder(with_stage(ladder_toml, TAUGHT.replace(*change)))


# -- the loss ------------------------------------------------------------------------------------------------------------------

torch = pytest.importorskip("torch", reason="the lab trains with PyTorch")

from kleiber.lab.corpus import Corpus, read_corpus  # noqa: E402
from kleiber.lab.ladder import run  # noqa: E402
from kleiber.lab.one_run import _teacher  # noqa: E402
from kleiber.lab.table import COLUMNS, TEACHER_COLUMNS, table, write_table  # noqa: E402
from kleiber.lab.teacher import Teacher, distillation_loss  # noqa: E402
from kleiber.lab.train import Trainer  # noqa: E402
from kleiber.lab.windows import Windows  # noqa: E402

TOY_STUDENT = [[0.5, -1.0, 2.0], [1.5, 0.3, -0.2]]
TOY_TEACHER = [[1.0, 0.2, -0.7], [0.0, 2.0, 1.0]]
TOY_TEXT = [2, 0]


def toy(student: Any = TOY_STUDENT, temperature: float = 1.7, mixture: float = 0.6) -> Any:
    logits = student if isinstance(student, torch.Tensor) else torch.tensor(student, dtype=torch.float64)
    teacher = torch.tensor(TOY_TEACHER, dtype=torch.float64)
    return distillation_loss(logits, teacher, torch.tensor(TOY_TEXT), temperature=temperature, mixture=mixture)


def test_the_loss_by_hand() -> None:
    def softmax(row: list[float], temperature: float) -> list[float]:
        grown = [math.exp(value / temperature) for value in row]
        return [value / sum(grown) for value in grown]

    expected = 0.0
    for student, teacher, text in zip(TOY_STUDENT, TOY_TEACHER, TOY_TEXT, strict=True):
        soft, taught = softmax(student, 1.7), softmax(teacher, 1.7)
        divergence = sum(p * math.log(p / q) for p, q in zip(taught, soft, strict=True))
        expected += (0.4 * -math.log(softmax(student, 1.0)[text]) + 0.6 * 1.7**2 * divergence) / 2
    assert float(toy()) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_by_closed_form_and_by_differences() -> None:
    logits = torch.tensor(TOY_STUDENT, dtype=torch.float64, requires_grad=True)
    toy(logits).backward()
    teacher = torch.tensor(TOY_TEACHER, dtype=torch.float64)
    text = torch.nn.functional.one_hot(torch.tensor(TOY_TEXT), 3)
    alone = logits.detach()
    closed = 0.4 * (alone.softmax(1) - text) + 0.6 * 1.7 * ((alone / 1.7).softmax(1) - (teacher / 1.7).softmax(1))
    assert logits.grad is not None
    assert torch.allclose(logits.grad, closed / 2, rtol=1e-12, atol=1e-14)
    for row, column in ((0, 0), (0, 2), (1, 1)):
        step = torch.zeros_like(alone)
        step[row, column] = 1e-5
        difference = float(toy(alone + step) - toy(alone - step)) / 2e-5
        assert difference == pytest.approx(float(logits.grad[row, column]), rel=1e-8)


# -- training ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


@pytest.fixture(scope="module")
def teacher_model(corpus: Corpus) -> Any:
    teacher = trained(corpus, replace(STUDENT, width=16), 32_768, seed=5)
    return teacher.model.eval().requires_grad_(False)


def trained(corpus: Corpus, shape: DenseShape, tokens: int, *, seed: int, teacher: Teacher | None = None) -> Trainer:
    trainer = Trainer(shape, RECIPE, corpus, seed=seed, teacher=teacher)
    trainer.train_trunk(RECIPE.branch_step(tokens))
    trainer.train_branch(tokens)
    return trainer


def divergence(model: Any, teacher: Any, corpus: Corpus) -> float:
    """KL(teacher || student) in nats per byte on windows that training with seed 0 draws otherwise."""
    batch = torch.from_numpy(Windows(corpus.train, context=32, batch_windows=32, seed=99).batch(0)[:, :-1])
    with torch.no_grad():
        taught, own = teacher(batch).log_softmax(-1), model(batch).log_softmax(-1)
    return float((taught.exp() * (taught - own)).sum(-1).mean())


def test_a_teacher_without_a_say_changes_no_bit(corpus: Corpus, teacher_model: Any) -> None:
    silent = Teacher(model=teacher_model, temperature=2.0, mixture=0.0)
    alone, taught = (trained(corpus, STUDENT, 8192, seed=0, teacher=who).state() for who in (None, silent))
    for name in ("weights_P", "first_P", "second_P"):
        assert np.array_equal(getattr(alone, name), getattr(taught, name))
    loud = trained(corpus, STUDENT, 8192, seed=0, teacher=replace(silent, mixture=0.1)).state()
    assert not np.array_equal(alone.weights_P, loud.weights_P)


def test_a_student_comes_to_predict_what_its_teacher_predicts(corpus: Corpus, teacher_model: Any) -> None:
    before = [weight.clone() for weight in teacher_model.parameters()]
    guide = Teacher(model=teacher_model, temperature=1.0, mixture=1.0)
    shape = replace(STUDENT, width=16)
    apart = [
        divergence(trained(corpus, shape, tokens, seed=0, teacher=guide).model, teacher_model, corpus)
        for tokens in (2048, 8192, 32_768)
    ]
    start = divergence(Trainer(shape, RECIPE, corpus, seed=0).model, teacher_model, corpus)
    assert start > apart[0] > apart[1] > apart[2]
    alone = trained(corpus, shape, 32_768, seed=0)
    assert apart[2] < divergence(alone.model, teacher_model, corpus)
    assert all(torch.equal(one, other) for one, other in zip(before, teacher_model.parameters(), strict=True))
    assert all(weight.grad is None or not weight.grad.any() for weight in teacher_model.parameters())


# -- ladders -------------------------------------------------------------------------------------------------------------------


def test_a_taught_ladder_trains_and_its_table_says_who_taught(ladder_toml: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    path = with_stage(ladder_toml)
    cells = read_ladder(path).cells
    rows = {row["run"]: row for row in run(path, tmp_path / "results")}
    teacher, student = rows[cells[0].run], rows[cells[1].run]
    assert student["teacher_loss"] == teacher["loss"]
    write_table(tmp_path / "results", tmp_path / "runs.parquet", source="a test")
    found = {row["run"]: row for row in pq.read_table(tmp_path / "runs.parquet").to_pylist()}
    assert list(table(tmp_path / "results").column_names) == [*COLUMNS, *TEACHER_COLUMNS]
    taught = found[cells[1].run]
    assert (taught["teacher"], taught["temperature"], taught["mixture"]) == (cells[0].run, 2.0, 0.9)
    assert taught["flops"] == 6 * taught["params"] * taught["tokens"]
    total = taught["flops"] + taught["teacher_flops"]
    assert found[cells[3].run]["flops"] == pytest.approx(total, abs=6 * 512 * 128 / 2)
    assert found[cells[2].run]["tokens"] == taught["tokens"]
    assert (found[cells[2].run]["teacher"], found[cells[2].run]["teacher_flops"]) == ("", 0.0)
    assert found[cells[2].run]["loss"] != taught["loss"]
    assert taught["supervised_loss"] == found[cells[2].run]["loss"]
    assert found[cells[2].run]["supervised_loss"] is None


def test_a_run_without_a_teacher_is_written_down_as_ever(ladder_toml: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    row = next(iter(run(ladder_toml, tmp_path)))
    assert not TEACHER_COLUMNS.keys() & row.keys()
    assert table(tmp_path).column_names == list(COLUMNS)
    assert not list((tmp_path / "teachers").iterdir())


def test_a_ladder_with_mixture_0_is_training_on_the_text_alone(ladder_toml: Path, tmp_path: Path) -> None:
    path = with_stage(ladder_toml, TAUGHT.replace("mixture = 0.9", "mixture = 0"))
    cells = read_ladder(path).cells
    # A teacher that is never asked costs nothing: both twins are the same run.
    _, student, twin = cells
    rows = {row["run"]: row for row in run(path, tmp_path)}
    taught, alone = rows[student.run], rows[twin.run]
    assert (taught["loss"], taught["loss_se"], taught["flops"]) == (alone["loss"], alone["loss_se"], alone["flops"])
    assert (taught["mixture"], taught["teacher_flops"]) == (0.0, 0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_teacher_of_any_family_is_the_model_that_was_finished(
    family: str, ladder_toml: Path, tmp_path: Path, corpus: Corpus
) -> None:
    stage = TAUGHT.replace("twins = true", "").replace(
        "{width = 24, tokens = 8192, seed = 3}",
        f'{{width = 16, tokens = 2048, family = "{family}", shape = {{{SETTINGS[family]}}}, recipe = {{compile = false}}}}',
    )
    path = with_stage(ladder_toml, stage)
    source, student = read_ladder(path).cells
    rows = {row["run"]: row for row in run(path, tmp_path)}
    assert (rows[source.run]["family"], rows[student.run]["family"]) == (family, "dense")
    teacher = _teacher(student, corpus, tmp_path)
    assert teacher is not None
    trainer = Trainer(source.shape, source.recipe, corpus, seed=source.seed)
    trainer.model = teacher.model  # type: ignore[assignment]
    assert not teacher.model.training  # type: ignore[attr-defined]
    assert rows[student.run]["teacher_loss"] == rows[source.run]["loss"]
    # To the last bits: how a product of floats is summed may depend on where in memory its factors lie.
    assert trainer.held_out_loss()[0] == pytest.approx(rows[source.run]["loss"], rel=1e-9)


@pytest.mark.parametrize("step", [5, 28], ids=["on the trunk", "in the decay"])
def test_a_killed_student_ends_as_if_it_had_not_been(
    step: int, ladder_toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_stage(ladder_toml)
    student = read_ladder(path).cells[1].run
    whole = {row["run"]: row["loss"] for row in run(path, tmp_path / "whole")}
    take = Trainer._take_step

    def killed(self: Trainer, lr: float) -> None:
        if self._teacher is not None and self.step == step:
            raise KeyboardInterrupt
        take(self, lr)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_take_step", killed)
        with pytest.raises(KeyboardInterrupt):
            list(run(path, tmp_path / "broken"))
    assert not (tmp_path / "broken" / "runs" / f"{student}.json").exists()
    assert {row["run"]: row["loss"] for row in run(path, tmp_path / "broken")} == whole


def test_a_run_finished_before_anyone_learnt_from_it_can_teach(ladder_toml: Path, tmp_path: Path) -> None:
    path = with_stage(ladder_toml)
    teacher, student = (cell.run for cell in read_ladder(path).cells[:2])
    whole = {row["run"]: row["loss"] for row in run(path, tmp_path)}
    kept = tmp_path / "teachers" / f"{teacher}.npz"
    weights = np.load(kept)["weights"]
    kept.unlink()
    (tmp_path / "runs" / f"{student}.json").unlink()
    (tmp_path / "registry.sqlite").unlink()
    assert {row["run"]: row["loss"] for row in run(path, tmp_path)} == whole
    assert np.array_equal(np.load(kept)["weights"], weights)
