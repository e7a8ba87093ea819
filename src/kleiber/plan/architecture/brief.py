"""Brief: what is asked of a plan for the whole life of a model, training and serving.

One idea: a brief only holds what was asked, checked and with its units; which shapes can answer it is for `supply` and
`limits` to say. What nobody asked for costs nothing and limits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kleiber.cost import FAMILIES, Hardware, bytes_of, find_hardware
from kleiber.errors import InputError, did_you_mean
from kleiber.plan.architecture.spread import Spread
from kleiber.plan.architecture.supply import Supply
from kleiber.quantity import read

OBJECTIVES = {"loss": "nats", "money": "USD", "time": "days", "energy": "kWh"}
NUMBERS = (
    "flops", "loss_target", "max_memory_gb", "max_ttft_ms", "max_tpot_ms", "max_cost", "deadline_days",
    "max_gpu_hours",
)  # fmt: skip
PARTS = ("output_share", "training_efficiency", "prefill_efficiency", "bandwidth_efficiency")
USUAL_CONTEXT, USUAL_TRAIN_CONTEXT = 4096, 8192
USUAL_VOCABULARY, BYTES = 128_256, 256
NOTHING = Spread(low=0.0, high=0.0)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """An objective under limits, and the demand.

    `objective`: `loss` (the least that the limits allow), or `money` (USD), `time` (days of training) or `energy` (kWh) to
    reach `loss_target`. `flops`: training and serving together, as counted for the shape; `max_cost`: USD for both, at `price`
    per device and hour; `deadline_days`, `max_gpu_hours`: of training, on `devices`. `serve_tokens`: read and written over the
    model's life, of which `output_share` are written; sequences grow to `context` tokens, so they are half as long on average,
    while memory and latency are taken at the full length. `max_memory_gb`: per serving device; `max_ttft_ms`: until the first
    token after a prompt of `context`; `max_tpot_ms`: per token written. `unique_tokens`: how many there are before data
    repeats, or tiers of them with what they are worth, 200B:1,2T:0.6. `prices` and `serve_tokens` may be ranges, 1T..4T.

    `precisions`: those that weights, cache and arithmetic may be served in, trained weights being rounded to them; `precision` is
    the one of them that costs are counted in. Training is at bf16 wherever the device has it.

    The three efficiencies are the parts of peak that training, prefill and memory reach; `family_efficiency` is that of training
    where the layout of a family on `devices` was worked out.

    `open_ended`: training may go without a bound, as along a frontier.
    """

    objective: str = "loss"
    families: tuple[str, ...] = FAMILIES
    flops: float | None = None
    loss_target: float | None = None
    serve_tokens: Spread = NOTHING
    output_share: float = 0.25
    context: int = USUAL_CONTEXT
    train_context: int = USUAL_TRAIN_CONTEXT
    hardware: Hardware | None = None
    devices: int | None = None
    price: Spread | None = None
    max_memory_gb: float | None = None
    max_ttft_ms: float | None = None
    max_tpot_ms: float | None = None
    max_cost: float | None = None
    max_gpu_hours: float | None = None
    deadline_days: float | None = None
    unique_tokens: Supply | None = None
    vocabulary: int = USUAL_VOCABULARY
    precisions: tuple[str, ...] = ("bf16",)
    precision: str = "bf16"
    training_efficiency: float = 0.4
    prefill_efficiency: float = 0.5
    bandwidth_efficiency: float = 0.7
    family_efficiency: Mapping[str, float] = field(default_factory=dict)
    open_ended: bool = False
    at: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(
                "unknown objective", found=repr(self.objective), remedy=did_you_mean(self.objective, OBJECTIVES)
            )
        for name in PARTS:
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} is a part of a whole", found=getattr(self, name), expected="above 0, up to 1")
        for name in (*self.precisions, self.precision):
            bytes_of(name)
        self._complete()

    def _complete(self) -> None:
        """What a limit needs beside itself."""
        if self.hardware is None:
            needy = [name for name in ("max_ttft_ms", "max_tpot_ms", "max_cost", "deadline_days", "max_gpu_hours")
                     if getattr(self, name) is not None]  # fmt: skip
            if needy or self.objective != "loss":
                raise InputError(
                    f"{needy[0] if needy else 'this objective'} needs to know the hardware",
                    remedy="name one, for instance --hardware h100",
                )
        if self.deadline_days is not None and self.devices is None:
            raise InputError("a deadline needs the number of devices", remedy="say --devices 1024")
        if (self.max_cost is not None or self.objective == "money") and self.price is None:
            raise InputError(f"no price is known for {self.hardware and self.hardware.name}", remedy="say --price 2.5")
        if self.objective == "time" and self.devices is None:
            raise InputError("the least time needs the number of devices", remedy="say --devices 1024")
        if self.objective == "energy" and self.hardware is not None and not self.hardware.power:
            raise InputError(
                f"the power of {self.hardware.name} is not known",
                remedy="state it in a file of your own: --hardware-file",
            )
        if self.objective != "loss" and self.loss_target is None:
            raise InputError(f"the least {self.objective} needs a loss to reach", remedy="say --loss-target 2.0")
        if self.objective == "loss" and not self.open_ended and not self.bounded:
            raise InputError(
                "nothing bounds the training run",
                remedy="give a budget: --flops, --max-cost, --max-gpu-hours, or --deadline-days with --devices",
            )

    def served_in(self, precision: str) -> Brief:
        """The same brief with one precision of serving."""
        return replace(self, precision=precision)

    @property
    def training_peak(self) -> float:
        """Peak of a device in training, FLOP/s: at bf16, or at fp32 where it has no bf16."""
        assert self.hardware is not None
        return self.hardware.peak("bf16" if "bf16" in self.hardware.flops else "fp32")

    @property
    def serving_peak(self) -> float:
        """Peak of a device in serving, FLOP/s: where it has none at `precision`, weights are unpacked to what it trains in."""
        assert self.hardware is not None
        return self.hardware.flops.get(self.precision, self.training_peak)

    def mfu(self, family: str) -> float:
        """The part of peak that training reaches: of the family where it was worked out, else as assumed."""
        return self.family_efficiency.get(family, self.training_efficiency)

    @property
    def bounded(self) -> bool:
        """Whether anything bounds the training run."""
        return any((self.flops, self.max_cost, self.deadline_days, self.max_gpu_hours))

    @property
    def mean_context(self) -> int:
        """The length of a sequence on average while it grows to `context`."""
        return max(1, self.context // 2)

    @property
    def price_now(self) -> float | None:
        """USD per device and hour, at its median."""
        return None if self.price is None else self.price.median

    def to_json(self) -> dict[str, Any]:
        """The brief as data, without what was not asked."""
        found: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Spread):
                value = value.low if value.certain else [value.low, value.high]
            if isinstance(value, Supply):
                value = [{"unique_tokens": tier.unique_tokens, "worth": tier.worth} for tier in value.tiers]
            if isinstance(value, Hardware):
                value = value.name
            if value is not None and entry.name != "open_ended":
                found[entry.name] = dict(value) if isinstance(value, Mapping) else value
        return found | {"families": list(self.families)}


def brief(**asked: Any) -> Brief:
    """A `Brief` from what people write: quantities as text, hardware by name, families as a list or as `dense,ssm`.

    Raises `InputError` naming what is unknown or not positive.

    >>> brief(flops="1e24", serve_tokens="2T", context="128k", hardware="h200").hardware.name
    'h200'
    """
    given = {name: value for name, value in asked.items() if value is not None}
    unknown = [name for name in given if name not in {entry.name for entry in fields(Brief)}]
    if unknown:
        names = [entry.name for entry in fields(Brief)]
        raise InputError(f"a plan knows no {unknown[0]!r}", remedy=did_you_mean(unknown[0], names))
    for name in NUMBERS:
        if name in given:
            given[name] = positive(given[name], name)
    for name in ("context", "train_context", "devices", "vocabulary"):
        if name in given:
            given[name] = whole(given[name], name)
    for name, zero in (("serve_tokens", True), ("price", False)):
        if name in given:
            given[name] = Spread.of(given[name], name, zero=zero)
    if isinstance(given.get("hardware"), str):
        given["hardware"] = find_hardware(given["hardware"])
    if "unique_tokens" in given:
        given["unique_tokens"] = Supply.of(given["unique_tokens"])
    device = given.get("hardware")
    if device is not None and device.price is not None:
        given.setdefault("price", Spread(low=device.price, high=device.price))
    if "precision" in given:
        named = given.pop("precision")
        names = [name.strip() for name in named.split(",")] if isinstance(named, str) else list(named)
        given["precisions"], given["precision"] = tuple(dict.fromkeys(names)), names[0]
    if "families" in given:
        given["families"] = families_of(given["families"])
    if "context" in given:
        given.setdefault("train_context", min(given["context"], USUAL_TRAIN_CONTEXT))
    return Brief(**given)


def families_of(value: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Families without repeats; `all` for every one."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else list(value)
    names = list(FAMILIES) if names == ["all"] else names
    for name in names:
        if name not in FAMILIES:
            raise InputError("no such family", found=repr(name), remedy=did_you_mean(name, FAMILIES))
    return tuple(dict.fromkeys(names))


def positive(value: float | str, name: str) -> float:
    """`value` as a number; raises `InputError` naming it where it is not positive and finite."""
    spread = Spread.of(value, name)
    if not spread.certain:
        raise InputError(
            f"{name} must be one number", found=value, expected="ranges are for --serve-tokens and --price"
        )
    return spread.low


def whole(value: float | str, name: str) -> int:
    """`value` as a whole number; raises `InputError` naming it where it is none."""
    number = read(value)
    if not number >= 1 or number != int(number):
        raise InputError(f"{name} must be a whole number", found=value, expected="at least 1")
    return int(number)
