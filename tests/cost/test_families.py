"""Families of shapes, and the polynomials that stand for all of their shapes: against shapes that are built and counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kleiber.cost import (
    FAMILIES,
    Attention,
    Experts,
    Mamba2,
    Shape,
    cache,
    decode_flops,
    forward_flops,
    model,
    params,
    prefill_flops,
    train_flops,
)
from kleiber.cost.families import CHOSEN, EXPANSIONS, HYBRID_PERIOD, Option, options
from kleiber.cost.grid import buildable, polynomial
from kleiber.errors import InputError

VOCABULARY, CONTEXT = 128_256, 4096
OPTIONS = options(FAMILIES, vocabulary=VOCABULARY)
COUNTS: dict[str, Callable[[Shape], float]] = {
    "total": lambda shape: params(shape).total,
    "active": lambda shape: params(shape).active,
    "non-embedding": lambda shape: params(shape).active - params(shape).embedding,
    "routed": lambda shape: params(shape).groups.get("routed", 0),
    "train": lambda shape: train_flops(shape, CONTEXT),
    "forward": lambda shape: forward_flops(shape, CONTEXT),
    "prefill": lambda shape: prefill_flops(shape, CONTEXT) / CONTEXT,
    "decode": lambda shape: decode_flops(shape, CONTEXT),
    "cache": lambda shape: cache(shape, CONTEXT, "bf16").per_sequence,
}


def label(option: Option) -> str:
    return f"{option.name} from {option.widths[0]}"


@pytest.fixture(params=OPTIONS, ids=label)
def option(request: pytest.FixtureRequest) -> Option:
    return request.param


@pytest.mark.parametrize("name", COUNTS)
def test_six_shapes_determine_the_counts_of_all(option: Option, name: str) -> None:
    count, rng = COUNTS[name], np.random.default_rng(7)
    found = polynomial(option, count)
    assert min(*found.outside, *found.inside) >= 0
    for width in rng.choice(option.widths, 12):
        depth = int(rng.integers(1, 40)) * option.depth_step
        exact = count(option.build(int(width), depth))
        assert float(found.at(width, depth)) == pytest.approx(exact, rel=1e-12, abs=0)


def test_terms_are_the_polynomial(option: Option) -> None:
    found = polynomial(option, COUNTS["total"])
    width, depth = 777.0, 13.0
    summed = sum(factor * width**p * depth**q for factor, p, q in found.terms())
    assert summed == pytest.approx(float(found.at(width, depth)), rel=1e-14)


def test_a_count_that_grows_otherwise_is_refused(option: Option) -> None:
    with pytest.raises(AssertionError, match="no posynomial"):
        polynomial(option, lambda shape: float(shape.width**3))


def test_every_shape_is_of_its_family(option: Option) -> None:
    width_M, depth_M = buildable(option)
    assert len(width_M) > 0
    for index in np.random.default_rng(1).integers(0, len(width_M), 8):
        shape = option.build(int(width_M[index]), int(depth_M[index]))
        assert shape.family == option.family
        assert (shape.width, shape.depth) == (width_M[index], depth_M[index])
        assert shape.vocabulary == VOCABULARY


def test_every_shape_divides_as_claimed(option: Option) -> None:
    """Heads fill the width, query heads share key heads evenly, channels of a state space fill two widths."""
    for width in option.widths:
        shape = option.build(width, option.depth_step)
        for part in (part for block in shape.blocks if block.times for part in block.parts):
            if isinstance(part, Attention):
                assert part.heads * part.head_width == width
                assert part.heads % part.kv_heads == 0
            if isinstance(part, Mamba2):
                assert part.heads * part.head_width == 2 * width
            if isinstance(part, Experts):
                assert part.hidden * CHOSEN == 3 * width


def test_depths_keep_the_ratio_of_width_to_depth(option: Option) -> None:
    width_M, depth_M = buildable(option)
    least, most = option.aspect
    aspect_M = width_M / depth_M
    assert aspect_M.min() >= least
    assert aspect_M.max() <= most
    assert np.all(depth_M % option.depth_step == 0)
    assert len(set(zip(width_M.tolist(), depth_M.tolist(), strict=True))) == len(width_M)


def test_widths_above_a_thousand_are_multiples_of_128(option: Option) -> None:
    assert all(width % 128 == 0 for width in option.widths if width >= 1024)


def test_experts_hold_what_they_say() -> None:
    """`expansion` is experts for each one chosen; all of them are held, the chosen compute."""
    found = [option for option in OPTIONS if option.family == "experts"]
    assert {option.expansion for option in found} == set(EXPANSIONS)
    for option in found:
        counted = params(option.build(option.widths[-1], 4))
        routed = counted.groups["routed"]
        assert counted.total - counted.active == routed - routed // option.expansion


def test_one_layer_in_eight_of_a_hybrid_has_attention() -> None:
    for option in (option for option in OPTIONS if option.family == "hybrid"):
        shape = option.build(option.widths[0], 5 * HYBRID_PERIOD)
        attention = sum(block.times for block in shape.blocks if isinstance(block.mixer, Attention))
        assert attention * HYBRID_PERIOD == shape.depth


def test_the_dense_shape_at_the_size_of_llama_3_70b() -> None:
    """Width 8192, 80 layers, 8 key heads: everything is Llama's but the feed-forward, 28672 wide, which is 3.5 widths: equal."""
    option = next(option for option in OPTIONS if option.family == "dense" and "8 query" in option.name)
    shape = option.build(8192, 80)
    assert params(shape).total == params(model("llama-3-70b")).total == 70_553_706_496


def test_the_state_space_shape_at_the_size_of_mamba_2_2_7b() -> None:
    """Width 2560, 64 layers; the published model ties its embeddings and has a vocabulary of 50288."""
    option = next(option for option in options(("ssm",), vocabulary=50_288))
    shape = option.build(2560, 64)
    assert params(shape).total == pytest.approx(2_702_599_680 + 50_288 * 2560, rel=1e-3)


def test_an_unknown_family_is_told_its_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'dense'"):
        options(("dens",), vocabulary=VOCABULARY)


def test_small_and_large_vocabularies() -> None:
    for vocabulary in (256, 262_144):
        for option in options(("dense", "ssm"), vocabulary=vocabulary):
            shape = option.build(option.widths[0], option.depth_step)
            assert float(polynomial(option, COUNTS["total"]).at(shape.width, shape.depth)) == params(shape).total
