"""The simulated step: that of `kleiber.cost` where both know the answer, split without a rest, moved the right way by loads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import Practice, find_hardware, model, step_time
from kleiber.errors import InputError
from kleiber.experts.cluster import Cluster
from kleiber.experts.layers import sparse_layer
from kleiber.experts.placement import find
from kleiber.experts.routing import capped, measured, stretches
from kleiber.experts.simulate import PARTS, Job, simulate
from kleiber.experts.what_if import what_if

OLMOE = Job(
    shape=model("olmoe-1b-7b"), device=find_hardware("h100"), nodes=2, devices_per_node=8, pipeline=4, sequences=256, context=4096
)  # fmt: skip


def zipf(layers: int, experts: int, power: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(np.arange(1, experts + 1) ** -power) for _ in range(layers)])


@pytest.mark.parametrize("schedule", ["1f1b", "zb-h1", "interleaved"])
def test_without_messages_it_is_the_step_of_cost(schedule: str) -> None:
    """One device to a group: no all-to-all, and the dependency graph gives the closed form of the bubble.

    `cost` takes the mean of the other stages as the bubble's slot, which is exact for one slow stage at the end.
    """
    job = replace(
        OLMOE, nodes=1, devices_per_node=1, groups=1, pipeline=4, sequences=16, schedule=schedule,
        virtual=2 if schedule == "interleaved" else 1,
    )  # fmt: skip
    plain = step_time(job.shape, job.hardware, job.layout, sequences=16, context=4096)
    found = simulate(job)
    assert found.comm == 0
    assert found.seconds == pytest.approx(plain.seconds, rel=0.03 if schedule != "1f1b" else 1e-9)


@settings(deadline=None, max_examples=10)
@given(
    power=st.floats(0, 1.5),
    schedule=st.sampled_from(["gpipe", "1f1b", "zb-h1", "dualpipe", "dualpipe-v"]),
    hide=st.booleans(),
)
def test_the_parts_are_the_whole(power: float, schedule: str, hide: bool) -> None:
    job = replace(OLMOE, schedule=schedule, practice=Practice(overlap=("pipeline", *(("expert",) if hide else ()))))
    found = simulate(job, zipf(16, 64, power))
    assert sum(getattr(found, name) for name in PARTS) == pytest.approx(
        found.run.seconds + found.data + found.optimiser
    )
    assert all(getattr(found, name) >= 0 for name in PARTS)
    assert found.exposed_comm <= found.comm * (1 + 1e-9)
    assert 0 < found.idle_fraction < 1
    written = found.to_json()
    assert written["schema"] == "kleiber/step/1"
    assert sum(written[f"{name}_seconds"] for name in PARTS) == pytest.approx(written["step_seconds"])


@settings(deadline=None, max_examples=6)
@given(low=st.floats(0, 1.4), more=st.floats(0.01, 0.5))
def test_a_more_uneven_trace_never_takes_less(low: float, more: float) -> None:
    less, worse = (simulate(OLMOE, zipf(16, 64, power)) for power in (low, low + more))
    assert worse.seconds >= less.seconds
    assert worse.compute == pytest.approx(less.compute)


def test_even_loads_are_no_trace() -> None:
    assert simulate(OLMOE, np.ones((16, 64))).seconds == pytest.approx(simulate(OLMOE).seconds, rel=1e-5)


def test_the_slowest_device_decides() -> None:
    """One layer whose experts are all on one of 16 devices: that device does 16 times the routed work there."""
    loads = np.ones((16, 64))
    loads[3, 4:] = 0.0  # the first four experts, on device 0
    found = measured(loads, 8, 2, 16, layers=16)
    assert found.slowest_L[3] == pytest.approx(16)
    assert found.slowest_L[0] == pytest.approx(1)


def test_a_balanced_placement_takes_the_imbalance_away() -> None:
    loads = zipf(16, 64, 1.0)
    placed = find("window-fill").place(loads, Cluster.of(2, 8, 5))
    plain, better = simulate(OLMOE, loads), simulate(OLMOE, loads, placed)
    assert plain.imbalance > 0.1 * plain.seconds
    assert better.imbalance < 1e-6 * better.seconds
    assert better.seconds < plain.seconds
    assert better.memory_bytes > plain.memory_bytes


def test_capacity_bounds_the_slowest_and_drops_the_rest() -> None:
    loads = np.array([[4.0, 2.0, 1.0, 1.0]])
    kept, dropped = capped(loads[None], 1.0)
    assert kept.tolist() == [[[2, 2, 1, 1]]]
    assert dropped.tolist() == [0.25]
    strict = simulate(replace(OLMOE, capacity_factor=1.0), zipf(16, 64, 1.0))
    free = simulate(OLMOE, zipf(16, 64, 1.0))
    assert strict.slowest <= 1
    assert 0 < strict.dropped_fraction < 1
    assert free.dropped_fraction == 0


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 1.25])
def test_what_the_capacity_drops_is_not_worked_on(factor: float) -> None:
    """Under even loads a factor below 1 leaves every expert that part: of compute only the routed experts' share goes."""
    even, trace = simulate(OLMOE), zipf(16, 64, 1.0)
    found, uneven = (simulate(replace(OLMOE, capacity_factor=factor), loads) for loads in (None, trace))
    less = 1 - min(1.0, factor)
    assert found.dropped_fraction == pytest.approx(less)
    assert found.imbalance == pytest.approx(0, abs=1e-9)
    half = simulate(replace(OLMOE, capacity_factor=0.5))
    assert even.compute - found.compute == pytest.approx(2 * less * (even.compute - half.compute))
    assert (found.seconds < 0.99 * even.seconds) == (factor < 1)
    assert (found.comm < 0.99 * even.comm) == (factor < 1)
    for step in (found, uneven):
        assert sum(getattr(step, name) for name in PARTS) == pytest.approx(
            step.run.seconds + step.data + step.optimiser
        )
    assert uneven.imbalance > 0


