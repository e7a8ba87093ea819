"""Devices to train and serve on: the rows of `hardware.toml` and of a user's own file.

One idea: every row says where its numbers come from, when, and whether they were read there. Peaks are dense: the printed
figure of most data sheets is twice that, with a structured sparsity that training does not have.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kleiber.errors import InputError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One device.

    `flops`: dense peak in FLOP/s by precision; `memory`: bytes; `bandwidth`: of the memory, bytes/s; `link`: to its
    neighbours, bytes/s both ways together (0: not known); `node`: devices that the
    link joins; `network`: bytes/s per device between nodes, one way (0: not known); `matmul`: FLOP/s of the best measured
    matrix product by precision; `power`: watts (0: not known); `price`: USD per hour (None: none
    that could be sourced), with `price_source`; `verified`: whether the numbers were read in the source named.

    >>> find_hardware("h100").ridge("bf16")
    295.2238805970149
    """

    name: str
    title: str
    flops: Mapping[str, float]
    memory: float
    bandwidth: float
    link: float
    power: float
    source: str
    date: str
    verified: bool
    price: float | None = None
    price_source: str = ""
    aliases: tuple[str, ...] = ()
    note: str = ""
    node: int = 8
    network: float = 0.0
    network_source: str = ""
    matmul: Mapping[str, float] = field(default_factory=dict)
    matmul_source: str = ""

    def peak(self, precision: str) -> float:
        """Dense peak at `precision` in FLOP/s; raises `InputError` where the row has none."""
        if precision not in self.flops:
            raise InputError(
                f"{self.name} has no peak for this precision", found=repr(precision), expected=", ".join(self.flops)
            )
        return self.flops[precision]

    def sustained(self, precision: str) -> float:
        """FLOP/s of the best matrix product at `precision`: as measured, or `UNMEASURED` of the peak.

        >>> find_hardware("a100").sustained("bf16")
        271200000000000.0
        """
        peak = self.peak(precision)
        return self.matmul.get(precision, UNMEASURED * peak)

    def ridge(self, precision: str) -> float:
        """FLOP per byte from which on arithmetic limits and memory does not."""
        return self.peak(precision) / self.bandwidth

    def to_json(self) -> dict[str, Any]:
        """The row as data."""
        found = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return found | {"flops": dict(self.flops), "matmul": dict(self.matmul), "aliases": list(self.aliases)}


UNMEASURED = 0.75
"""Part of the peak taken for the best matrix product where nobody's measurement was read (read ones: 0.51 to 0.87)."""
NUMBERS = (
    "memory_gb",
    "bandwidth_gb_per_s",
    "link_gb_per_s",
    "power_w",
    "price_usd_per_hour",
    "node_devices",
    "network_gb_per_s",
)
WORDS = ("name", "title", "source", "date", "price_source", "note", "network_source", "matmul_source")
NEEDED = ("name", "flops_t", "memory_gb", "bandwidth_gb_per_s")


@functools.cache
def hardware() -> tuple[Hardware, ...]:
    """The devices of `hardware.toml`, in its order.

    >>> [found.name for found in hardware()][:3]
    ['a100', 'h100', 'h200']
    """
    text = resources.files("kleiber.cost").joinpath("hardware.toml").read_text(encoding="utf-8")
    return _rows(tomllib.loads(text), "hardware.toml")


def read_hardware(path: str | Path) -> tuple[Hardware, ...]:
    """The devices of a file of one's own, written as `hardware.toml` is; raises `InputError` naming device and field.

    `name`, `flops_t` (table of TFLOP/s by precision), `memory_gb` and `bandwidth_gb_per_s` are needed.
    """
    try:
        return _rows(tomllib.loads(Path(path).read_text(encoding="utf-8")), str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("this is not TOML", found=str(error), where=str(path)) from None
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from None


def find_hardware(name: str, more: tuple[Hardware, ...] = ()) -> Hardware:
    """The device called `name`, those of `more` first; raises `InputError` with a suggestion.

    >>> find_hardware("trillium").name
    'tpu-v6e'
    """
    wanted = name.strip().lower()
    for row in (*more, *hardware()):
        if wanted in (row.name.lower(), *row.aliases):
            return row
    known = [row.name for row in (*more, *hardware())]
    raise InputError("no such hardware", found=repr(name), remedy=did_you_mean(wanted, known))


def _rows(data: Mapping[str, Any], where: str) -> tuple[Hardware, ...]:
    entries = data.get("hardware")
    if not isinstance(entries, list) or not entries:
        raise InputError("there is no device in the file", expected="[[hardware]] tables", where=where)
    return tuple(_row(entry, where) for entry in entries)


def _row(entry: Mapping[str, Any], where: str) -> Hardware:
    if not isinstance(entry, Mapping):
        raise InputError("a device is a table of fields", found=repr(entry), where=where)
    where = f"{where}, {entry.get('name', 'a device without a name')}"
    peaks, matmul = _checked(entry, where)

    def number(field: str, unit: float = 1.0) -> float:
        return _positive(entry[field], field, where) * unit if field in entry else 0.0

    def word(field: str) -> str:
        return str(entry.get(field, ""))

    return Hardware(
        name=word("name"),
        title=word("title") or word("name"),
        flops=peaks,
        memory=number("memory_gb", 1e9),
        bandwidth=number("bandwidth_gb_per_s", 1e9),
        link=number("link_gb_per_s", 1e9),
        power=number("power_w"),
        source=word("source"),
        date=word("date"),
        verified=entry.get("verified") is True,
        price=number("price_usd_per_hour") or None,
        price_source=word("price_source"),
        aliases=tuple(str(alias).lower() for alias in entry.get("aliases", [])),
        note=word("note"),
        node=int(number("node_devices")) or 8,
        network=number("network_gb_per_s", 1e9),
        network_source=word("network_source"),
        matmul=matmul,
        matmul_source=word("matmul_source"),
    )


def _checked(entry: Mapping[str, Any], where: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Peaks and best products of a row whose fields are known, complete and consistent."""
    known = (*WORDS, *NUMBERS, "flops_t", "matmul_t", "aliases", "verified")
    for name in entry:
        if name not in known:
            raise InputError(f"no such field {name!r}", remedy=did_you_mean(name, known), where=where)
    for name in NEEDED:
        if name not in entry:
            raise InputError(f"the field {name} is missing", where=where)
    peaks = _by_precision(entry["flops_t"], "flops_t", where)
    matmul = _by_precision(entry["matmul_t"], "matmul_t", where) if "matmul_t" in entry else {}
    for kind, speed in matmul.items():
        if speed > peaks.get(kind, 0.0):
            raise InputError("matmul_t beats flops_t, the dense peak", found=kind, where=where)
    if not isinstance(entry.get("node_devices", 8), int):
        raise InputError("node_devices must be a whole number", found=repr(entry["node_devices"]), where=where)
    return peaks, matmul


def _by_precision(table: object, name: str, where: str) -> Mapping[str, float]:
    """FLOP/s by precision, from TFLOP/s."""
    if not isinstance(table, Mapping) or not table:
        raise InputError(f"{name} holds no precision", expected="such as { bf16 = 989 }", where=where)
    return MappingProxyType({str(kind): _positive(table[kind], name, where) * 1e12 for kind in table})


def _positive(value: object, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InputError(f"the field {name} must be a positive number", found=repr(value), where=where)
    return float(value)
