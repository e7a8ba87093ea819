"""Where a pipeline cuts a model: how many blocks of each kind stand on each stage.

One idea: blocks that are alike are counted once and multiplied, so that a search over thousands of layouts stays fast.
"""

from __future__ import annotations

import functools
from collections import Counter
from itertools import pairwise

from kleiber.cost.shape import Block, Shape
from kleiber.errors import InputError


@functools.lru_cache(maxsize=256)
def kinds(shape: Shape) -> tuple[tuple[Block, ...], tuple[int, ...]]:
    """The unlike blocks of `shape`, each by itself, and the kind of every block in order.

    >>> from kleiber.cost import model
    >>> found, order = kinds(model("jamba-v0.1"))
    >>> len(found), len(order)
    (3, 32)
    """
    found: dict[Block, int] = {}
    order = [found.setdefault(block, len(found)) for block in shape.unrolled()]
    return tuple(found), tuple(order)


@functools.lru_cache(maxsize=4096)
def stage_counts(shape: Shape, stages: int) -> tuple[tuple[int, ...], ...]:
    """Blocks of each kind on each of `stages` stages of equal depth; the first ones take what is left over.

    >>> from kleiber.cost import model
    >>> [sum(counts) for counts in stage_counts(model("llama-2-7b"), 5)]
    [7, 7, 6, 6, 6]
    """
    found, order = kinds(shape)
    if stages > len(order):
        raise InputError("more pipeline stages than blocks", found=str(stages), expected=f"at most {len(order)}")
    each, over = divmod(len(order), stages)
    cuts = [stage * each + min(stage, over) for stage in range(stages + 1)]
    counted = [Counter(order[low:high]) for low, high in pairwise(cuts)]
    return tuple(tuple(count[kind] for kind in range(len(found))) for count in counted)


@functools.lru_cache(maxsize=4096)
def stages_alike(shape: Shape, stages: int) -> tuple[tuple[tuple[int, ...], int], ...]:
    """The same, with how many stages are alike; the last stage, which has the head, by itself and last."""
    counts = stage_counts(shape, stages)
    return (*Counter(counts[:-1]).items(), (counts[-1], 1))