def test_the_slowest_device_is_looked_for_step_by_step() -> None:
    """Busy experts that move from step to step: even as a whole, each step as slow as the one that is looked at alone."""
    busy = np.ones((4, 16, 64))
    for step in range(4):
        busy[step, :, 16 * step : 16 * (step + 1)] = 9.0
    moving, alone, whole = simulate(OLMOE, busy), simulate(OLMOE, busy[0]), simulate(OLMOE, busy.sum(axis=0))
    assert whole.imbalance == pytest.approx(0, abs=1e-9)
    assert moving.imbalance == pytest.approx(alone.imbalance)
    assert moving.comm == pytest.approx(alone.comm)
    assert moving.seconds == pytest.approx(alone.seconds)


def test_long_traces_are_read_in_stretches() -> None:
    counts = np.random.default_rng(0).poisson(50, (100, 16, 64)).astype(float)
    found = stretches(counts)
    assert found.shape == (64, 16, 64)
    assert found.sum() == counts.sum()
    routing = measured(counts, 8, 2, 16, layers=16)
    devices = counts.reshape(100, 16, 16, 4).sum(axis=3)
    assert routing.slowest_L == pytest.approx(devices.max(axis=2).sum(axis=0) / devices.mean(axis=2).sum(axis=0))
    assert routing.reached.device_LG.shape == (64 * 16, 16)


@pytest.mark.parametrize("recompute", ["none", "full"])
def test_measured_rows_say_what_more_of_them_take(recompute: str) -> None:
    """By hand: the slowest device's assignments beyond the mean, forward and backward; what is even stays as reckoned."""
    trace = zipf(16, 64, 1.0)
    plain = replace(OLMOE, pipeline=1, recompute=recompute)
    told = replace(plain, row_seconds=(1e-8, 3e-8))
    found, routing = simulate(told, trace), measured(trace, 8, 2, 16, layers=16)
    beyond = (routing.slowest_L - 1).sum() * 4096 * 8 * found.micro_batches
    assert found.imbalance == pytest.approx(beyond * (4e-8 + (1e-8 if recompute == "full" else 0)))
    assert found.compute == pytest.approx(simulate(plain, trace).compute)


def test_a_node_limit_means_the_same_for_even_loads_and_for_none() -> None:
    job = replace(OLMOE, nodes=4, devices_per_node=4, practice=Practice(node_limit=2))
    plain, traced = simulate(job), simulate(job, np.ones((16, 64)))
    assert traced.comm == pytest.approx(plain.comm, rel=1e-5)
    slow = replace(job, device=replace(job.device, network=1e15))  # the link decides
    assert simulate(slow, np.ones((16, 64))).comm == pytest.approx(simulate(slow).comm, rel=1e-5)


def test_every_expert_chosen() -> None:
    """Top-k = E: every token needs every device, and no router can be uneven."""
    layer = replace(sparse_layer(OLMOE.shape), count=16, chosen=16)
    block = replace(OLMOE.shape.blocks[0], feed_forward=layer)
    job = replace(OLMOE, shape=replace(OLMOE.shape, blocks=(block,)))
    for found in (simulate(job), simulate(job, np.ones((16, 16)))):
        assert found.nodes_per_token == pytest.approx(2)
        assert found.imbalance == pytest.approx(0, abs=1e-9)


