"""The shape of a model: an embedding, blocks of a mixer and a feed-forward each, a head. Every count starts here.

One idea: there is no list of architectures. A block is any mixer with any feed-forward, either of which may be missing, so a
hybrid is a sequence of unlike blocks, and whether a shape is dense, sparse, a state space or a hybrid is read off its parts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from kleiber.cost.checks import whole, whole_each
from kleiber.cost.experts import Experts
from kleiber.cost.part import Mixer, Part
from kleiber.cost.state_space import Mamba, Mamba2
from kleiber.errors import InputError

FAMILIES = ("dense", "experts", "ssm", "hybrid")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One layer, `times` over: what mixes tokens, then what works on each alone."""

    mixer: Mixer | None
    feed_forward: Part | None
    times: int = 1

    def __post_init__(self) -> None:
        whole("a block", "times", self.times)
        if self.mixer is None and self.feed_forward is None:
            raise InputError("a block is empty", expected="a mixer, a feed-forward, or both")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that are there, in order."""
        return tuple(part for part in (self.mixer, self.feed_forward) if part is not None)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder-only language model, as dimensions.

    `width`: the residual stream; `vocabulary`: rows of the embedding as stored, padding included; `tied`: whether embedding
    and head are one matrix; `positions`: learned positions (0: none); `norm_bias`: LayerNorm with a bias, not RMSNorm;
    `norms_per_part`: norms of each part of a block (0: none have weights), `final_norm`: one before the head.

    >>> from kleiber.cost import Attention, FeedForward
    >>> block = Block(mixer=Attention(heads=32, kv_heads=8, head_width=128),
    ...               feed_forward=FeedForward(hidden=14336, gated=True), times=32)
    >>> shape = Shape(name="llama-3-8b", width=4096, vocabulary=128256, tied=False, blocks=(block,))
    >>> shape.family, shape.depth
    ('dense', 32)
    """

    width: int
    vocabulary: int
    tied: bool
    blocks: tuple[Block, ...]
    name: str = "model"
    positions: int = 0
    norm_bias: bool = False
    norms_per_part: int = 1
    final_norm: bool = True

    def __post_init__(self) -> None:
        owner = f"the shape {self.name!r}"
        whole_each(owner, self, ("width", "vocabulary"))
        whole_each(owner, self, ("positions", "norms_per_part"), at_least=0)
        if not self.blocks:
            raise InputError(f"{owner} has no blocks", expected="at least one")

    @functools.cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, entry.name) for entry in fields(self)))

    def __hash__(self) -> int:
        """Worked out once: a search over layouts looks a shape up thousands of times."""
        return self._hash

    @property
    def depth(self) -> int:
        """Blocks in all."""
        return sum(block.times for block in self.blocks)

    @property
    def family(self) -> str:
        """`hybrid`: state spaces and attention; `ssm`: state spaces alone; `experts`: sparse; else `dense`."""
        mixers = [block.mixer for block in self.blocks if block.mixer is not None]
        scans = [isinstance(mixer, (Mamba, Mamba2)) for mixer in mixers]
        if any(scans):
            return "ssm" if all(scans) else "hybrid"
        return "experts" if any(isinstance(block.feed_forward, Experts) for block in self.blocks) else "dense"

    def unrolled(self) -> Iterator[Block]:
        """Every block by itself, in order."""
        for block in self.blocks:
            yield from (replace(block, times=1) for _ in range(block.times))

    def over_parts(self, count: Callable[[Part], float]) -> float:
        """The sum of `count` over all parts of all blocks."""
        return sum(block.times * count(part) for block in self.blocks for part in block.parts)

    def over_mixers(self, count: Callable[[Mixer], float]) -> float:
        """The sum of `count` over all mixers."""
        return sum(block.times * count(block.mixer) for block in self.blocks if block.mixer is not None)

    def check_context(self, context: int) -> int:
        """`context` if the model can hold it; raises `InputError` beyond its learned positions."""
        whole("a sequence", "its length in tokens", context)
        if self.positions and context > self.positions:
            raise InputError(
                f"{self.name} has learned positions and no more of them",
                found=f"a context of {context}",
                expected=f"at most {self.positions}",
            )
        return context


def folded(blocks: list[Block]) -> tuple[Block, ...]:
    """Like neighbours made one block with `times`.

    >>> from kleiber.cost import FeedForward
    >>> block = Block(mixer=None, feed_forward=FeedForward(hidden=8, gated=True))
    >>> [found.times for found in folded([block, block])]
    [2]
    """
    found: list[Block] = []
    for block in blocks:
        if found and replace(found[-1], times=block.times) == block:
            found[-1] = replace(block, times=found[-1].times + block.times)
        else:
            found.append(block)
    return tuple(found)
