"""Counts of parameters and FLOPs: against a hand count, and against the tensors themselves."""

from __future__ import annotations

import pytest

from kleiber.errors import InputError
from kleiber.lab.shape import DenseShape

SHAPES = [
    DenseShape(width=8, depth=1, hidden=16, context=16),
    DenseShape(width=16, depth=2, hidden=64, context=128),
    DenseShape(width=40, depth=3, hidden=160, context=32),
    DenseShape(width=16, depth=1, hidden=32, context=32, vocabulary=2048),
]


def test_flops_against_a_count_by_hand() -> None:
    shape = DenseShape(width=8, depth=1, hidden=16, context=4)
    # Per token, forward, 2 FLOPs a multiply-add. Maps: q, k, v, out 4·8·8 and MLP 2·8·16 = 512 -> 1024.
    # Head: 8·256 -> 4096. Attention under the mask: 1 + 2 + 3 + 4 keys over 4 tokens = 2.5 keys a token,
    # a key costs 8 multiply-adds for its score and 8 for its value -> 2·2.5·16 = 80.
    assert shape.counted_flops_per_token == 3 * (1024 + 4096 + 80)
    assert shape.flops_per_token == 6 * 512


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"width {shape.width}, {shape.vocabulary} tokens")
def test_counts_equal_the_real_tensors(shape: DenseShape) -> None:
    pytest.importorskip("torch", reason="the lab trains with PyTorch")
    from kleiber.lab.models.dense import build

    sizes = {name: weight.numel() for name, weight in build(shape, seed=0).named_parameters()}
    embedding = sum(size for name, size in sizes.items() if name.startswith(("embedding", "head")))
    attention = sum(size for name, size in sizes.items() if ".attention." in name)
    assert embedding == shape.embedding_params
    assert attention == shape.attention_params
    assert sum(sizes.values()) - embedding == shape.params
    assert sum(sizes.values()) == shape.params_total


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"width {shape.width}, {shape.vocabulary} tokens")
def test_counted_flops_equal_what_torch_counts(shape: DenseShape) -> None:
    torch = pytest.importorskip("torch", reason="the lab trains with PyTorch")
    from torch.utils.flop_counter import FlopCounterMode

    from kleiber.lab.models.dense import build

    model = build(shape, seed=0)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros((1, shape.context), dtype=torch.int64))
    maps_and_head = 2 * shape.params + 2 * shape.vocabulary * shape.width
    counted = counter.get_flop_counts()["Global"]
    # Attention's products come in batches, `bmm` and `baddbmm`.
    assert counted[torch.ops.aten.mm] == shape.context * maps_and_head


def test_a_width_that_is_no_whole_number_of_heads() -> None:
    with pytest.raises(InputError, match=r"whole number of heads.*take 16"):
        DenseShape(width=17, depth=2, hidden=64, context=128)
    with pytest.raises(InputError, match="depth as a whole number"):
        DenseShape(width=16, depth=0, hidden=64, context=128)
