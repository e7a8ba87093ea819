"""When every chunk runs: the longest path through what waits for what, in time linear in the chunks.

start(slot) = max(end of the device's slot before, end of what each of its chunks waits for + the hop between stages).
A slot of one chunk takes compute + messages, which nothing hides; a slot of two takes both computes and what `pair.py` says is
left of their messages, or at least max(0, messages - compute) where the pieces of the layers are not known.

Durations are per stage and micro-batch, so an uneven stage or a crowded expert in
one micro-batch moves everything that waits for it; `slowness_D` is a device that is slow whatever it does.

Legend: D devices, S stages along the model, M micro-batches.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.experts.pipeline.chunk import Chunk, Orders, Slot
from kleiber.experts.pipeline.pair import Pieces, exposed

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Durations:
    """Seconds of a micro-batch in a stage, each (S, 1) or (S, M).

    `forward_SM` and `backward_SM` (whole) are compute, `weight_SM` the part of the latter for the weights; `..._messages_SM`
    are the all-to-alls of a pass; `hop_seconds` from a device to the next stage's; `pieces`: the layers of each stage.
    """

    forward_SM: Array
    backward_SM: Array
    weight_SM: Array
    forward_messages_SM: Array
    backward_messages_SM: Array
    hop_seconds: float = 0.0
    slowness_D: Array = field(default_factory=lambda: np.ones(1))
    pieces: tuple[tuple[Pieces, ...], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("forward_SM", "backward_SM", "weight_SM", "forward_messages_SM", "backward_messages_SM"):
            values = getattr(self, name)
            if values.ndim != 2 or not np.isfinite(values).all() or (values < 0).any():
                raise InputError("durations are seconds, none negative", where=name, found=f"shape {values.shape}")
        if (self.weight_SM > self.backward_SM * (1 + 1e-12)).any():
            raise InputError("the weights' part of a backward pass exceeds the whole", where="weight_SM")


def even(
    stages: int, forward: float, backward: float, weight: float = 0.0, messages: tuple[float, float] = (0.0, 0.0)
) -> Durations:
    """The same seconds for every stage and micro-batch; `messages` of a forward and of a backward pass."""

    def column(value: float) -> Array:
        return np.full((stages, 1), float(value))

    return Durations(
        forward_SM=column(forward),
        backward_SM=column(backward),
        weight_SM=column(weight),
        forward_messages_SM=column(messages[0]),
        backward_messages_SM=column(messages[1]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """Every slot with its start and end in seconds, device by device.

    `exposed_D`: seconds of messages that a device waits for; `busy_D`: seconds in slots, those included; `peak_D`: most
    micro-batches x stages whose activations a device keeps at once (until W, where B is split).
    """

    orders: Orders
    starts: tuple[Array, ...]
    ends: tuple[Array, ...]
    busy_D: Array
    exposed_D: Array
    peak_D: NDArray[np.int64]

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return float(max(ends[-1] for ends in self.ends))

    @property
    def idle(self) -> Array:
        """Seconds that each device stands idle, (D,)."""
        return np.maximum(0.0, self.seconds - self.busy_D)

    @property
    def bubble_fraction(self) -> float:
        """The mean device's idle part of the whole."""
        return float(self.idle.mean() / self.seconds)


def timeline(orders: Orders, durations: Durations) -> Timeline:
    """Run `orders` with `durations`; raises `InputError` where chunks wait for each other for ever.

    >>> from kleiber.experts.pipeline import find_pipeline
    >>> found = timeline(find_pipeline("1f1b").orders(8, 16), even(8, 1.0, 2.0))
    >>> found.seconds, float(found.idle[0])
    (69.0, 21.0)
    """
    clock = _Clock(orders, durations)
    took = [np.array([clock.spent(device, slot) for slot in slots]) for device, slots in enumerate(orders)]
    starts = clock.run([values[:, 0] for values in took])
    return Timeline(
        orders=orders,
        starts=tuple(starts),
        ends=tuple(begun + values[:, 0] for begun, values in zip(starts, took, strict=True)),
        busy_D=np.array([values[:, 0].sum() for values in took]),
        exposed_D=np.array([values[:, 1].sum() for values in took]),
        peak_D=np.array([peak(slots) for slots in orders]),
    )


def waits_for(chunk: Chunk, stages: int) -> tuple[tuple[str, int, int], bool] | None:
    """What a chunk waits for (B for B or I), and whether that is on another stage; None: nothing.

    >>> waits_for(Chunk("B", 3, 0), 4), waits_for(Chunk("I", 2, 0), 4), waits_for(Chunk("F", 0, 5), 4)
    ((('F', 3, 0), False), (('B', 3, 0), True), None)
    """
    kind, stage, batch = chunk
    if kind == "F":
        return (("F", stage - 1, batch), True) if stage else None
    if kind == "W":
        return ("B", stage, batch), False
    return (("B", stage + 1, batch), True) if stage + 1 < stages else (("F", stage, batch), False)


