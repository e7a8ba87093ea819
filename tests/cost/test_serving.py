"""Devices and the roofline on them: known times, what limits them, experts that are read, rows of one's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import (
    Counting,
    Experts,
    Serving,
    bytes_of,
    cache,
    decode_latency,
    devices_needed,
    find_hardware,
    hardware,
    model,
    models,
    params,
    prefill_latency,
    read_bytes,
    read_hardware,
    weight_bytes,
)
from kleiber.errors import InputError

H100 = find_hardware("h100")


def test_every_device_is_sourced_and_dated() -> None:
    rows = hardware()
    names = {row.name for row in rows}
    assert names >= {"a100", "h100", "h200", "b200", "mi300x", "tpu-v5p", "tpu-v6e", "cpu-epyc-9654"}
    assert len(names) == len(rows)
    for row in rows:
        assert row.source
        assert row.date == "2026-11-22"
        assert row.verified or row.note, f"{row.name}: why is it not verified?"
        assert (row.price is None) == (row.price_source == "")
        assert "bf16" in row.flops
        assert bool(row.matmul) == bool(row.matmul_source)
        assert row.network_source or not row.network
        assert all(row.sustained(kind) < peak for kind, peak in row.flops.items())


@pytest.mark.parametrize(
    ("name", "bf16", "bandwidth", "memory"),
    [
        ("a100", 312e12, 2.039e12, 80e9),
        ("h100", 989e12, 3.35e12, 80e9),
        ("h200", 989e12, 4.8e12, 141e9),
        ("b200", 2250e12, 8e12, 180e9),
        ("mi300x", 304 * 2048 * 2.1e9, 5.3e12, 192e9),
        ("tpu-v5p", 459e12, 2.765e12, 95e9),
        ("tpu-v6e", 918e12, 1.638e12, 32e9),
        ("cpu", 96 * 2.4e9 * 64, 12 * 4800e6 * 8, 768e9),
    ],
)
def test_dense_peaks(name: str, bf16: float, bandwidth: float, memory: float) -> None:
    """Public tables print sparse peaks as dense ones, 230 TFLOP/s for v6e and 330.6 or 2,615 for MI300X."""
    row = find_hardware(name)
    assert row.peak("bf16") == pytest.approx(bf16, rel=4e-3)
    assert row.bandwidth == pytest.approx(bandwidth)
    assert row.memory == pytest.approx(memory)


def test_peaks_double_as_precision_halves() -> None:
    for row in hardware():
        if row.flops.get("fp8") and row.name != "tpu-v5p":
            assert row.peak("fp8") == pytest.approx(2 * row.peak("bf16"), rel=1e-3)


def test_llama_3_8b_on_an_h100() -> None:
    """16.06e9 bytes / 3.35e12 bytes/s = 4.79 ms; the ridge lies at 295 FLOP per byte."""
    bound = decode_latency(model("llama-3-8b"), H100, 1)
    assert 1e3 * bound.seconds == pytest.approx(4.79, abs=0.005)
    assert 1 / bound.seconds == pytest.approx(209, abs=0.5)
    assert bound.limit == "memory"
    assert H100.ridge("bf16") == pytest.approx(295, abs=0.5)
    # The embedding is looked up, not read: a convention, and 6.5 % of the time.
    lean = decode_latency(model("llama-3-8b"), H100, 1, counting=Counting(input_embedding=False))
    assert lean.seconds / bound.seconds == pytest.approx(1 - 128256 * 4096 / 8_030_261_248, rel=1e-4)


def test_batches_turn_memory_bound_into_compute_bound() -> None:
    """Without a cache to speak of, where twice the products' weights over the bytes read pass the ridge: at about 316."""
    shape = model("llama-3-8b")
    limits = [decode_latency(shape, H100, 1, Serving(batch=batch)).limit for batch in (1, 300, 330, 4096)]
    assert limits == ["memory", "memory", "compute", "compute"]


def test_efficiencies_and_devices() -> None:
    shape, half = model("llama-3-8b"), Serving(flops_efficiency=0.5, bandwidth_efficiency=0.5)
    assert decode_latency(shape, H100, 512, half).seconds == 2 * decode_latency(shape, H100, 512).seconds
    assert prefill_latency(shape, H100, 512, half).seconds == 2 * prefill_latency(shape, H100, 512).seconds
    four = decode_latency(shape, H100, 512, Serving(devices=4))
    assert four.seconds == pytest.approx(decode_latency(shape, H100, 512).seconds / 4)
    with pytest.raises(InputError, match="a part of the peak"):
        Serving(flops_efficiency=1.5)


def test_prefill_is_compute_bound_and_quadratic_in_the_end() -> None:
    shape = model("llama-3-8b")
    short, long = prefill_latency(shape, H100, 2048), prefill_latency(shape, H100, 131072)
    assert short.limit == long.limit == "compute"
    assert long.seconds > 64 * 2 * short.seconds


