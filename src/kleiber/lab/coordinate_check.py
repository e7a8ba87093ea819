"""Does a learning rate tuned small hold large? A few steps at many widths tell, before anything is trained.

The way the data takes: one recipe at widths 16 times apart -> a few steps each -> how far every block's output, the embedding and
the logits have moved on text kept aside -> the slope of log change against log width. Where the rate transfers, every layer
moves as far in a wide model as in a narrow one and the slopes are zero; where they are not, the best rate moves with width. The
depth is the same at all widths, warm-up is left out, and seeds are repeated so that the slope has an interval.

The check is necessary, not sufficient: it says that first steps are alike, not that the best rate of a long run is.

Source: Yang et al. 2022, "Tensor Programs V", arXiv:2203.03466, appendix D.1 (coordinate checking).

Shapes: L layers, M measurements (widths x seeds), B windows, T bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kleiber.errors import InputError
from kleiber.finding import Finding, Verdict
from kleiber.lab.corpus import Corpus
from kleiber.lab.dial import Dial
from kleiber.lab.faults import Diverged
from kleiber.lab.recipe import Recipe
from kleiber.lab.train import Trainer
from kleiber.lab.windows import Windows

WIDTHS = (32, 64, 128, 256, 512)
STEPS = 4
LEAST_SPAN = 16
TOLERANCE = 0.25
"""The steepest slope that passes: over 16 times the width a change that doubles, no more."""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How a layer's change grows with width: change ~ width^value, with a 95 % interval."""

    layer: str
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CoordinateCheck:
    """What each layer's activations did in the first steps: `change_LM` at `width_M`, and the slopes drawn through them."""

    family: str
    steps: int
    layers: tuple[str, ...]
    width_M: NDArray[np.int64]
    change_LM: NDArray[np.float64]
    slopes: tuple[Slope, ...]

    def _diverged(self) -> Finding:
        lost = ~np.isfinite(self.change_LM).all(axis=0)
        return Finding(
            name="learning rate transfer",
            verdict="problem",
            evidence=f"Activations are no number after {self.steps} steps at width {self.width_M[lost].min()}.",
            remedy="take a smaller learning rate, or let it follow the width (transfer = true)",
        )

    def finding(self) -> Finding:
        """Learning rate transfers, does not, or cannot tell."""
        if not np.isfinite(self.change_LM).all():
            return self._diverged()
        worst = max(self.slopes, key=_least_steepness)
        verdict = _verdict(self.slopes)
        if verdict != "problem":
            worst = max(self.slopes, key=lambda slope: abs(slope.value))
        low, high = worst.interval
        measured = (
            f"{worst.layer} moves as width^{worst.value:+.2f} ({low:+.2f} to {high:+.2f}) in the first {self.steps} steps, "
            f"widths {self.width_M.min()} to {self.width_M.max()}"
        )
        said = {
            "ok": f"Learning rate transfers: no layer's change depends on width; most, {measured}.",
            "problem": f"Learning rate does not transfer: {measured}.",
        }
        remedy = "scale the rate of this layer's maps by 1/fan-in (transfer = true), or tune it at every width"
        return Finding(
            name="learning rate transfer",
            verdict=verdict,
            evidence=said.get(verdict, f"Cannot tell whether the learning rate transfers: {measured}."),
            remedy={"ok": "", "problem": remedy}.get(verdict, "take more seeds or wider models"),
            value=worst.value,
            interval=worst.interval,
            caveats=("It is the first steps that are compared, at one depth and batch size.",),
            reference="Yang et al. 2022, arXiv:2203.03466, appendix D.1",
        )


