"""Bad rungs, and the runs that would tell whether their learning rate is to blame.

The way the data takes: the finished runs of a ladder -> the rungs that `kleiber check` names, above their neighbours -> for each
of their runs two more, at half and at twice its rate -> the ladder's own file with those stages at its end.

The one idea: nothing is trained here and nothing is taken out. The proposal is a file that a person reads, cuts, and runs on the
same results; the best run of a cell is the one that counts in every later step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.description import read_stages
from kleiber.runs.audit.rungs import Off, rungs_off

FACTORS = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class Mended:
    """The rungs that lie above their neighbours, the new stages as TOML, and the runs for which none can be proposed.

    Those are students and teachers that a stage describes on the side: a stage of their own would be another run.
    """

    rungs: tuple[Off, ...]
    stages: tuple[str, ...]
    left_alone: tuple[str, ...]

    def toml(self, ladder_toml: str | Path) -> str:
        """The ladder's file with the new stages at its end."""
        return "\n".join([Path(ladder_toml).read_text(encoding="utf-8").rstrip("\n"), "", *self.stages])


def mend(ladder_toml: str | Path, results: str | Path) -> Mended:
    """Propose runs for the rungs of a ladder that end worse than their neighbours lead one to expect.

    Raises `InputError` where nothing is finished.
    """
    from kleiber.lab.table import table
    from kleiber.runs import read

    runs = read(table(results))
    above = tuple(rung for rung in rungs_off(runs) if rung.offset > 0)
    names = runs.labels("run")
    stages: list[str] = []
    left_alone: list[str] = []
    described = {cell.run: (stage, cell) for stage, cells in read_stages(ladder_toml) for cell in cells}
    for rung in above:
        for run in dict.fromkeys(str(names[number - 1]) for number in rung.numbers):
            stage, cell = described.get(run, ({}, None))
            if cell is None or cell.distillation is not None or "teacher" in stage:
                left_alone.append(run)
            else:
                stages += _stages(stage, cell, rung)
    return Mended(rungs=above, stages=tuple(stages), left_alone=tuple(left_alone))


def _stages(stage: Mapping[str, Any], cell: Cell, rung: Off) -> Iterator[str]:
    """The run once more at each rate: the stage that it comes from, for this size, budget and seed alone."""
    kept = {
        name: value for name, value in stage.items() if name not in ("widths", "sizes", "tokens", "seeds", "recipe")
    }
    for factor in FACTORS:
        recipe = {**stage.get("recipe", {}), "lr": cell.recipe.lr * factor}
        told = {**kept, "widths": [cell.shape.width], "tokens": [cell.tokens], "seeds": [cell.seed], "recipe": recipe}
        lines = [f"{name} = {_value(value)}" for name, value in told.items()]
        why = f"# {cell.run} again at {factor:g} times its rate: its size lies {rung.offset:.1%} above its neighbours."
        yield "\n".join([why, "[[stage]]", *lines, ""])


def _value(value: object) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(name))} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    # A TOML string, number or boolean is written as in JSON.
    return json.dumps(value, ensure_ascii=False)
