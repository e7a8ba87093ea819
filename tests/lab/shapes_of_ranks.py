"""A small model of every family, with widths, heads and experts that two ranks cannot halve where the family allows it."""

from __future__ import annotations

from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape

RECIPE = Recipe(context=32, batch_windows=4, lr=0.01, warmup_tokens=256, transfer=True)
SHAPES = {
    "dense": DenseShape(width=16, depth=1, hidden=32, context=32),
    "experts-bias": DecoderShape(
        width=16, depth=2, hidden=32, context=32, experts=ExpertSetting(count=5, chosen=2, shared=1)
    ),
    "experts-loss": DecoderShape(
        width=16, depth=1, hidden=32, context=32, experts=ExpertSetting(count=4, chosen=2, balance="loss")
    ),
    "ssm": DecoderShape(width=16, depth=1, hidden=0, context=32, attention_every=0),
    "hybrid": DecoderShape(width=24, depth=2, hidden=48, context=32, attention_every=2),
}