def coordinate_check(
    dial: Dial,
    recipe: Recipe,
    corpus: Corpus,
    *,
    widths: Sequence[int] = WIDTHS,
    seeds: Sequence[int] = (0, 1),
    steps: int = STEPS,
) -> CoordinateCheck:
    """Take `steps` at every width with the full rate from the first on, and see how far each layer moves.

    Raises `InputError` where the widths span less than 16 times, or too few measurements leave no interval.
    """
    if max(widths) < LEAST_SPAN * min(widths):
        raise InputError(
            "the widths are too close together to show a trend",
            found=f"{min(widths)} to {max(widths)}",
            expected=f"widths at least {LEAST_SPAN} times apart",
        )
    if len(widths) * len(seeds) < 4:
        raise InputError("too few models for an interval", found=f"{len(widths) * len(seeds)}", expected="at least 4")
    # One depth for all, that of the narrowest: the rule is one of widths.
    depth = dial.at_width(min(widths), context=recipe.context).depth
    fixed, sudden = replace(dial, depth=depth), replace(recipe, warmup_tokens=recipe.batch_tokens, compile=False)
    pairs = [(width, seed) for width in widths for seed in seeds]
    moved = [_changes(fixed, sudden, corpus, width, seed, steps) for width, seed in pairs]
    layers = tuple(moved[0])
    change_LM = np.array([[change[layer] for change in moved] for layer in layers])
    width_M = np.array([width for width, _ in pairs])
    slopes = tuple(_slope(layer, width_M, change_M) for layer, change_M in zip(layers, change_LM, strict=True))
    return CoordinateCheck(
        family=dial.family, steps=steps, layers=layers, width_M=width_M, change_LM=change_LM, slopes=slopes
    )


def _changes(dial: Dial, recipe: Recipe, corpus: Corpus, width: int, seed: int, steps: int) -> dict[str, float]:
    """Root-mean-square change of every layer's output on one batch that is not trained on."""
    trainer = Trainer(dial.at_width(width, context=recipe.context), recipe, corpus, seed=seed)
    probe = Windows(corpus.train, context=recipe.context, batch_windows=recipe.batch_windows, seed=seed + 1_000)
    bytes_BT = torch.from_numpy(probe.batch(0)[:, :-1]).to(trainer.device)
    before = outputs(trainer.model, bytes_BT)
    with suppress(Diverged):  # what is no number any more is told from the outputs
        trainer.train_trunk(steps)
    after = outputs(trainer.model, bytes_BT)
    return {layer: float((after[layer] - before[layer]).square().mean().sqrt()) for layer in before}


def outputs(model: nn.Module, bytes_BT: Tensor) -> dict[str, Tensor]:
    """What embedding, blocks (each only what it adds to the stream), their maps and the head give for a batch, by name.

    Maps are looked at one by one because a block may hide them: routers end in a bounded score, steps of a scan in a softplus.
    """
    found: dict[str, Tensor] = {}
    hooks = [model.get_submodule("embedding").register_forward_hook(_noting(found, "embedding"))]
    for number, block in enumerate(model.get_submodule("blocks").children(), start=1):
        hooks.append(block.register_forward_hook(_noting(found, f"block {number}", added=True)))
        maps = [(name, part) for name, part in block.named_modules() if isinstance(part, nn.Linear)]
        hooks += [part.register_forward_hook(_noting(found, f"{name} of block {number}")) for name, part in maps]
    try:
        with torch.no_grad():
            found["logits"] = model(bytes_BT)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _noting(found: dict[str, Tensor], name: str, *, added: bool = False) -> Callable[..., None]:
    def note(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        found[name] = output - given[0] if added else output

    return note


def _slope(layer: str, width_M: NDArray[np.int64], change_M: NDArray[np.float64]) -> Slope:
    """Least squares on logarithms, with Student's interval."""
    from scipy.stats import t as student

    if not (np.isfinite(change_M).all() and (change_M > 0).all()):
        return Slope(layer=layer, value=float("nan"), interval=(float("-inf"), float("inf")))
    x_M = np.log(width_M) - np.log(width_M).mean()
    y_M = np.log(change_M)
    slope = float(x_M @ y_M / (x_M @ x_M))
    rest_M = y_M - y_M.mean() - slope * x_M
    free = len(x_M) - 2
    half = float(student.ppf(0.975, free) * np.sqrt(rest_M @ rest_M / free / (x_M @ x_M)))
    return Slope(layer=layer, value=slope, interval=(slope - half, slope + half))


def _verdict(slopes: Sequence[Slope]) -> Verdict:
    if any(_least_steepness(slope) > TOLERANCE for slope in slopes):
        return "problem"
    return "ok" if all(max(map(abs, slope.interval)) <= TOLERANCE for slope in slopes) else "cannot tell"


def _least_steepness(slope: Slope) -> float:
    """The flattest that a slope may be within its interval; 0 where the interval has both signs."""
    low, high = slope.interval
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high))
