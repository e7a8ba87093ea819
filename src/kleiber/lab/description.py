"""A ladder as data: the TOML file that says which sizes, budgets and seeds, and by which recipe."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kleiber.errors import InputError, did_you_mean
from kleiber.lab.dial import Dial, Shape
from kleiber.lab.recipe import Recipe
from kleiber.quantity import read as read_quantity


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to do: a shape, a token budget and a seed under a recipe.

    Cells of one shape and seed share a trunk.
    """

    shape: Shape
    tokens: int
    seed: int
    recipe: Recipe
    corpus: str

    @property
    def run(self) -> str:
        """Name of the run: a hash of everything that decides its loss."""
        return _digest({**self._trunk_facts(), "tokens": self.tokens})

    @property
    def trunk(self) -> str:
        """Name of the trunk it branches off, for resuming and for clustering."""
        return f"w{self.shape.width}-s{self.seed}-{_digest(self._trunk_facts())}"

    def _trunk_facts(self) -> dict[str, Any]:
        return {
            "family": self.shape.family,
            "shape": asdict(self.shape),
            "recipe": self.recipe.facts(),
            "seed": self.seed,
            "corpus": self.corpus,
        }


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A named list of cells in the order in which they should be trained, and the corpus they read."""

    name: str
    corpus: str
    hardware: str
    cells: tuple[Cell, ...]


def read_ladder(path: str | Path) -> Ladder:
    """Read a ladder from TOML.

    The file holds `name`, `corpus`, `hardware`, a `family` (dense unless told), a `[recipe]` table (the fields of `Recipe`), a
    `[shape]` table (the settings of `Dial`, the same at every size) and a list of `[[stage]]`s, each with `widths` or
    `sizes` (active non-embedding params), `tokens` and `seeds`: the cells of a stage are its full grid, and stages are trained
    in the order of the file. A stage may change family, shape and recipe for its own cells (`recipe = {lr = 0.005}`); where it
    names another family, the file's `[shape]` says nothing of it but `depth`. Other families than dense train with `transfer`
    unless told otherwise. A cell named twice counts once. Raises `InputError` naming the file and the key.
    """
    where = str(path)
    raw = _load(Path(path))
    _only(raw, ("name", "corpus", "hardware", "family", "recipe", "shape", "stage"), where)
    _recipe(_need(raw, "recipe", dict, where), where)
    Dial.read(raw.get("family", "dense"), _need(raw, "shape", dict, where), where=where)
    cells: dict[str, Cell] = {}
    for number, stage in enumerate(_need(raw, "stage", list, where), start=1):
        for cell in _cells(raw, stage, where, number):
            cells.setdefault(cell.run, cell)
    return Ladder(
        name=_need(raw, "name", str, where),
        corpus=_need(raw, "corpus", str, where),
        hardware=_need(raw, "hardware", str, where),
        cells=tuple(cells.values()),
    )


def _cells(raw: dict[str, Any], stage: dict[str, Any], where: str, number: int) -> Iterator[Cell]:
    at = f"{where}, stage {number}"
    _only(stage, ("family", "shape", "widths", "sizes", "tokens", "seeds", "recipe"), at)
    dial = _dial(raw, stage, at)
    recipe = _recipe({"transfer": dial.family != "dense", **raw["recipe"], **stage.get("recipe", {})}, at)
    shapes = _shapes(dial, stage, recipe, at)
    for tokens in _need(stage, "tokens", list, at):
        for seed in _need(stage, "seeds", list, at):
            for shape in shapes:
                yield Cell(
                    shape=shape,
                    tokens=_tokens(tokens, recipe),
                    seed=seed,
                    recipe=recipe,
                    corpus=_need(raw, "corpus", str, where),
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


def _shapes(dial: Dial, stage: dict[str, Any], recipe: Recipe, at: str) -> list[Shape]:
    if "sizes" not in stage:
        return [dial.at_width(width, context=recipe.context) for width in _need(stage, "widths", list, at)]
    if "widths" in stage:
        raise InputError("a stage names its models by widths or by sizes, not by both", where=at)
    return [dial.at_size(read_quantity(size), context=recipe.context) for size in _need(stage, "sizes", list, at)]


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


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