def test_pairs_hide_messages() -> None:
    """DualPipe exposes less than 1F1B of the same messages; hiding a chunk's messages behind itself, less still."""
    plain, paired = (simulate(replace(OLMOE, schedule=name, sequences=1024)) for name in ("1f1b", "dualpipe"))
    assert plain.exposed_comm == pytest.approx(plain.comm)
    assert paired.exposed_comm < 0.8 * paired.comm


def test_twice_the_speed_of_everything_is_half_the_time() -> None:
    device = OLMOE.device
    fast = replace(
        device,
        flops={name: 2 * value for name, value in device.flops.items()},
        matmul={name: 2 * value for name, value in device.matmul.items()},
        bandwidth=2 * device.bandwidth,
        link=2 * device.link,
        network=2 * device.network,
    )
    at_once = Practice(efficiency=replace(Practice().efficiency, latency=0.0))
    one, two = (simulate(replace(OLMOE, device=each, practice=at_once), zipf(16, 64, 0.6)) for each in (device, fast))
    assert one.seconds / two.seconds == pytest.approx(2)
    assert one.idle_fraction == pytest.approx(two.idle_fraction)


def test_what_if() -> None:
    loads = zipf(16, 64, 0.6)
    before = simulate(OLMOE, loads)
    widths = what_if(OLMOE, loads, None, "width", [8, 16, 3])
    assert widths[1].step is not None
    assert widths[1].step.seconds == before.seconds
    assert widths[0].step is not None
    assert widths[0].step.job.devices == OLMOE.devices
    assert widths[0].step.exposed_comm < before.exposed_comm
    assert widths[2].step is None
    assert "fills neither nodes" in widths[2].why
    assert widths[0].to_json(before)["faster"] > 1
    spare = what_if(OLMOE, loads, None, "replicas", [0, 1])
    assert spare[1].step is not None
    assert spare[0].step is not None
    assert spare[1].step.imbalance <= spare[0].step.imbalance <= before.imbalance
    limits = what_if(replace(OLMOE, nodes=4, devices_per_node=4), None, None, "node-limit", [1, 2, 4])
    reached = [answer.step.nodes_per_token for answer in limits if answer.step is not None]
    assert reached == sorted(reached)
    assert reached[0] == 1
    with pytest.raises(InputError, match="did you mean 'width'"):
        what_if(OLMOE, loads, None, "widht", [8])


def test_bad_input() -> None:
    with pytest.raises(InputError, match="other experts than the model"):
        simulate(OLMOE, np.ones((16, 32)))
    with pytest.raises(InputError, match="one kind of expert layer"):
        simulate(replace(OLMOE, shape=model("llama-3-8b")))
    with pytest.raises(InputError, match="placement is for another cluster"):
        simulate(OLMOE, np.ones((16, 64)), find("window-fill").place(np.ones((16, 64)), Cluster.of(1, 8, 9)))
    with pytest.raises(InputError, match="experts do not fill the devices evenly"):
        simulate(replace(OLMOE, nodes=3, devices_per_node=1, sequences=48), np.ones((16, 64)))
    with pytest.raises(InputError, match="experts do not fill the devices evenly"):
        simulate(replace(OLMOE, nodes=3, devices_per_node=1, sequences=48))
    odd = replace(OLMOE, nodes=3, devices_per_node=1, sequences=48, practice=Practice(node_limit=2))
    with pytest.raises(InputError, match="a node limit is reckoned for experts that fill the devices evenly"):
        simulate(odd, np.ones((16, 64)), find("window-fill").place(np.ones((16, 64)), Cluster.of(3, 1, 23)))
    with pytest.raises(InputError, match="layer 2: a layer has no load"):
        simulate(OLMOE, np.where(np.arange(16)[:, None] == 2, 0.0, np.ones((16, 64))))
    lost = Cluster(nodes=2, devices_per_node=8, slots=(6,) * 16, lost=(3,))
    with pytest.raises(InputError, match="a step is reckoned for equal devices"):
        simulate(OLMOE, np.ones((16, 64)), find("window-fill").place(np.ones((16, 64)), lost))
    with pytest.raises(InputError, match="2 micro-batches for each device"):
        simulate(replace(OLMOE, schedule="dualpipe", sequences=64))
    with pytest.raises(InputError, match="capacity factor is a positive number"):
        simulate(replace(OLMOE, capacity_factor=0.0), np.ones((16, 64)))
