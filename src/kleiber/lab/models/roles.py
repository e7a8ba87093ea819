"""What part a tensor plays, and by it where it starts and how fast it learns: the rule that carries a learning rate over widths.

With Adam, a map of fan-in n whose every entry moves by r changes its output by about n r, so its rate must fall as 1/n; what a
byte or a channel owns by itself must not (Yang et al. 2022, "Tensor Programs V", arXiv:2203.03466, table 3).

| role | tensors | starts with std | rate, with `transfer` | decay |
|---|---|---|---|---|
| map | attention, feed-forward, experts, in and out of Mamba-2 | 1/sqrt(fan-in) | lr 32/width | yes |
| head | logits | 0 | lr 32/width | yes |
| router | experts' logits | 1/sqrt(fan-in) | lr 32/width | yes |
| table | byte embedding | 1 | lr | yes |
| vector | Mamba-2's A (as log), D, step bias (dt), convolution, gain | not by width | lr | no |

Maps that write to the stream start smaller, by the square root of how many there are. A router starts like a map, not like the
head: at zero all tokens would go to the same experts, and in the coordinate check (widths 32 to 512, 16 steps) logits that
start at 1/width move as width^-0.20 (-0.29 to -0.12), because what first values add to the change fades, while from
1/sqrt(width) they move as width^0.00 (-0.12 to +0.12).

The rows of Mamba-2's map in that make B, C and dt are maps like the others; state size and head widths do not grow with
width, so that attention's scale and C.B need no further factor. Weight decay is divided by a role's rate, which leaves a step's
share of a weight the same at every width.
"""

from __future__ import annotations

import math
from typing import Literal

from kleiber.lab.recipe import BASE_WIDTH, Recipe

Role = Literal["map", "head", "router", "table", "vector"]
WRITERS = ("out.weight", "down.weight", "down_EHW")


def role(name: str, dimensions: int) -> Role:
    """The part that the tensor called `name` plays.

    >>> role("blocks.0.mixer.kernel_XK", 2), role("blocks.0.mixer.into.weight", 2)
    ('vector', 'map')
    """
    if name in ("embedding.weight", "head.weight"):
        return "table" if name.startswith("embedding") else "head"
    if dimensions < 2 or "kernel" in name:
        return "vector"
    return "router" if name.endswith("router.weight") else "map"


def first_std(name: str, shape: tuple[int, ...], *, writes: int) -> float | None:
    """Standard deviation of a tensor's first values; None where its part sets them; `writes`: parts that write to the stream."""
    part = role(name, len(shape))
    if part == "vector":
        return None
    if part == "table":
        return 1.0
    # The fan-in of a map (out, in) and of a stack of maps (experts, in, out) alike.
    return 1 / math.sqrt(shape[1] * (writes if name.endswith(WRITERS) else 1))


def rate_and_decay(part: Role, recipe: Recipe, width: int) -> tuple[float, float]:
    """A role's learning rate over `recipe.peak_lr(width)`, and its weight decay.

    >>> rate_and_decay("table", Recipe(transfer=True), 64), rate_and_decay("map", Recipe(transfer=True), 64)
    ((2.0, 0.01), (1.0, 0.02))
    """
    wider = width / BASE_WIDTH if recipe.transfer else 1.0
    if part == "vector":
        return wider, 0.0
    return (wider, recipe.weight_decay) if part == "table" else (1.0, recipe.weight_decay * wider)
