"""A ladder as data: the TOML file that says which sizes, budgets and seeds, and by which recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, did_you_mean
from kleiber.lab.cell import Cell, Distillation
from kleiber.lab.corruption import Data
from kleiber.lab.dial import Dial, Shape
from kleiber.lab.recipe import Recipe
from kleiber.lab.tokenizer import BYTES, vocabulary_of
from kleiber.quantity import read as read_quantity

GRID = ("family", "shape", "widths", "sizes", "tokens", "seeds", "recipe", "data")
TAUGHT = ("temperature", "mixture", "twins")
TEACHER = ("family", "shape", "width", "size", "tokens", "seed", "recipe", "data")


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A named list of cells in the order in which they should be trained, and the corpus they read."""

    name: str
    corpus: str
    hardware: str
    cells: tuple[Cell, ...]
    tokenizer: str = BYTES

    @property
    def teachers(self) -> frozenset[str]:
        """The names of the runs that others learn from: their weights are kept."""
        return frozenset(cell.distillation.teacher.run for cell in self.cells if cell.distillation)


def read_ladder(path: str | Path) -> Ladder:
    """Read a ladder from TOML.

    The file holds `name`, `corpus`, `tokenizer` (bytes unless told), `hardware`, a `family` (dense unless told), a `[recipe]`
    table (the fields of `Recipe`), a `[shape]` table (the settings of `Dial`, the same at every size) and a list of
    `[[stage]]`s, each with `widths` or `sizes` (active non-embedding params), `tokens` and `seeds`: the cells of a stage are
    its full grid, and stages are trained in the order of the file. A stage may change family, shape and recipe for its own
    cells (`recipe = {lr = 0.005}`); where it names another family, the file's `[shape]` says nothing of it but `depth`. Other
    families than dense train with `transfer` unless told otherwise. A cell named twice counts once. `data` spoils a stage's
    training text on purpose (`data = {noise = 0.1}`, the fields of `kleiber.lab.corruption.Data`); a teacher's text is clean
    unless it has its own `data`.

    The cells of a stage with a `teacher` are its students. The teacher is a run of the same ladder: `{run = "its name"}` of a
    stage above, or `{width = 96, tokens = "8M", seed = 0}` (or `size`; `family`, `shape`, `recipe` as in a stage), trained first.
    `temperature` (2) and `mixture` (0.9) are those of `Distillation`; `twins = true` adds what each student is compared with,
    `Cell.twins`. Raises `InputError` naming the file and the key.
    """
    where = str(path)
    raw = _load(Path(path))
    _only(raw, ("name", "corpus", "tokenizer", "hardware", "family", "recipe", "shape", "stage"), where)
    corpus = _need(raw, "corpus", str, where)
    vocabulary_of(raw.get("tokenizer", BYTES), where=where)
    _recipe(_need(raw, "recipe", dict, where), where)
    Dial.read(raw.get("family", "dense"), _need(raw, "shape", dict, where), where=where)
    cells: dict[str, Cell] = {}
    for number, stage in enumerate(_need(raw, "stage", list, where), start=1):
        for cell in _cells(raw, stage, cells, f"{where}, stage {number}"):
            cells.setdefault(cell.run, cell)
    return Ladder(
        name=_need(raw, "name", str, where),
        corpus=corpus,
        hardware=_need(raw, "hardware", str, where),
        cells=tuple(cells.values()),
        tokenizer=raw.get("tokenizer", BYTES),
    )


def read_stages(path: str | Path) -> list[tuple[dict[str, Any], list[Cell]]]:
    """The stages of a ladder that can be read, each as the file has it and with its cells."""
    raw = _load(Path(path))
    known = {cell.run: cell for cell in read_ladder(path).cells}
    return [(stage, _cells(raw, stage, known, str(path))) for stage in raw["stage"]]


def _cells(raw: dict[str, Any], stage: dict[str, Any], known: Mapping[str, Cell], at: str) -> list[Cell]:
    """The cells of one stage: its grid, or a teacher, its students and their twins."""
    _only(stage, (*GRID, "teacher", *TAUGHT), at)
    grid = list(_grid(raw, stage, at))
    if "teacher" not in stage:
        for key in TAUGHT:
            if key in stage:
                raise InputError(f"`{key}` needs a teacher", remedy=f"name a `teacher`, or leave out `{key}`", where=at)
        return grid
    distillation = _distillation(raw, stage, known, at)
    for cell in grid:
        _same_window(cell, distillation.teacher, at)
    students = [replace(cell, distillation=distillation) for cell in grid]
    wanted = _need(stage, "twins", bool, at) if "twins" in stage else False
    return [distillation.teacher, *students, *(twin for student in students if wanted for twin in student.twins())]