class _Clock:
    """One pass over all slots: a device goes on until it must wait, and is woken by what it waited for."""

    def __init__(self, orders: Orders, durations: Durations) -> None:
        self.orders, self.hop = orders, durations.hop_seconds
        self.stages = durations.forward_SM.shape[0]
        batches = 1 + max(chunk.batch for slots in orders for slot in slots for chunk in slot)
        full = (self.stages, batches)
        f, b, w, mf, mb = (
            np.broadcast_to(values, full).tolist()
            for values in (
                durations.forward_SM,
                durations.backward_SM,
                durations.weight_SM,
                durations.forward_messages_SM,
                durations.backward_messages_SM,
            )
        )
        self.compute = {"F": f, "B": b, "W": w}
        self.messages = {"F": mf, "B": mb, "I": mb}
        self.slow = np.broadcast_to(durations.slowness_D, len(orders)).tolist()
        self.pieces = durations.pieces
        self.known: dict[tuple[int, int, float], float] = {}

    def spent(self, device: int, slot: Slot) -> tuple[float, float]:
        """Seconds of a slot, and those of them that are messages which nothing hides."""
        compute = messages = 0.0
        for kind, stage, batch in slot:
            if kind == "I":
                compute += self.compute["B"][stage][batch] - self.compute["W"][stage][batch]
            else:
                compute += self.compute[kind][stage][batch]
            if kind != "W":
                messages += self.messages[kind][stage][batch]
        compute *= self.slow[device]
        left = messages if len(slot) == 1 else max(0.0, messages - compute, self._beside(slot, self.slow[device]))
        return compute + left, left

    def _beside(self, slot: Slot, slowness: float) -> float:
        """What the pieces of two chunks leave of their messages; 0 where these are not known."""
        stage = {chunk.kind: chunk.stage for chunk in slot}
        if self.pieces is None or stage.keys() != {"F", "B"}:
            return 0.0
        key = stage["F"], stage["B"], slowness
        if key not in self.known:
            self.known[key] = exposed(self.pieces[key[0]], self.pieces[key[1]], slowness)
        return self.known[key]

    def run(self, seconds: list[Array]) -> list[Array]:
        """The starts of all slots."""
        lengths = [values.tolist() for values in seconds]
        starts: list[list[float]] = [[] for _ in self.orders]
        now = [0.0] * len(self.orders)
        done: dict[tuple[str, int, int], float] = {}
        waiting: dict[tuple[str, int, int], list[int]] = {}
        ready = deque(range(len(self.orders)))
        while ready:
            device = ready.popleft()
            slots = self.orders[device]
            while len(starts[device]) < len(slots):
                slot = slots[len(starts[device])]
                begin = self._begin(slot, now[device], done)
                if isinstance(begin, tuple):
                    waiting.setdefault(begin, []).append(device)
                    break
                starts[device].append(begin)
                now[device] = end = begin + lengths[device][len(starts[device]) - 1]
                for kind, stage, batch in slot:
                    name = ("B" if kind == "I" else kind, stage, batch)
                    done[name] = end
                    ready.extend(waiting.pop(name, ()))
        stuck = [place for place, slots in enumerate(self.orders) if len(starts[place]) < len(slots)]
        if stuck:
            raise InputError("the order of the chunks waits for itself", where=f"device {stuck[0]}")
        return [np.array(row) for row in starts]

    def _begin(self, slot: Slot, free: float, done: dict[tuple[str, int, int], float]) -> float | tuple[str, int, int]:
        """When a slot can begin, or what it still waits for."""
        begin = free
        for chunk in slot:
            before = waits_for(chunk, self.stages)
            if before is None:
                continue
            name, elsewhere = before
            if name not in done:
                return name
            begin = max(begin, done[name] + (self.hop if elsewhere else 0.0))
        return begin


def peak(slots: tuple[Slot, ...]) -> int:
    """Most micro-batches x stages that a device keeps at once: from F until B, or until W where B is split.

    >>> from kleiber.experts.pipeline import find_pipeline
    >>> [peak(slots) for slots in find_pipeline("1f1b").orders(4, 8)]
    [4, 3, 2, 1]
    """
    kept = most = 0
    for slot in slots:
        kept += sum(chunk.kind == "F" for chunk in slot)
        most = max(most, kept)
        kept -= sum(chunk.kind in ("B", "W") for chunk in slot)
    return most
