"""Megatron's router trace: JSON lines, one per step, layer and rank, with the experts that each token chose.

    {"step": 0, "layer": 3, "rank": 0, "topk": 2, "top_indices": [[5, 1], [0, 5]]}

`top_indices` is tokens x topk; flat lists are cut into pieces of `topk`. Ranks hold different tokens: they are added up.
The number of experts is the largest index seen, plus one, unless a line says `num_experts`.

Source: NVIDIA Megatron-LM, `router_trace` (fields as named there).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kleiber.errors import InputError
from kleiber.experts.read.grid import gathered
from kleiber.experts.read.reader import TraceReader
from kleiber.experts.trace import Floats, Ints, RoutingTrace, tally

NEEDED = ("step", "layer", "topk", "top_indices")
Place = tuple[int, int]


def recognises(path: Path, head: bytes) -> bool:
    """By the suffix or an object on the first line."""
    return path.suffix in (".jsonl", ".ndjson") or head.lstrip()[:1] == b"{"


def read(path: Path) -> RoutingTrace:
    """The trace, with the pairs of experts that were chosen together."""
    chosen: dict[Place, list[Ints]] = defaultdict(list)
    experts = wide = 0
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                entry = _entry(line, f"{path}, line {number}")
                choice_TK = _choices(entry, f"{path}, line {number}")
                experts = max(experts, int(choice_TK.max(initial=-1)) + 1, entry.get("num_experts", 0))
                wide = wide or choice_TK.shape[1]
                if choice_TK.shape[1] != wide:
                    raise InputError("tokens choose differently many experts", found=choice_TK.shape[1],
                                     expected=f"{wide}, as before", where=f"{path}, line {number}")  # fmt: skip
                chosen[entry["step"], entry["layer"]].append(choice_TK)
    if experts == 0:
        raise InputError("there are no choices in the file", where=str(path))
    counts: dict[Place, Floats] = {}
    together: dict[int, Floats] = defaultdict(lambda: np.zeros((experts, experts)))
    for (step, layer), parts in chosen.items():
        counts_E, pairs_EE = tally(np.concatenate(parts), experts, f"{path}, step {step}, layer {layer}")
        counts[step, layer] = counts_E
        together[layer] += pairs_EE
    found = gathered(counts, str(path))
    return replace(found, together_LEE=np.stack([together[layer] for layer in found.layer_L]), choices=wide)


def _entry(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError("this line is no JSON", found=str(error)[:120], where=where) from None
    if not isinstance(entry, dict):
        raise InputError("each line must be an object", found=repr(entry)[:60], where=where)
    for name in NEEDED:
        if name not in entry:
            raise InputError(f"the field {name} is missing", expected=", ".join(NEEDED), where=where)
    for name in ("step", "layer", "topk", "num_experts"):
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not (name == "topk") <= value < 2**31:
            raise InputError(f"{name} must be a whole number", found=repr(value), where=where)
    return entry


def _choices(entry: dict[str, Any], where: str) -> Ints:
    """Tokens x topk."""
    try:
        found = np.array(entry["top_indices"])
    except ValueError:
        raise InputError("top_indices is ragged", expected="one list of topk experts per token", where=where) from None
    if found.size == 0:
        return np.zeros((0, entry["topk"]), dtype=np.int64)
    if found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= 2**20:
        raise InputError("top_indices must hold expert numbers from 0", found=f"{found.dtype}", where=where)
    if found.size % entry["topk"] or (found.ndim > 1 and found.shape[-1] != entry["topk"]):
        raise InputError(
            "top_indices does not agree with topk", found=f"shape {found.shape}, topk {entry['topk']}", where=where
        )
    return found.reshape(-1, entry["topk"]).astype(np.int64)


ROUTER_TRACE = TraceReader(name="router-trace", title="Megatron's router trace", recognises=recognises, read=read)
