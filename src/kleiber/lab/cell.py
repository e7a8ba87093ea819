"""One run to do, and the facts that its name is made of; who teaches it, and what it would be compared with.

The way the data takes: a shape, a budget, a seed and a recipe -> a `Cell` -> its run's name, a hash of all that decides its loss.
A cell with a `Distillation` is a student: it learns from another run's predictions as well as from the text. Its twins learn
from the text alone: one on as many tokens, one on as many FLOPs, the teacher's included.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Any

from kleiber.errors import InputError
from kleiber.lab.corruption import CLEAN, Data
from kleiber.lab.dial import Shape
from kleiber.lab.recipe import Recipe
from kleiber.lab.tokenizer import BYTES


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Who teaches, and how: (1 - mixture) x loss on the text + mixture x temperature^2 x KL(teacher || student).

    Both distributions are flattened by the temperature (logits / temperature); its square keeps the gradient's size (Hinton et
    al. 2015, arXiv:1503.02531, section 2). Raises `InputError` for a temperature that is not positive and a mixture outside 0
    to 1.
    """

    teacher: Cell
    temperature: float = 2.0
    mixture: float = 0.9

    def __post_init__(self) -> None:
        if not (_number(self.temperature) and 0 < self.temperature < math.inf):
            raise InputError("the temperature must be positive", found=repr(self.temperature))
        if not (_number(self.mixture) and 0 <= self.mixture <= 1):
            raise InputError(
                "the mixture is the weight of the teacher against the text",
                found=repr(self.mixture),
                expected="a number from 0 to 1",
            )

    def facts(self) -> dict[str, Any]:
        """What a student's name is made of beside its own settings; 1 and 1.0 name the same run."""
        facts = {"temperature": float(self.temperature), "mixture": float(self.mixture)}
        return {"teacher": self.teacher.run, **facts}

    def flops(self, tokens: int) -> float:
        """What the teacher costs a student of `tokens`: its own training in full and its forward pass beside the student.

        2 teacher_params (tokens + 3 teacher_tokens), active params; 0 where the mixture is 0 and the teacher is never asked. A
        teacher that was taught brings what its own teacher cost.
        """
        from kleiber.laws.distillation import distillation_flops

        if self.mixture == 0:
            return 0.0
        teacher = self.teacher
        own = distillation_flops(0, tokens, teacher.shape.active_params, teacher.tokens, logits=1, pretraining=1)
        return own + teacher.teacher_flops


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run to do: a shape, a token budget and a seed under a recipe, with a teacher or without.

    Cells of one shape, seed and teaching share a trunk.
    """

    shape: Shape
    tokens: int
    seed: int
    recipe: Recipe
    corpus: str
    data: Data = CLEAN
    tokenizer: str = BYTES
    distillation: Distillation | None = None

    @property
    def run(self) -> str:
        """Name of the run: a hash of everything that decides its loss."""
        return _digest(self.facts())

    @property
    def trunk(self) -> str:
        """Name of the trunk it branches off, for resuming and for clustering."""
        return f"w{self.shape.width}-s{self.seed}-{_digest(self._trunk_facts())}"

    @property
    def teacher_flops(self) -> float:
        """What the teacher cost, 0 without one."""
        return self.distillation.flops(self.tokens) if self.distillation else 0.0

    @property
    def flops(self) -> float:
        """What training the student itself takes: 6 x active params x tokens."""
        return float(self.shape.flops_per_token * self.tokens)

    def twins(self) -> tuple[Cell, Cell]:
        """The same model trained on the text alone: on as many tokens, and on as many FLOPs as student and teacher took together.

        The second is rounded to whole batches.
        """
        alone = replace(self, distillation=None)
        affordable = (self.flops + self.teacher_flops) / self.shape.flops_per_token
        tokens = self.recipe.steps(round(affordable)) * self.recipe.batch_tokens
        return alone, replace(alone, tokens=tokens)

    def facts(self) -> dict[str, Any]:
        """Everything that decides the run's loss: its configuration, as JSON."""
        return {**self._trunk_facts(), "tokens": self.tokens}

    def _trunk_facts(self) -> dict[str, Any]:
        return {
            "family": self.shape.family,
            "shape": self.shape.facts(),
            "recipe": self.recipe.facts(),
            "seed": self.seed,
            "corpus": self.corpus,
            # Left out where tokens are bytes, the text is clean, and without a teacher: names given before there were any stand.
            **({"tokenizer": self.tokenizer} if self.tokenizer != BYTES else {}),
            **({"data": facts} if (facts := self.data.facts()) else {}),
            **(self.distillation.facts() if self.distillation else {}),
        }


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
