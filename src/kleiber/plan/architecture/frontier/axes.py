"""What a frontier can be drawn over: each axis with its unit, what must be known for it, and who sets it.

One idea: an axis is a column of numbers of which less is better (of a context, more), and a line of this table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kleiber.errors import InputError, did_you_mean
from kleiber.plan.architecture.brief import Brief
from kleiber.quantity import show, show_flops


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis. `needs`: fields of the brief without which it has no numbers; `side`: what sets it: how long a shape is trained
    (`training`, and the loss), how it is served (`serving`), or what was built (`shape`)."""

    name: str
    title: str
    unit: str
    needs: tuple[str, ...] = ()
    side: str = "shape"
    larger: bool = False

    @property
    def sign(self) -> float:
        """What makes less of it better."""
        return -1.0 if self.larger else 1.0


AXES = {
    axis.name: axis
    for axis in (
        Axis(name="loss", title="loss", unit="", side="loss"),
        Axis(name="training_flops", title="training compute", unit="FLOP", side="training"),
        Axis(name="training_cost", title="training cost", unit="USD", needs=("hardware", "price"), side="training"),
        Axis(name="training_days", title="training time", unit="days", needs=("hardware", "devices"), side="training"),
        Axis(name="serving_cost", title="serving cost", unit="USD", needs=("hardware", "price"), side="serving"),
        Axis(name="tpot_ms", title="time per token", unit="ms", needs=("hardware",), side="serving"),
        Axis(name="ttft_ms", title="time to the first token", unit="ms", needs=("hardware",), side="serving"),
        Axis(name="memory_gb", title="memory of a replica", unit="GB", side="serving"),
        Axis(name="params", title="params", unit=""),
        Axis(name="context", title="context", unit="tokens", larger=True),
    )
}
REMEDIES = {
    "hardware": "name one, for instance --hardware h100; training_flops, params and memory_gb need none",
    "price": "say --price 2.5",
    "devices": "say --devices 1024",
}
WHAT = {"hardware": "the hardware", "price": "a price per device and hour", "devices": "the number of devices"}


def chosen(names: str | Sequence[str]) -> tuple[Axis, ...]:
    """Two or three different axes, from `loss,serving_cost` or a list; raises `InputError` for anything else.

    >>> [axis.title for axis in chosen("loss,tpot_ms")]
    ['loss', 'time per token']
    """
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for name in listed:
        if name not in AXES:
            raise InputError("no such axis", found=repr(name), remedy=did_you_mean(name, AXES))
        if listed.count(name) > 1:
            raise InputError(f"the axis {name} is given twice", remedy="name each axis once")
    if not 2 <= len(listed) <= 3:
        raise InputError(
            "a frontier has two or three axes", found=", ".join(listed) or "none", expected=", ".join(AXES)
        )
    return tuple(AXES[name] for name in listed)


def known(axis: Axis, wish: Brief) -> bool:
    """Whether the brief says all that the axis needs."""
    return all(getattr(wish, need) is not None for need in axis.needs)


def check(axes: Sequence[Axis], wish: Brief) -> None:
    """Raise `InputError` with what is missing for an axis."""
    for axis in axes:
        for need in axis.needs:
            if getattr(wish, need) is None:
                raise InputError(f"the axis {axis.name} needs {WHAT[need]}", remedy=REMEDIES[need])


def unit(axis: Axis, wish: Brief, loss_unit: str) -> str:
    """The unit of an axis under a brief."""
    if axis.name == "loss":
        return loss_unit
    if axis.name == "serving_cost":
        served = wish.serve_tokens.median
        return f"USD for {show(served)} tokens" if served else "USD per million tokens"
    return axis.unit


def say(axis: Axis, value: float, wish: Brief) -> str:
    """A value of the axis as people say it, with its unit; the unit of a loss goes without saying.

    >>> say(AXES["tpot_ms"], 12.345, Brief(open_ended=True))
    '12 ms per token'
    """
    said = number(axis, value)
    match axis.name:
        case "loss":
            return f"loss {said}"
        case "training_flops":
            return f"{said} FLOP"
        case "serving_cost":
            served = wish.serve_tokens.median
            return f"USD {said} for {show(served)} tokens" if served else f"{said} USD per million tokens"
        case "training_cost":
            return f"USD {said}"
        case "tpot_ms":
            return f"{said} ms per token"
        case "ttft_ms":
            return f"{said} ms to the first token"
        case "context":
            return f"a context of {said}"
        case _:
            return f"{said} {axis.unit or axis.title}"


def number(axis: Axis, value: float) -> str:
    """A value of the axis without its unit.

    >>> number(AXES["training_flops"], 1.23e24), number(AXES["loss"], 2.0)
    ('1.2e24', '2.000')
    """
    match axis.name:
        case "loss":
            return f"{value:.3f}"
        case "training_flops":
            return show_flops(value, 2)
        case "context":
            return show(value)
        case _:
            return short(value)


def short(value: float) -> str:
    """Two significant digits.

    >>> short(1234567.0), short(0.04321)
    ('1.2M', '0.043')
    """
    return show(float(f"{value:.2g}"), 2)
