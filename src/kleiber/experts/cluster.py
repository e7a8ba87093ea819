"""The cluster that experts are placed on: devices in nodes, slots on devices, speeds, memory, links, what is lost.

The way the data takes: a TOML file -> `Cluster`, one tuple per property with an entry per device. The smallest file is

    nodes = 4
    devices_per_node = 8
    slots_per_device = 9

One idea: a device is what it can hold and how fast it is; everything else (nodes, lost devices, memory) only changes these
two. A lost device holds nothing, and memory takes away the slots that do not fit.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, did_you_mean

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEEDED = ("nodes", "devices_per_node", "slots_per_device")
BANDWIDTHS = ("link_gb_per_s", "network_gb_per_s")
KEYS = (*NEEDED, "speed", "memory_gb", "expert_gb", "lost", *BANDWIDTHS)
"""What a cluster file may say. `speed`, `memory_gb` and `slots_per_device` are one number, or a list with one per device."""
MOST_DEVICES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Devices in nodes (G devices, numbered node by node).

    `slots`: experts that each device may hold; `speed`: its speed over that of the others; `memory_bytes`: what it has for
    experts (None: never short); `expert_bytes`: what one expert takes there, and what moving it sends; `link_bytes_per_second`
    inside a node and `network_bytes_per_second` between nodes, of one device; `lost`: devices that have failed.

    >>> small = Cluster(nodes=2, devices_per_node=4, slots=(9,) * 8, lost=(3,))
    >>> small.slots_G
    array([9, 9, 9, 0, 9, 9, 9, 9])
    >>> small.node_G
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """

    nodes: int
    devices_per_node: int
    slots: tuple[int, ...]
    speed: tuple[float, ...] = ()
    memory_bytes: tuple[float, ...] | None = None
    expert_bytes: float | None = None
    link_bytes_per_second: float | None = None
    network_bytes_per_second: float | None = None
    lost: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.slots) == self.devices
        assert len(self.speed) in (0, self.devices)
        if self.slots_G.sum() == 0:
            raise InputError(
                "the cluster has no capacity: no device has a slot left",
                found=f"{len(self.lost)} of {self.devices} devices lost, {sum(self.slots)} slots before memory",
                expected="at least one slot on a device that is not lost",
            )

    @staticmethod
    def of(nodes: int, devices_per_node: int, slots_per_device: int) -> Cluster:
        """Equal devices.

        >>> Cluster.of(4, 8, 9).devices
        32
        """
        return Cluster(
            nodes=nodes, devices_per_node=devices_per_node, slots=(slots_per_device,) * nodes * devices_per_node
        )

    @property
    def devices(self) -> int:
        """G, lost ones included: the numbers of devices never change."""
        return self.nodes * self.devices_per_node

    @property
    def node_G(self) -> Ints:
        """The node of each device."""
        return np.repeat(np.arange(self.nodes), self.devices_per_node)

    @property
    def alive_G(self) -> NDArray[np.bool_]:
        """Which devices are not lost."""
        alive_G = np.ones(self.devices, dtype=bool)
        alive_G[list(self.lost)] = False
        return alive_G

    @property
    def slots_G(self) -> Ints:
        """Experts that each device can hold: its slots, none where it is lost, fewer where memory is short."""
        slots_G = np.where(self.alive_G, np.array(self.slots, dtype=np.int64), 0)
        if self.memory_bytes is not None and self.expert_bytes is not None:
            slots_G = np.minimum(slots_G, np.floor(np.array(self.memory_bytes) / self.expert_bytes).astype(np.int64))
        return slots_G

    @property
    def speed_G(self) -> Floats:
        """The speed of each device; 0 where it can hold nothing."""
        speed_G = np.array(self.speed or (1.0,) * self.devices)
        return np.where(self.slots_G > 0, speed_G, 0.0)

    @property
    def device_N(self) -> Ints:
        """The device of each slot (N slots, numbered device by device)."""
        return np.repeat(np.arange(self.devices), self.slots_G)

    def without(self, *devices: int) -> Cluster:
        """The same cluster once these devices have failed. Raises `InputError` where nothing is left.

        >>> Cluster.of(1, 2, 4).without(0).slots_G
        array([0, 4])
        """
        _check_lost(devices, self.devices, "the cluster")
        return replace(self, lost=tuple(sorted({*self.lost, *devices})))

    def to_json(self) -> dict[str, Any]:
        """The cluster as data."""
        return {
            "nodes": self.nodes,
            "devices_per_node": self.devices_per_node,
            "slots": int(self.slots_G.sum()),
            "lost": list(self.lost),
        }


