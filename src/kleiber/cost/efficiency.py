"""What part of a device's speed training reaches: seven numbers, the same for every model, layout and device.

One idea: a step is matrix products at a part of the device's best measured one, attention at another part, the tensors of each
layer passed through memory a few times over (norms, activations, residuals: this is what makes small widths slow), and
messages at a part of the wire's speed. Nothing is tuned to a row of the validation.

Calibration (docs/cost.md has the table): `matmul`, `traffic` and `link` by least squares on nine of 18 published iteration
times of Megatron on A100s (arXiv 2104.04473, table 1; arXiv 2205.05198, table 5); `attention` on one row and `hidden` on
another of Megatron Bridge on H100s. `network` is DeepEP's slowest all-to-all between nodes, 43 of 50 GB/s (its README);
`latency` is that of calculon's systems/a100_80g.json.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from kleiber.cost.checks import one_of, whole
from kleiber.errors import InputError

OVERLAPS = ("tensor", "context", "expert", "pipeline", "data")


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """Parts of what the hardware could do.

    `matmul`: of the best measured matrix product; `attention`: the same for fused attention; `traffic`: times that the
    tensors of a layer kept for the backward pass go through memory in a forward pass (twice that in a backward pass);
    `link`, `network`: of the wire's bytes per second; `hidden`: of tensor-parallel messages, where they are overlapped;
    `latency`: seconds of a message, however short, for each doubling of the ranks.
    """

    matmul: float = 0.90
    attention: float = 0.48
    traffic: float = 2.9
    link: float = 0.67
    network: float = 0.86
    hidden: float = 0.7
    latency: float = 1e-5

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not (value > 0 or (value == 0 and entry.name == "latency")) or (value > 1 and entry.name != "traffic"):
                raise InputError(
                    f"the efficiency {entry.name} is a part", found=repr(value), expected="above 0, at most 1"
                )


CALIBRATED = Efficiency()
"""The numbers of the validation."""


@dataclass(frozen=True, kw_only=True)
class Practice:
    """How a layout is run.

    `precision` of the blocks' matrix products (attention scores, head and messages stay in bf16, dispatched tokens do not);
    `overlap`: which messages run behind compute; `reserved`: the part of the device given to messages (DeepSeek-V3: 20 of 132
    processors); `node_limit`: nodes that a token's experts may lie on (None: any).

    >>> Practice().overlap
    ('context', 'pipeline', 'data')
    """

    precision: str = "bf16"
    overlap: tuple[str, ...] = ("context", "pipeline", "data")
    reserved: float = 0.0
    node_limit: int | None = None
    efficiency: Efficiency = CALIBRATED

    def __post_init__(self) -> None:
        for name in self.overlap:
            one_of("training", "message to overlap", name, OVERLAPS)
        if not 0 <= self.reserved < 1:
            raise InputError("reserved is a part of the device", found=repr(self.reserved), expected="0 to 1")
        if self.node_limit is not None:
            whole("training", "node_limit", self.node_limit)

    def to_json(self) -> dict[str, Any]:
        """The practice as data."""
        return asdict(self) | {"overlap": list(self.overlap)}
