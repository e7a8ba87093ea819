"""The search of layouts: against trying everything, against memory, and its refusals."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import (
    Attention,
    Block,
    Experts,
    FeedForward,
    Layout,
    Practice,
    Shape,
    best_layout,
    find_hardware,
    model,
    step_time,
    training_memory,
)
from kleiber.cost.layouts import USABLE
from kleiber.errors import InputError, KleiberError, Refusal

H100 = find_hardware("h100")
MIXER = Attention(heads=8, kv_heads=4, head_width=128)
DENSE = Block(mixer=MIXER, feed_forward=FeedForward(hidden=4096, gated=True), times=6)
SPARSE = Block(mixer=MIXER, feed_forward=Experts(count=8, chosen=2, hidden=2048), times=6)


def small(block: Block) -> Shape:
    return Shape(name="small", width=1024, vocabulary=32000, tied=False, blocks=(block,))


def everything(shape: Shape, devices: int, sequences: int, context: int, room: float) -> float:
    """The least time of any layout of the documented kinds, one after another."""
    best = float("inf")
    sparse = shape.family == "experts"
    for tensor, pipeline, ring, expert in product(
        (1, 2, 4, 8), range(1, 7), (1, 2, 4), (1, 2, 4, 8) if sparse else (1,)
    ):
        data, over = divmod(devices, tensor * pipeline * ring)
        if over or not data or ring * 4096 > context or (data * ring * tensor) % expert:
            continue
        for zero, micro, chunks, again in product((0, 1, 3), (1, 2, 4, 8), (1, 2, 4), ("none", "full")):
            if (zero == 0) != (data * ring == 1) or (zero == 3 and pipeline > 1) or sequences % (data * micro):
                continue
            if chunks > 1 and (pipeline == 1 or chunks * pipeline > 6 or (sequences // data // micro) % pipeline):
                continue
            layout = Layout(
                data=data, tensor=tensor, pipeline=pipeline, context=ring, expert=expert,
                expert_tensor=1 if sparse else None, zero=zero, micro_batch=micro, recompute=again,
                virtual=chunks, schedule="interleaved" if chunks > 1 else "1f1b",
            )  # fmt: skip
            if training_memory(shape, context, layout).total <= room:
                best = min(best, step_time(shape, H100, layout, sequences=sequences, context=context).seconds)
    return best


@pytest.mark.parametrize("block", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize(("devices", "memory"), [(8, 80e9), (16, 3e9), (48, 2e9)])
def test_nothing_is_faster(block: Block, devices: int, memory: float) -> None:
    shape, sequences, context = small(block), 96, 8192
    device = replace(H100, memory=memory)
    layout, step = best_layout(shape, device, devices, sequences * context, context)
    room = USABLE * memory
    assert layout.devices == devices
    assert training_memory(shape, context, layout).total <= room
    assert step.tokens == sequences * context
    assert step.seconds == pytest.approx(everything(shape, devices, sequences, context, room), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "device", "devices", "tokens", "context"),
    [
        ("llama-3-405b", "h100", 1024, 16e6, 8192),
        ("llama-3-405b", "h100", 1024, 16e6, 131072),
        ("deepseek-v3", "h800", 2048, 6.3e7, 4096),
        ("jamba-v0.1", "mi300x", 1024, 4e6, 8192),
        ("mamba-2-2.7b", "tpu-v6e", 256, 1e6, 4096),
        ("gpt-3", "a100", 1000, 3.2e6, 2048),
    ],
)
def test_large_runs_within_a_second(name: str, device: str, devices: int, tokens: float, context: int) -> None:
    shape, row = model(name), find_hardware(device)
    began = time.process_time()
    layout, step = best_layout(shape, row, devices, tokens, context)
    assert time.process_time() - began < 1
    assert layout.devices == step.devices == devices
    assert training_memory(shape, context, layout).total <= USABLE * row.memory
    assert step.tokens == pytest.approx(tokens, rel=0.05 + context / tokens)
    assert 0.1 < step.mfu < 0.8


def test_what_does_not_fit() -> None:
    shape = model("llama-3-405b")
    with pytest.raises(Refusal) as refused:
        best_layout(shape, H100, 16, 4e6, 8192)
    said = re.search(r"needs (\d+) GB on each device, ([\d.]+) times the (\d+) GB there are", str(refused.value))
    assert said is not None
    assert float(said[1]) / float(said[3]) == pytest.approx(float(said[2]), rel=0.01)
    assert float(said[3]) == 72
    enough = int(refused.value.remedy.split()[0].replace(",", ""))
    assert best_layout(shape, H100, enough, 4e6, 8192)[0].devices == enough
    with pytest.raises(Refusal):
        best_layout(shape, H100, enough // 2, 4e6, 8192)


def test_a_batch_too_small() -> None:
    with pytest.raises(Refusal, match="a batch of 1 sequences cannot be spread over 1024 devices"):
        best_layout(model("llama-2-7b"), H100, 1024, 4096, 4096)


def test_bad_input() -> None:
    shape = model("llama-2-7b")
    for devices, tokens, context, says in (
        (0, 1e6, 4096, "devices as a whole number"),
        (8, 100.0, 4096, "at least one sequence"),
        (8, float("nan"), 4096, "at least one sequence"),
        (512, 1e6, 0, "its length in tokens"),
    ):
        with pytest.raises(InputError, match=says):
            best_layout(shape, H100, devices, tokens, context)
    with pytest.raises(InputError, match="network between nodes"):
        best_layout(shape, find_hardware("tpu-v6e"), 512, 4e6, 4096)
    with pytest.raises(InputError, match="link of cpu-epyc-9654 is not known"):
        best_layout(shape, find_hardware("cpu"), 8, 4e6, 4096)


@settings(deadline=None, max_examples=25)
@given(devices=st.integers(1, 200), sequences=st.integers(1, 400), memory=st.floats(2e9, 2e11))
def test_more_memory_never_slows(devices: int, sequences: int, memory: float) -> None:
    shape = small(DENSE)
    try:
        _, tight = best_layout(shape, replace(H100, memory=memory), devices, sequences * 4096, 4096)
    except Refusal:
        return
    _, roomy = best_layout(shape, replace(H100, memory=2 * memory), devices, sequences * 4096, 4096)
    assert roomy.seconds / roomy.tokens <= tight.seconds / tight.tokens * (1 + 1e-12)


@settings(deadline=None, max_examples=25)
@given(devices=st.integers(1, 3000), tokens=st.floats(1, 1e9), context=st.integers(1, 200000))
def test_an_answer_or_a_reason(devices: int, tokens: float, context: int) -> None:
    try:
        layout, step = best_layout(small(SPARSE), H100, devices, tokens, context, practice=Practice(precision="fp8"))
    except KleiberError:
        return
    assert layout.devices == devices
    assert 0 < step.mfu < 1
