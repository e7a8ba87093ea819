"""One dial per family: everything about a shape but its size, then width, heads and depth from a width or a size.

The way the data takes: the `[shape]` table of a ladder -> `Dial` -> a shape at a width, or the one whose active non-embedding
params come nearest to a size. Where no depth is given it follows the width, one block for every 64 and at least `LEAST_DEPTH`
(public ladders of small models have 16 to 100 widths to a block), in whole stretches of a hybrid. The learning rate
follows by `Recipe.transfer`, which carries it over widths at one depth: over depths it is carried by the residual scale
1/sqrt(2 depth) alone, which the coordinate check does not cover.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kleiber.errors import InputError, did_you_mean
from kleiber.lab import FAMILIES
from kleiber.lab.decoder import DecoderShape, ExpertSetting, ScanSetting
from kleiber.lab.shape import HEAD_WIDTH, VOCABULARY, DenseShape

Shape = DenseShape | DecoderShape
LEAST_DEPTH, WIDTHS_PER_BLOCK = 2, 64
WIDEST = 8192

DECODER = ("depth", "mlp_ratio", "gated", "queries_per_key", "rotary_base", "head_width")
EXPERTS = ("experts", "chosen", "granularity", "shared", "balance", "gate")
SCAN = ("state", "scan_head_width", "kernel", "chunk")
KEYS: dict[str, tuple[str, ...]] = {
    "dense": DECODER,
    "experts": (*DECODER, *EXPERTS),
    "ssm": ("depth", "mlp_ratio", "gated", *SCAN),
    "hybrid": (*DECODER, "attention_every", *SCAN, *EXPERTS),
}
"""What the `[shape]` table may say for each family."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """A family with all its settings; a size makes a shape of it.

    `depth` None: by the width. `mlp_ratio` None: 3 widths, 4 in a plain dense model, no
    feed-forward in a state space. `experts` None: a hybrid without them.
    A dense model that names neither `gated` nor `queries_per_key` is the plain one (`DenseShape`): GELU, as many keys as queries.

    >>> Dial(family="ssm").at_size(100_000, context=128).width
    88
    """

    family: str = "dense"
    depth: int | None = None
    mlp_ratio: int | None = None
    gated: bool | None = None
    queries_per_key: int | None = None
    rotary_base: int | None = None
    head_width: int = HEAD_WIDTH
    attention_every: int = 4
    experts: int | None = None
    chosen: int = 2
    granularity: int = 2
    shared: int = 0
    balance: str = "bias"
    gate: str = "sigmoid"
    state: int = 16
    scan_head_width: int = 16
    kernel: int = 4
    chunk: int = 32

    @staticmethod
    def read(family: str, settings: Mapping[str, Any], *, where: str = "") -> Dial:
        """The dial that a `[shape]` table describes; raises `InputError` naming the key."""
        if family not in FAMILIES:
            raise InputError(
                "no such family of models",
                found=repr(family),
                expected=", ".join(FAMILIES),
                remedy=did_you_mean(str(family), FAMILIES),
                where=where,
            )
        kinds = {field.name: str(field.type).split(" ")[0] for field in fields(Dial)}
        for key, value in settings.items():
            if key not in KEYS[family]:
                raise InputError(
                    f"`{key}` is not known here", remedy=did_you_mean(key, KEYS[family]), where=f"{where}, [shape]"
                )
            if type(value).__name__ != kinds[key]:
                raise InputError(
                    f"`{key}` is of the wrong kind", found=repr(value), expected=kinds[key], where=f"{where}, [shape]"
                )
        return Dial(family=family, **settings)

    def at_width(self, width: int, *, context: int, vocabulary: int = VOCABULARY) -> Shape:
        """The shape of that width."""
        depth = self._depth(width)
        plain = self.family == "dense" and self.gated is None and self.queries_per_key is None
        usual = 0 if self.family == "ssm" else 4 if plain else 3
        ratio = usual if self.mlp_ratio is None else self.mlp_ratio
        if plain:
            return DenseShape(
                width=width,
                depth=depth,
                hidden=ratio * width,
                context=context,
                vocabulary=vocabulary,
                rotary_base=self.rotary_base,
                head_width=self.head_width,
            )
        return DecoderShape(
            width=width,
            depth=depth,
            hidden=ratio * width,
            context=context,
            vocabulary=vocabulary,
            rotary_base=self.rotary_base,
            head_width=self.head_width,
            attention_every={"ssm": 0, "hybrid": self.attention_every}.get(self.family, 1),
            gated=self.gated is not False,
            queries_per_key=self.queries_per_key or 1,
            experts=self._experts(),
            scan=ScanSetting(state=self.state, head_width=self.scan_head_width, kernel=self.kernel, chunk=self.chunk),
        )

    def at_size(self, params: float, *, context: int, vocabulary: int = VOCABULARY) -> Shape:
        """The shape whose active non-embedding params are nearest to `params`, by ratio."""
        step = self.head_width * (self.queries_per_key or 1)
        found = self.at_width(step, context=context, vocabulary=vocabulary)
        for width in range(2 * step, WIDEST + 1, step):
            wider = self.at_width(width, context=context, vocabulary=vocabulary)
            if _distance(wider, params) < _distance(found, params):
                found = wider
            if wider.active_params > 2 * params:
                break
        return found

    def _depth(self, width: int) -> int:
        if self.depth is not None:
            return self.depth
        depth = max(LEAST_DEPTH, width // WIDTHS_PER_BLOCK)
        return -(-depth // self.attention_every) * self.attention_every if self.family == "hybrid" else depth

    def _experts(self) -> ExpertSetting | None:
        if self.family != "experts" and self.experts is None:
            return None
        return ExpertSetting(
            count=8 if self.experts is None else self.experts,
            chosen=self.chosen,
            granularity=self.granularity,
            shared=self.shared,
            balance=self.balance,
            gate=self.gate,
        )


def _distance(shape: Shape, params: float) -> float:
    return abs(math.log(shape.active_params / params))