def simulated_reads(count: int, chosen: int, batch: int, draws: int) -> float:
    generator = random.Random(1)
    return (
        sum(
            len({expert for _ in range(batch) for expert in generator.sample(range(count), chosen)})
            for _ in range(draws)
        )
        / draws
    )


@pytest.mark.parametrize(("count", "chosen", "batch"), [(8, 2, 1), (8, 2, 4), (64, 8, 16), (256, 8, 32)])
def test_experts_read_by_a_batch(count: int, chosen: int, batch: int) -> None:
    """E (1 - (1 - k/E)^B) against a simulation of even routing."""
    expected = Experts(count=count, chosen=chosen, hidden=8).read(batch)
    assert expected == pytest.approx(simulated_reads(count, chosen, batch, 600), rel=0.015)


def test_bytes_read_lie_between_active_and_total() -> None:
    for entry in models():
        shape = entry.shape
        found = params(shape)
        reads = [read_bytes(shape, tokens) for tokens in (1, 8, 64, 10**6)]
        assert reads[0] == pytest.approx(2 * found.active, rel=1e-12)
        assert reads == sorted(reads)
        assert reads[-1] == pytest.approx(2 * found.total, rel=1e-9)


@given(st.integers(1, 512), st.integers(1, 8192))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_more_work_never_takes_less_time(batch: int, context: int) -> None:
    shape = model("mixtral-8x7b")
    bound = decode_latency(shape, H100, context, Serving(batch=batch))
    assert decode_latency(shape, H100, context, Serving(batch=batch + 1)).seconds >= bound.seconds
    assert decode_latency(shape, H100, context + 1, Serving(batch=batch)).seconds >= bound.seconds
    assert bound.seconds == max(bound.compute_seconds, bound.memory_seconds)


def test_devices_that_hold_a_model() -> None:
    shape = model("llama-3-405b")
    assert weight_bytes(shape) == 2 * 405_853_388_800
    assert devices_needed(shape, H100, 1) == 11
    assert devices_needed(shape, H100, 1, Serving(precision="fp8")) == 6
    full = weight_bytes(shape) + 64 * cache(shape, 131072).per_sequence
    assert devices_needed(shape, H100, 131072, Serving(batch=64)) == -(-full // 80e9)
    assert bytes_of("int4") == 0.5


MINE = """
[[hardware]]
name = "mine"
flops_t = { bf16 = 100 }
memory_gb = 48
bandwidth_gb_per_s = 1000
price_usd_per_hour = 0.5
"""


def test_rows_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    (row,) = read_hardware(path)
    assert (row.memory, row.peak("bf16"), row.price, row.verified) == (48e9, 1e14, 0.5, False)
    assert find_hardware("mine", (row,)) is row
    assert find_hardware("h100", (row,)) is H100
    assert (row.node, row.network, row.sustained("bf16")) == (8, 0.0, 0.75e14)
    path.write_text(MINE + "node_devices = 72\nnetwork_gb_per_s = 100\nmatmul_t = { bf16 = 80 }\n")
    (row,) = read_hardware(path)
    assert (row.node, row.network, row.sustained("bf16")) == (72, 1e11, 0.8e14)
    path.write_text(MINE.replace('"mine"', '"h100"'))
    assert find_hardware("h100", read_hardware(path)).memory == 48e9


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("memory_gb = 48\n", "", "mine: the field memory_gb is missing"),
        ("48", "-48", "memory_gb must be a positive number"),
        ("48", '"48"', "memory_gb must be a positive number"),
        ("{ bf16 = 100 }", "100", "flops_t holds no precision"),
        ("bf16 = 100", "bf16 = nan", "flops_t must be a positive number"),
        ("memory_gb", "memory_gbs", "did you mean 'memory_gb'"),
        ("[[hardware]]", "[[devices]]", "no device in the file"),
        ("[[hardware]]", "[hardware", "this is not TOML"),
        ('name = "mine"\n', "", "the field name is missing"),
        ("memory_gb = 48\n", "memory_gb = 48\nmatmul_t = { bf16 = 101 }\n", "matmul_t beats flops_t"),
        ("memory_gb = 48\n", "memory_gb = 48\nmatmul_t = 3\n", "matmul_t holds no precision"),
        ("memory_gb = 48\n", "memory_gb = 48\nnode_devices = 2.5\n", "node_devices must be a whole number"),
        ("memory_gb = 48\n", "memory_gb = 48\nnetwork_gb_per_s = 0\n", "network_gb_per_s must be a positive number"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace(old, new))
    with pytest.raises(InputError, match=says):
        read_hardware(path)


def test_hardware_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'mi300x'"):
        find_hardware("mi300xx")
    with pytest.raises(InputError, match="no peak for this precision"):
        decode_latency(model("llama-3-8b"), find_hardware("a100"), 8, Serving(precision="fp8"))
    with pytest.raises(InputError, match="No such file"):
        read_hardware(tmp_path / "none.toml")