def _distillation(raw: dict[str, Any], stage: dict[str, Any], known: Mapping[str, Cell], at: str) -> Distillation:
    teacher = _teacher(raw, _need(stage, "teacher", dict, at), known, f"{at}, teacher")
    settings = {key: stage[key] for key in ("temperature", "mixture") if key in stage}
    try:
        return Distillation(teacher=teacher, **settings)
    except InputError as error:
        raise InputError(error.message, found=error.found, expected=error.expected, where=at) from error


def _teacher(raw: dict[str, Any], told: dict[str, Any], known: Mapping[str, Cell], at: str) -> Cell:
    """A run of a stage above by its name, or one described here."""
    if "run" in told:
        _only(told, ("run",), at)
        name = _need(told, "run", str, at)
        if name not in known:
            raise InputError(
                "there is no such run to learn from",
                found=name,
                expected="the name of a run of a stage above",
                remedy=did_you_mean(name, known) if known else "describe it: {width = ..., tokens = ..., seed = ...}",
                where=at,
            )
        return known[name]
    _only(told, TEACHER, at)
    for key in ("size" if "size" in told else "width", "tokens"):
        _need(told, key, object, at)
    lists = {"width": "widths", "size": "sizes", "tokens": "tokens", "seed": "seeds"}
    described = {lists.get(key, key): [value] if key in lists else value for key, value in {"seed": 0, **told}.items()}
    (cell,) = _grid(raw, described, at)
    return cell


def _same_window(student: Cell, teacher: Cell, at: str) -> None:
    if student.shape.context > teacher.shape.context:
        raise InputError(
            "the student reads further than its teacher can",
            found=f"a context of {student.shape.context} under a teacher of {teacher.shape.context}",
            remedy="give the teacher at least the student's context",
            where=at,
        )


def _grid(raw: dict[str, Any], stage: dict[str, Any], at: str) -> Iterator[Cell]:
    dial = _dial(raw, stage, at)
    recipe = _recipe({"transfer": dial.family != "dense", **raw["recipe"], **stage.get("recipe", {})}, at)
    tokenizer = raw.get("tokenizer", BYTES)
    window = {"context": recipe.context, "vocabulary": vocabulary_of(tokenizer)}
    shapes = _shapes(dial, stage, window, at)
    data = Data.read(_need(stage, "data", dict, at) if "data" in stage else {}, where=f"{at}, data")
    for tokens in _need(stage, "tokens", list, at):
        for seed in _need(stage, "seeds", list, at):
            for shape in shapes:
                yield Cell(
                    shape=shape,
                    tokens=_tokens(tokens, recipe),
                    seed=seed,
                    recipe=recipe,
                    corpus=raw["corpus"],
                    data=data,
                    tokenizer=tokenizer,
                )


def _dial(raw: dict[str, Any], stage: dict[str, Any], at: str) -> Dial:
    """The file's family and settings, changed by the stage's own."""
    usual = raw.get("family", "dense")
    family = stage.get("family", usual)
    inherited = (
        raw["shape"] if family == usual else {key: raw["shape"][key] for key in ("depth",) if key in raw["shape"]}
    )
    settings = {**inherited, **(_need(stage, "shape", dict, at) if "shape" in stage else {})}
    return Dial.read(family, settings, where=at)


def _shapes(dial: Dial, stage: dict[str, Any], window: dict[str, int], at: str) -> list[Shape]:
    if "sizes" not in stage:
        return [dial.at_width(width, **window) for width in _need(stage, "widths", list, at)]
    if "widths" in stage:
        raise InputError("a stage names its models by widths or by sizes, not by both", where=at)
    return [dial.at_size(read_quantity(size), **window) for size in _need(stage, "sizes", list, at)]


def _tokens(value: int | str, recipe: Recipe) -> int:
    # Rounded to whole steps, so that the table says what was really seen.
    return recipe.steps(round(read_quantity(value))) * recipe.batch_tokens


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("no ladder there", found="no such file", expected="a TOML file", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("the ladder is not TOML", found=str(error), where=str(path)) from error


def _recipe(raw: dict[str, Any], where: str) -> Recipe:
    _only(raw, tuple(field.name for field in fields(Recipe)), f"{where}, [recipe]")
    return Recipe(**raw)


def _need(raw: dict[str, Any], key: str, kind: type, where: str) -> Any:
    if key not in raw:
        raise InputError(f"`{key}` is missing", found=", ".join(raw) or "nothing", expected=key, where=where)
    if not isinstance(raw[key], kind):
        raise InputError(f"`{key}` is of the wrong kind", found=repr(raw[key]), expected=kind.__name__, where=where)
    return raw[key]


def _only(raw: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in known:
            raise InputError(f"`{key}` is not known here", remedy=did_you_mean(key, known), where=where)
