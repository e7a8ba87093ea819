"""Pipeline schedules: one conformance test for all of them, the closed forms, and PyTorch's own orders."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import find_schedule
from kleiber.errors import InputError
from kleiber.experts.pipeline import SCHEDULES, Chunk, Durations, Pipeline, Timeline, find_pipeline, timeline
from kleiber.experts.pipeline.timeline import even, waits_for

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
SECONDS = st.floats(0.1, 3.0)


def arranged(schedule: Pipeline, devices: int, more: int) -> tuple[int, int, int]:
    """Devices, micro-batches and virtual stages that the schedule can run with."""
    devices += schedule.even and devices % 2
    virtual = 3 if schedule.rounds else 1
    batches = devices * more if schedule.rounds else schedule.fewest * devices + more
    return devices, batches + (schedule.even and batches % 2), virtual


def ends(found: Timeline) -> dict[tuple[str, int, int], float]:
    """When every chunk is done, I counted as B."""
    return {
        ("B" if chunk.kind == "I" else chunk.kind, chunk.stage, chunk.batch): float(end)
        for slots, row in zip(found.orders, found.ends, strict=True)
        for slot, end in zip(slots, row, strict=True)
        for chunk in slot
    }


@every_schedule
@settings(deadline=None, max_examples=25)
@given(devices=st.integers(1, 7), more=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_conformance(schedule: Pipeline, devices: int, more: int, seed: int) -> None:
    """Every chunk once; no two of a device overlap; nothing begins before what it waits for; whatever takes how long."""
    devices, batches, virtual = arranged(schedule, devices, more)
    orders, stages = schedule.orders(devices, batches, virtual), schedule.stages(devices, virtual)
    counted = Counter(chunk for slots in orders for slot in slots for chunk in slot)
    assert len(orders) == devices
    assert set(counted.values()) == {1}
    for stage in range(stages):
        for batch in range(batches):
            kinds = {kind for kind in "FBIW" if Chunk(kind, stage, batch) in counted}  # type: ignore[arg-type]
            assert kinds in ({"F", "B"}, {"F", "I", "W"})
            assert schedule.splits_backward or "I" not in kinds
    rng = np.random.default_rng(seed)
    shape = (stages, batches)
    backward = rng.uniform(0.1, 3, shape)
    drawn = Durations(
        forward_SM=rng.uniform(0.1, 3, shape),
        backward_SM=backward,
        weight_SM=backward * rng.uniform(0, 1, shape),
        forward_messages_SM=rng.uniform(0, 3, shape),
        backward_messages_SM=rng.uniform(0, 3, shape),
        hop_seconds=0.05,
        slowness_D=rng.uniform(1, 2, devices),
    )
    found = timeline(orders, drawn)
    done = ends(found)
    for slots, starts, row in zip(orders, found.starts, found.ends, strict=True):
        assert (starts[1:] >= row[:-1] - 1e-9).all()
        for slot, start in zip(slots, starts, strict=True):
            for chunk in slot:
                before = waits_for(chunk, stages)
                if before is not None:
                    assert start >= done[before[0]] + (0.05 if before[1] else 0.0) - 1e-9
    assert found.seconds == max(done.values())
    assert (found.idle >= -1e-9).all()
    assert (found.exposed_D <= found.busy_D).all()
    assert any(starts[0] == 0 for starts in found.starts)


@every_schedule
def test_every_slot_begins_as_soon_as_it_can(schedule: Pipeline) -> None:
    """The longest path: each start equals the latest of what it waits for."""
    devices, batches, virtual = arranged(schedule, 4, 3)
    found = timeline(schedule.orders(devices, batches, virtual), even(schedule.stages(devices, virtual), 1.0, 2.2, 0.9))
    done, stages = ends(found), schedule.stages(devices, virtual)
    for slots, starts, row in zip(found.orders, found.starts, found.ends, strict=True):
        for place, slot in enumerate(slots):
            waited = [done[before[0]] for chunk in slot if (before := waits_for(chunk, stages)) is not None]
            free = [row[place - 1]] if place else [0.0]
            assert starts[place] == max([*waited, *free])


@pytest.mark.parametrize(
    ("name", "devices", "virtual", "bubble"),
    [("gpipe", 8, 1, 21), ("1f1b", 8, 1, 21), ("interleaved", 8, 3, 7), ("zb-h1", 8, 1, 7), ("dualpipe", 8, 1, 6),
     ("dualpipe-v", 4, 1, 6)],
)  # fmt: skip
def test_the_published_table(name: str, devices: int, virtual: int, bubble: float) -> None:
    """F 1, B 2, W 1, F&B 3 and eight stages: 21, 7 and 6 (DualPipe, README); interleaved in three chunks 21/3."""
    schedule = find_pipeline(name)
    share = 1 / virtual
    found = timeline(
        schedule.orders(devices, 24, virtual), even(schedule.stages(devices, virtual), share, 2 * share, share)
    )
    assert found.idle == pytest.approx(np.full(devices, bubble))


@settings(deadline=None, max_examples=40)
@given(devices=st.integers(1, 8), more=st.integers(0, 9), forward=SECONDS, backward=SECONDS)
def test_gpipe_and_1f1b_stand_idle_for_all_but_one_stage(
    devices: int, more: int, forward: float, backward: float
) -> None:
    for name in ("gpipe", "1f1b"):
        found = timeline(find_pipeline(name).orders(devices, devices + more), even(devices, forward, backward))
        assert found.idle == pytest.approx(np.full(devices, find_schedule("1f1b").bubble(devices, forward, backward)))


@settings(deadline=None, max_examples=30)
@given(
    devices=st.integers(1, 6), rounds=st.integers(1, 4), virtual=st.integers(1, 4), forward=SECONDS, backward=SECONDS
)
def test_chunks_divide_the_bubble(devices: int, rounds: int, virtual: int, forward: float, backward: float) -> None:
    schedule = find_pipeline("interleaved")
    found = timeline(
        schedule.orders(devices, rounds * devices, virtual),
        even(schedule.stages(devices, virtual), forward / virtual, backward / virtual),
    )
    expected = find_schedule("interleaved").bubble(devices, forward, backward, virtual=virtual)
    assert found.idle == pytest.approx(np.full(devices, expected))


@settings(deadline=None, max_examples=40)
@given(devices=st.integers(1, 8), more=st.integers(0, 9), forward=SECONDS, back=SECONDS, share=st.floats(0.05, 1.0))
def test_zb_h1_where_w_is_the_shortest(devices: int, more: int, forward: float, back: float, share: float) -> None:
    """(P - 1)(F + B - 2 W) for every F and I = B - W that W does not exceed."""
    weight = share * min(forward, back)
    found = timeline(
        find_pipeline("zb-h1").orders(devices, devices + more), even(devices, forward, back + weight, weight)
    )
    expected = find_schedule("zb-h1").bubble(devices, forward, back + weight, weight)
    assert found.idle == pytest.approx(np.full(devices, expected), abs=1e-9)
    assert (found.peak_D <= devices).all()


@settings(deadline=None, max_examples=40)
@given(half=st.integers(1, 4), more=st.integers(0, 6), forward=SECONDS, share=st.floats(0.05, 1.0))
def test_dualpipe_where_f_equals_i(half: int, more: int, forward: float, share: float) -> None:
    """(P/2 - 1)(F&B + B - 3 W), folded or not, with P + 1 micro-batches kept."""
    stages, each, weight = 2 * half, 2 * half + more, share * forward
    durations = even(stages, forward, forward + weight, weight)
    flat = timeline(find_pipeline("dualpipe").orders(stages, 2 * each), durations)
    folded = timeline(find_pipeline("dualpipe-v").orders(half, each), durations)
    expected = find_schedule("dualpipe").bubble(stages, forward, forward + weight, weight)
    assert flat.idle == pytest.approx(np.full(stages, expected), abs=1e-9)
    assert folded.idle == pytest.approx(np.full(half, expected), abs=1e-9)
    assert flat.peak_D.max() <= stages + 1
    assert flat.seconds == pytest.approx(folded.seconds)


@settings(deadline=None, max_examples=40)
@given(
    half=st.integers(1, 4), more=st.integers(0, 6), slack=st.floats(0.0, 2.0), back=SECONDS, share=st.floats(0.05, 1)
)
def test_dualpipe_where_f_is_longer(half: int, more: int, slack: float, back: float, share: float) -> None:
    """The README's form is for F = I. With F longer it is (P/2 - 1)(2 F + I - W), which that form is not."""
    stages, weight, forward = 2 * half, share * back, back + slack
    found = timeline(
        find_pipeline("dualpipe").orders(stages, 2 * (stages + more)), even(stages, forward, back + weight, weight)
    )
    assert found.idle == pytest.approx(np.full(stages, (half - 1) * (2 * forward + back - weight)), abs=1e-9)