def read_cluster(path: str | Path) -> Cluster:
    """The cluster of a TOML file; raises `InputError` naming file and field.

    Needed: `nodes`, `devices_per_node`, `slots_per_device`. Besides: `speed`, `memory_gb` and `expert_gb` (together), `lost`
    (device numbers from 0), `link_gb_per_s` (in a node, per device), `network_gb_per_s` (between nodes, per device); 1 GB = 1e9
    bytes.
    """
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("this is not TOML", found=str(error), where=str(path)) from None
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from None
    return cluster_of(data, where=str(path))


def cluster_of(data: Mapping[str, Any], *, where: str) -> Cluster:
    """The cluster that a table describes."""
    for name in data:
        if name not in KEYS:
            raise InputError(f"no such field {name!r}", remedy=did_you_mean(name, KEYS), where=where)
    for name in NEEDED:
        if name not in data:
            raise InputError(f"the field {name} is missing", expected=", ".join(NEEDED), where=where)
    nodes, per_node = (_whole(data[name], name, where) for name in NEEDED[:2])
    if nodes * per_node > MOST_DEVICES:
        raise InputError("too many devices", found=nodes * per_node, expected=f"at most {MOST_DEVICES}", where=where)
    return _cluster(data, nodes, per_node, where)


def _cluster(data: Mapping[str, Any], nodes: int, per_node: int, where: str) -> Cluster:
    devices = nodes * per_node
    slots = _each(data["slots_per_device"], devices, "slots_per_device", where)
    lost = data.get("lost", [])
    if not isinstance(lost, list):
        raise InputError("lost must be a list of device numbers", found=repr(lost), where=where)
    _check_lost(lost, devices, where)
    if "memory_gb" in data and "expert_gb" not in data:
        raise InputError("memory_gb says nothing without expert_gb, what an expert takes", where=where)
    bandwidth = {name: _positive(data[name], name, where) * 1e9 for name in (*BANDWIDTHS, "expert_gb") if name in data}
    memory = _each(data["memory_gb"], devices, "memory_gb", where) if "memory_gb" in data else None
    try:
        return Cluster(
            nodes=nodes,
            devices_per_node=per_node,
            slots=tuple(_whole(slot, "slots_per_device", where, at_least=0) for slot in slots),
            speed=()
            if "speed" not in data
            else tuple(
                _positive(value, "speed", where) for value in _each(data.get("speed", 1.0), devices, "speed", where)
            ),
            memory_bytes=None
            if memory is None
            else tuple(_positive(each, "memory_gb", where) * 1e9 for each in memory),
            expert_bytes=bandwidth.get("expert_gb"),
            link_bytes_per_second=bandwidth.get("link_gb_per_s"),
            network_bytes_per_second=bandwidth.get("network_gb_per_s"),
            lost=tuple(sorted(set(lost))),
        )
    except InputError as error:
        raise InputError(
            error.message, found=error.found, expected=error.expected, where=error.where or where
        ) from None


def _each(value: object, devices: int, name: str, where: str) -> list[Any]:
    """One entry per device, from a number for all or a list."""
    if not isinstance(value, list):
        return [value] * devices
    if len(value) != devices:
        raise InputError(f"{name} lists the wrong number of devices", found=len(value), expected=devices, where=where)
    return value


def _check_lost(lost: Sequence[object], devices: int, where: str) -> None:
    for device in lost:
        if isinstance(device, bool) or not isinstance(device, int) or not 0 <= device < devices:
            raise InputError(
                "lost names no device of this cluster", found=repr(device), expected=f"0 to {devices - 1}", where=where
            )


def _whole(value: object, name: str, where: str, at_least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= MOST_DEVICES:
        raise InputError(
            f"{name} must be a whole number", found=repr(value), expected=f"{at_least} to {MOST_DEVICES}", where=where
        )
    return value


def _positive(value: object, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InputError(f"{name} must be a positive number", found=repr(value), where=where)
    return float(value)
