"""A placement from a file: what `kleiber experts place --json` printed, and the cluster it is for.

One idea: the file lists what is used of each layer's slots; slots are numbered device by device, so the cluster gives the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.placement import Placement

Floats = NDArray[np.float64]
FIELDS = ("physical_to_logical", "device_of_slot", "share")
SCHEMA = "kleiber/placement/1"
EXACT = 1e-6


def read_placement(path: str | Path, cluster: Cluster, experts: int) -> Placement:
    """The placement of a file on `cluster`; raises `InputError` naming file, layer and field.

    Its loads are not in the file: they are even until a trace is given.
    """
    where = str(path)
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError("this is not JSON", found=str(error), where=where) from None
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=where) from None
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise InputError(
            "this is no placement", expected=f"schema {SCHEMA}, as kleiber experts place prints", where=where
        )
    layers = data.get("layers")
    if not isinstance(layers, list) or not layers:
        raise InputError("the placement has no layers", where=where)
    rows = [_row(layer, cluster, experts, f"{where}, layer {at}") for at, layer in enumerate(layers)]
    return Placement(
        policy=str(data.get("policy", "from a file")),
        cluster=cluster,
        expert_LN=np.stack([row[0] for row in rows]),
        share_LN=np.stack([row[1] for row in rows]),
        load_LE=np.ones((len(rows), experts)),
        bound_L=np.ones(len(rows)),
    )


def _row(layer: Any, cluster: Cluster, experts: int, where: str) -> tuple[NDArray[np.int64], Floats]:
    """The experts and shares of the slots of one layer."""
    expert, device, share = _columns(layer, where)
    for name, number, end in (("expert", expert, experts), ("device", device, cluster.devices)):
        wrong = number[(number < 0) | (number >= end)]
        if len(wrong):
            raise InputError(f"no such {name}", found=int(wrong[0]), expected=f"0 to {end - 1}", where=where)
    total_E = np.bincount(expert, share, minlength=experts)
    wrong = np.flatnonzero(np.abs(total_E - 1) > EXACT)
    if len(wrong):
        raise InputError(
            f"the shares of expert {wrong[0]} do not add up to 1", found=float(total_E[wrong[0]]), where=where
        )
    used_G = np.bincount(device, minlength=cluster.devices)
    if (used_G > cluster.slots_G).any():
        full = int(np.flatnonzero(used_G > cluster.slots_G)[0])
        raise InputError(
            f"device {full} holds more experts than it has slots",
            found=int(used_G[full]),
            expected=int(cluster.slots_G[full]),
            where=where,
        )
    order = np.argsort(device, kind="stable")
    first_G = np.cumsum(cluster.slots_G) - cluster.slots_G
    begun_G = np.cumsum(used_G) - used_G
    place = first_G[device[order]] + np.arange(len(order)) - begun_G[device[order]]
    slots = int(cluster.slots_G.sum())
    expert_N, share_N = np.full(slots, -1), np.zeros(slots)
    expert_N[place], share_N[place] = expert[order], share[order]
    return expert_N, share_N


def _columns(layer: Any, where: str) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The three lists of a layer, as long as each other."""
    if not isinstance(layer, Mapping):
        raise InputError("a layer is a table of lists", found=repr(layer)[:40], where=where)
    found = []
    for name in FIELDS:
        values = layer.get(name)
        kinds = (int, float) if name == "share" else (int,)
        if not isinstance(values, list) or any(
            isinstance(value, bool) or not isinstance(value, kinds) for value in values
        ):
            raise InputError(f"{name} must be a list of numbers", found=repr(values)[:40], where=where)
        if name == "share" and not all(0 <= value <= 1 for value in values):
            raise InputError("a share lies between 0 and 1", found=repr(values)[:40], where=where)
        found.append(np.array(values, dtype=float if name == "share" else np.int64))
    if len({len(values) for values in found}) != 1:
        raise InputError("the lists of a layer differ in length", found=[len(values) for values in found], where=where)
    return found[0], found[1], found[2]