def test_kept_micro_batches() -> None:
    """GPipe keeps all, 1F1B P - i, zb-h1 P everywhere, DualPipe P + 1 (its README)."""
    kept = {
        name: timeline(find_pipeline(name).orders(8, 32), even(8, 1, 2, 1)).peak_D.tolist()
        for name in ("gpipe", "1f1b", "zb-h1", "dualpipe")
    }
    assert kept == {"gpipe": [32] * 8, "1f1b": [8, 7, 6, 5, 4, 3, 2, 1], "zb-h1": [8] * 8, "dualpipe": [9] * 8}


@pytest.mark.parametrize("virtual", [2, 3])
def test_kept_micro_batches_of_interleaved_stages(virtual: int) -> None:
    """As many as `cost` reckons with."""
    found = timeline(find_pipeline("interleaved").orders(4, 16, virtual), even(4 * virtual, 1, 2))
    expected = [find_schedule("interleaved").under_way(4, stage, virtual) * virtual for stage in range(4)]
    assert found.peak_D.tolist() == expected


def test_a_slow_device_slows_all() -> None:
    """1F1B behind one device of four that is twice as slow: two stages to reach it, its 12 passes, a wait for the last stage
    between its second forward and its first backward, and two stages back: 2 + 72 + 1 + 4."""
    slow = np.array([1.0, 1.0, 2.0, 1.0])
    durations = even(4, 1.0, 2.0)
    found = timeline(
        find_pipeline("1f1b").orders(4, 12),
        Durations(**{**vars(durations), "slowness_D": slow}),
    )
    assert found.seconds == pytest.approx(2 + 12 * 6 + 1 + 2 * 2)


