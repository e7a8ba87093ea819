"""Families of shapes that a plan may choose from: dense, sparse experts, state spaces, hybrids.

The way the data takes: family -> `Option`s (every choice that is not a size: heads that share keys, experts, how many a token
sees) -> a `Shape` for any width and depth of the option. The one idea: an option fixes all ratios, so that a shape is its
width and its depth, and both can be enumerated (what can be built) or made continuous (what a geometric program needs). Ratios
are those of published models: gated feed-forwards of 3.5 widths and one key head for four or eight query heads (Llama 3),
eight experts chosen of up to 256 with 3 widths active (the shape behind the joint law of Ludziejewski et al. 2025, arXiv
2502.05172, in experts as fine as those of DeepSeek-V3), Mamba-2 blocks without feed-forwards (Dao & Gu 2024, arXiv
2405.21060), one attention layer in eight (Jamba, arXiv 2403.19887; Waleffe et al. 2024, arXiv 2406.07887, have one in seven).

Loss laws hardly see the ratio of width to depth (Kaplan et al. 2020, arXiv 2001.08361, section 3.1), so `aspect` keeps it where
published models of the family have it; otherwise a plan would run to whichever end is cheaper by a hair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from kleiber.cost.attention import Attention
from kleiber.cost.experts import Experts
from kleiber.cost.feed_forward import FeedForward
from kleiber.cost.shape import FAMILIES, Block, Shape
from kleiber.cost.state_space import Mamba2
from kleiber.errors import InputError, did_you_mean

CHOSEN = 8  # experts that a token sees
EXPANSIONS = (4, 8, 16, 32)  # experts for each one chosen: 32 is 8 of 256
HYBRID_PERIOD = 8


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way to build a family: `build(width, depth)` is a shape for every width of `widths` and depth in steps of `depth_step`.

    `aspect`: the least and most width / depth. `expansion`: experts for each one that a token sees (1: dense).
    """

    family: str
    name: str
    build: Callable[[int, int], Shape]
    widths: tuple[int, ...]
    aspect: tuple[float, float] = (80.0, 160.0)
    depth_step: int = 1
    expansion: int = 1

    def depths(self, width: int) -> range:
        """The depths that can be built at `width`.

        >>> options(("dense",), vocabulary=32768)[-1].depths(4096)
        range(26, 52)
        """
        step = self.depth_step
        least = max(step, -(-int(width) // (self.aspect[1] * step)) * step)
        return range(int(least), int(width / self.aspect[0]) + 1, step)


def options(families: tuple[str, ...], *, vocabulary: int) -> tuple[Option, ...]:
    """Every option of `families`; raises `InputError` for a family there is none of.

    >>> sorted({option.family for option in options(("ssm", "dense"), vocabulary=32768)})
    ['dense', 'ssm']
    """
    found: list[Option] = []
    for family in families:
        if family not in BUILDERS:
            raise InputError("no such family", found=repr(family), remedy=did_you_mean(family, FAMILIES))
        found += _built(family, vocabulary)
    return tuple(found)


@cache
def _built(family: str, vocabulary: int) -> tuple[Option, ...]:
    """The options of a family, the same ones every time, so that what was counted of them can be kept."""
    return tuple(BUILDERS[family](vocabulary))


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Attention whose every `group` query heads of `head_width` share a key head, for the widths where that comes out even."""

    head_width: int
    group: int
    least: int
    most: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Multiples of head_width x group from `least` to `most`."""
        step = self.head_width * self.group
        return tuple(range(max(step, self.least), self.most + 1, step))

    def at(self, width: int) -> Attention:
        """The layer at `width`."""
        heads = width // self.head_width
        return Attention(heads=heads, kv_heads=heads // self.group, head_width=self.head_width)


# Small models take narrow heads, and none to spare for sharing; wide ones share keys among eight.
HEADS = (
    Heads(head_width=16, group=1, least=32, most=112),
    Heads(head_width=64, group=1, least=128, most=960),
    Heads(head_width=64, group=4, least=1024, most=1792),
    Heads(head_width=128, group=4, least=2048, most=8192),
    Heads(head_width=128, group=8, least=4096, most=32768),
)


def _shape(name: str, vocabulary: int, width: int, blocks: tuple[Block, ...]) -> Shape:
    return Shape(name=name, width=width, vocabulary=vocabulary, tied=False, blocks=blocks)


def _dense(vocabulary: int) -> list[Option]:
    def option(heads: Heads) -> Option:
        def build(width: int, depth: int) -> Shape:
            block = Block(
                mixer=heads.at(width), feed_forward=FeedForward(hidden=width * 7 // 2, gated=True), times=depth
            )
            return _shape("dense", vocabulary, width, (block,))

        sharing = f"{heads.group} query heads to a key head" if heads.group > 1 else "every head its own keys"
        return Option(family="dense", name=f"dense, {sharing}", build=build, widths=heads.widths, aspect=_aspect(heads))

    return [option(heads) for heads in HEADS]


def _experts(vocabulary: int) -> list[Option]:
    def option(heads: Heads, expansion: int) -> Option:
        def build(width: int, depth: int) -> Shape:
            layer = Experts(count=CHOSEN * expansion, chosen=CHOSEN, hidden=width * 3 // CHOSEN)
            return _shape(
                "experts", vocabulary, width, (Block(mixer=heads.at(width), feed_forward=layer, times=depth),)
            )

        name = f"{CHOSEN} of {CHOSEN * expansion} experts"
        return Option(
            family="experts", name=name, build=build, widths=heads.widths, aspect=_aspect(heads), expansion=expansion
        )

    return [option(heads, expansion) for heads in HEADS for expansion in EXPANSIONS]


def _state_space(vocabulary: int) -> list[Option]:
    def build(width: int, depth: int) -> Shape:
        return _shape("ssm", vocabulary, width, (Block(mixer=_scan(width), feed_forward=None, times=depth),))

    narrow = range(64, 1024, 64), range(1024, 4096, 128), range(4096, 16385, 256)
    widths = tuple(width for part in narrow for width in part)
    # Mamba-2 130m to 2.7b have 32 to 43 widths to a layer, the 8B model of Waleffe et al. 73.
    return [Option(family="ssm", name="Mamba-2", build=build, widths=widths, aspect=(30.0, 75.0))]


def _hybrid(vocabulary: int) -> list[Option]:
    def option(heads: Heads) -> Option:
        def build(width: int, depth: int) -> Shape:
            layer = FeedForward(hidden=width * 7 // 2, gated=True)
            attention = Block(mixer=heads.at(width), feed_forward=layer, times=depth // HYBRID_PERIOD)
            scans = Block(mixer=_scan(width), feed_forward=layer, times=depth - depth // HYBRID_PERIOD)
            return _shape("hybrid", vocabulary, width, (scans, attention))

        name = f"one attention layer to {HYBRID_PERIOD - 1} of Mamba-2"
        return Option(
            family="hybrid",
            name=name,
            build=build,
            widths=heads.widths,
            aspect=_aspect(heads),
            depth_step=HYBRID_PERIOD,
        )

    return [option(heads) for heads in HEADS if heads.head_width >= 64]


def _scan(width: int) -> Mamba2:
    """Two widths of channels in heads of 64, 128 numbers of state each: the shape of every published Mamba-2."""
    return Mamba2(heads=2 * width // 64, head_width=64, state=128)


def _aspect(heads: Heads) -> tuple[float, float]:
    """Small models are deeper for their width: the smallest of published ladders have 16 to 100 widths to a layer."""
    return (16.0, 100.0) if heads.most < 1024 else (60.0, 140.0) if heads.most < 2048 else (80.0, 160.0)


BUILDERS: dict[str, Callable[[int], list[Option]]] = {
    "dense": _dense,
    "experts": _experts,
    "ssm": _state_space,
    "hybrid": _hybrid,
}
