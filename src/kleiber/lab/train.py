"""Training: one constant-rate trunk per size and seed, a short decay branch off it for every token budget.

The whole state of a run is four flat vectors and a step number. All weights are views into one vector, so that
a branch is a copy of it, a checkpoint is five arrays in an `.npz` (no pickle), and the optimiser is one fused call. Weights
of one learning rate lie side by side: the optimiser sees one stretch of the vector for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from kleiber.errors import InputError
from kleiber.lab.corpus import Corpus
from kleiber.lab.dial import Shape
from kleiber.lab.faults import Diverged
from kleiber.lab.folder import replacing
from kleiber.lab.held_out import HeldOut
from kleiber.lab.models import build
from kleiber.lab.models.experts import Experts, max_violation
from kleiber.lab.ranks import ALONE, Ranks
from kleiber.lab.recipe import Recipe
from kleiber.lab.synthetic import answer_loss
from kleiber.lab.teacher import Teacher
from kleiber.lab.weights import array
from kleiber.lab.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS_BETWEEN_LOOKS = 64
"""A loss that is no number stays one, so that a look now and then finds it; on a GPU every look waits for the device."""


@dataclass(frozen=True, kw_only=True)
class State:
    """Weights, AdamW's two moments and the number of steps taken: everything a run needs to go on.

    P = parameters, Q = what a model keeps beside them (the biases of balanced experts; none in other families).
    """

    weights_P: NDArray[np.float32]
    first_P: NDArray[np.float32]
    second_P: NDArray[np.float32]
    kept_Q: NDArray[np.float32]
    step: int

    def save(self, path: Path) -> None:
        """Write atomically: a kill leaves the old file or the new one, never half of one."""
        with replacing(path) as file:
            np.savez(
                file,
                weights=self.weights_P,
                first=self.first_P,
                second=self.second_P,
                kept=self.kept_Q,
                step=self.step,
            )

    @staticmethod
    def load(path: Path) -> State:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return State(
                weights_P=arrays["weights"],
                first_P=arrays["first"],
                second_P=arrays["second"],
                # Checkpoints written before there were experts have none.
                kept_Q=arrays["kept"] if "kept" in arrays else np.empty(0, dtype=np.float32),
                step=int(arrays["step"]),
            )


class Trainer:
    """A model of one shape and seed that can be moved to any state and trained on from there, with a teacher or without.

    After every step each listener is called with the trainer as it stands then, the rate of the step and its loss: a scalar
    that is still on its device, so that whoever need not know it at once does not wait for it.
    """

    def __init__(
        self,
        shape: Shape,
        recipe: Recipe,
        corpus: Corpus,
        *,
        seed: int,
        teacher: Teacher | None = None,
        listeners: Sequence[Listener] = (),
        ranks: Ranks = ALONE,
    ) -> None:
        if corpus.vocabulary != shape.vocabulary:
            raise InputError(
                "model and text have different vocabularies",
                found=f"{shape.vocabulary} tokens in the model, {corpus.vocabulary} in the text",
                where=corpus.source,
            )
        self._listeners = tuple(listeners)
        self.shape, self.recipe, self.corpus = shape, recipe, corpus
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.windows = Windows(
            corpus.train,
            context=recipe.context,
            batch_windows=recipe.batch_windows,
            seed=seed,
            labels=corpus.labels,
        )
        model = build(shape, seed=seed).to(self.device)
        self._ranks = ranks
        self._weights = ranks.weights(model, recipe, width=shape.width)
        self.model = model
        self._experts = [part for part in model.modules() if isinstance(part, Experts)]
        for layer in self._experts:
            layer.average = ranks.average
        # Held-out windows come in ragged batches, each of which would be compiled anew: only training is compiled.
        if recipe.compile:
            # Without this the ninth model of a process would silently go uncompiled (the limit on recompilation).
            torch.compiler.reset()
        self._compiled = torch.compile(model, dynamic=False) if recipe.compile else model
        if teacher is not None and recipe.compile:
            teacher = replace(teacher, model=torch.compile(teacher.model, dynamic=False))
        self._teacher = teacher
        self.step = 0

    def state(self) -> State:
        """A copy of where the run stands."""
        weights_P, first_P, second_P = self._weights.vectors()
        return State(
            weights_P=weights_P,
            first_P=first_P,
            second_P=second_P,
            kept_Q=array(torch.cat([torch.empty(0), *(kept.reshape(-1).cpu() for kept in self._kept())])),
            step=self.step,
        )

    def restore(self, state: State) -> None:
        """Go to a state, forwards or back."""
        with torch.no_grad():
            self._weights.restore(state.weights_P, state.first_P, state.second_P, step=state.step)
            kept = self._kept()
            for held, part in zip(kept, torch.from_numpy(state.kept_Q).split([k.numel() for k in kept]), strict=True):
                held.copy_(part.view_as(held))
        self.step = state.step

    def _kept(self) -> list[torch.Tensor]:
        """What a model keeps beside its parameters and a run could not go on without."""
        return [layer.bias_E for layer in self._experts if layer.setting.keeps_bias]

    def train_trunk(self, until_step: int) -> None:
        """Warm-up and constant rate up to a step."""
        while self.step < until_step:
            self._take_step(self.recipe.trunk_lr(self.step, self.shape.width))

    def train_branch(self, tokens: int) -> None:
        """Linear decay to zero, from the branch point of a budget to its end."""
        assert self.step == self.recipe.branch_step(tokens), (self.step, tokens)
        while self.step < self.recipe.steps(tokens):
            self._take_step(self.recipe.branch_lr(self.step, self.shape.width, tokens))

    def held_out_loss(self) -> tuple[float, float]:
        """Loss in nats per token over all held-out text, and its standard error by document."""
        found = self.held_out()
        return found.loss, found.loss_se

    def held_out(self) -> HeldOut:
        """What all held-out text costs, cut into windows of `context` tokens that start afresh, as in training."""
        for layer in self._experts:
            layer.seen_E.zero_()
        self.model.eval()
        sums = [self._document_loss(text) for text in self.corpus.held_out]
        self.model.train()
        return HeldOut(
            nats_D=np.array([nats for nats, _ in sums]),
            tokens_D=np.array([count for _, count in sums]),
            bytes_D=np.array([self.corpus.bytes_of(text[1:]) for text in self.corpus.held_out]),
        )

    def answer_loss(self) -> float | None:
        """Loss in nats per byte of answer over the held-out lines of a synthetic task, each read from its beginning.

        So the floor is 0, as no line is cut. None for text without answers and for lines longer than the context.
        """
        answers_L = self.corpus.answers
        if answers_L is None or answers_L.size > self.recipe.context:
            return None
        length = answers_L.size
        # A document is a line end, then lines that each close with one: a line is read from the end of the one before.
        windows_NL = np.concatenate(
            [np.lib.stride_tricks.sliding_window_view(text, length + 1)[::length] for text in self.corpus.held_out]
        )
        self.model.eval()
        with torch.no_grad():
            nats = [self._line_nats(windows_NL[at : at + 64]) for at in range(0, len(windows_NL), 64)]
        self.model.train()
        return answer_loss(np.concatenate(nats).reshape(-1), np.tile(answers_L, len(windows_NL)))

    def max_violation(self) -> float | None:
        """How uneven the experts' load was on held-out text: MaxVio, the mean over layers; None without experts."""
        if not self._experts:
            return None
        return float(np.mean([max_violation(layer.seen_E) for layer in self._experts]))

    def _take_step(self, lr: float) -> None:
        batch_BT = torch.from_numpy(self._ranks.share(self.windows.batch(self.step))).to(self.device)
        target_BT = torch.from_numpy(self._ranks.share(self.windows.targets(self.step))).to(self.device)
        loss = lesson = self._lesson(batch_BT[:, :-1], target_BT)
        if self.step % STEPS_BETWEEN_LOOKS == 0 and not torch.isfinite(loss):
            raise Diverged(self.step)
        for layer in self._experts:
            if layer.setting.balance == "loss":
                loss = loss + layer.penalty
        loss.backward()
        self._weights.step(lr)
        for layer in self._experts:
            layer.balance()
        self.step += 1
        for listener in self._listeners:
            listener(self, lr, lesson.detach())

    def _lesson(self, input_BT: torch.Tensor, target_BT: torch.Tensor) -> torch.Tensor:
        if self._teacher is None:
            return self._loss(self._compiled, input_BT, target_BT, reduction="mean")
        logits_NV = self._logits(self._compiled, input_BT)
        with torch.no_grad():
            teacher_NV = self._logits(self._teacher.model, input_BT)
        return self._teacher.loss(logits_NV, target_BT.reshape(-1), teacher_NV)

    def _loss(
        self,
        model: Callable[[torch.Tensor], torch.Tensor],
        input_BT: torch.Tensor,
        target_BT: torch.Tensor,
        *,
        reduction: str,
    ) -> torch.Tensor:
        return functional.cross_entropy(self._logits(model, input_BT), target_BT.reshape(-1), reduction=reduction)

    def _logits(self, model: Callable[[torch.Tensor], torch.Tensor], input_BT: torch.Tensor) -> torch.Tensor:
        """Of every token, `(N, V)`, in float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.half(self.device.type)):
            logits_BTV = model(input_BT)
        return logits_BTV.float().reshape(-1, self.shape.vocabulary)

    def _line_nats(self, windows_NL: NDArray[np.integer]) -> NDArray[np.float32]:
        line_NL = torch.from_numpy(windows_NL.astype(np.int64)).to(self.device)
        return array(self._loss(self.model, line_NL[:, :-1], line_NL[:, 1:], reduction="none"))

    def _document_loss(self, text: NDArray[np.integer]) -> tuple[float, int]:
        context = self.recipe.context
        nats = 0.0
        whole = (text.size - 1) // context
        text_long = torch.from_numpy(text.astype(np.int64)).to(self.device)
        with torch.no_grad():
            for begin in range(0, whole, 64):
                rows = min(64, whole - begin)
                first = begin * context
                input_BT = text_long[first : first + rows * context].view(rows, context)
                target_BT = text_long[first + 1 : first + rows * context + 1].view(rows, context)
                nats += float(self._loss(self.model, input_BT, target_BT, reduction="sum"))
            rest = text_long[whole * context :]
            if rest.numel() > 1:
                nats += float(self._loss(self.model, rest[None, :-1], rest[None, 1:], reduction="sum"))
        return nats, int(text.size - 1)


Listener = Callable[[Trainer, float, torch.Tensor], None]
"""What is told of every step: the trainer, the rate, the loss."""