def test_paired_messages_hide() -> None:
    """In a long DualPipe step only the chunks at either end show their messages."""
    orders = find_pipeline("dualpipe").orders(4, 40)
    plain = timeline(orders, even(4, 1.0, 2.0, 0.5, messages=(1.0, 1.0)))
    loud = timeline(orders, even(4, 1.0, 2.0, 0.5, messages=(2.5, 2.5)))
    pairs = [sum(len(slot) == 2 for slot in slots) for slots in orders]
    alone = [sum(len(slot) == 1 and slot[0].kind != "W" for slot in slots) for slots in orders]
    assert plain.exposed_D.tolist() == alone
    assert loud.exposed_D == pytest.approx(np.array(pairs) * 2.0 + np.array(alone) * 2.5)


@pytest.mark.slow  # importing PyTorch
def test_dualpipe_v_is_pytorchs() -> None:
    schedules = pytest.importorskip("torch.distributed.pipelining.schedules")
    for devices, batches in ((1, 2), (2, 4), (3, 9), (4, 12)):
        owner = SimpleNamespace(pp_group_size=devices, _n_microbatches=batches)
        for place, slots in enumerate(find_pipeline("dualpipe-v").orders(devices, batches)):
            theirs = schedules.ScheduleDualPipeV._calculate_single_rank_operations(owner, place)
            assert [_named(action) for action in theirs] == [tuple(slot) for slot in slots]


def _named(action) -> tuple[Chunk, ...]:
    """PyTorch's action as a slot."""
    if action.sub_actions:
        return tuple(chunk for each in action.sub_actions for chunk in _named(each))
    kind = {"FORWARD": "F", "FULL_BACKWARD": "B", "BACKWARD_INPUT": "I", "BACKWARD_WEIGHT": "W"}
    return (Chunk(kind[action.computation_type.name], action.stage_index, action.microbatch_index),)  # type: ignore[arg-type]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="did you mean 'dualpipe'"):
        find_pipeline("dualpip")
    with pytest.raises(InputError, match="dualpipe: pairs its devices"):
        find_pipeline("dualpipe").orders(3, 12)
    with pytest.raises(InputError, match="2 micro-batches for each device"):
        find_pipeline("dualpipe").orders(4, 6)
    with pytest.raises(InputError, match="half of the micro-batches each way"):
        find_pipeline("dualpipe").orders(4, 9)
    with pytest.raises(InputError, match="in rounds of the devices"):
        find_pipeline("interleaved").orders(4, 6, 2)
    with pytest.raises(InputError, match="chooses the stages of a device itself"):
        find_pipeline("1f1b").orders(4, 6, 2)
    with pytest.raises(InputError, match="batches as a whole number"):
        find_pipeline("1f1b").orders(4, 0)
    with pytest.raises(InputError, match="exceeds the whole"):
        even(2, 1, 1, 2)
    with pytest.raises(InputError, match="waits for itself"):
        timeline((((Chunk("B", 0, 0),), (Chunk("F", 0, 0),)),), even(1, 1, 1))
