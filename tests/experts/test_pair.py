"""Two overlapped chunks piece by piece: against a list of pieces with what each waits for, and against bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.cost import Practice, find_hardware, model
from kleiber.experts.pipeline import find_pipeline, timeline
from kleiber.experts.pipeline.pair import Passes, Pieces, exposed
from kleiber.experts.pipeline.timeline import even
from kleiber.experts.simulate import Job, durations, simulate

SECONDS = st.integers(0, 5)
PASSES = st.builds(Passes, SECONDS, SECONDS, SECONDS)
LAYER = st.builds(Pieces, PASSES, PASSES, SECONDS, SECONDS, st.sampled_from([1, 2]))


def waited(forward: list[Pieces], backward: list[Pieces]) -> float:
    """The same from a list of pieces: (stream, seconds, waits for), each begun once its stream is free and they are over."""
    back, listed = backward[::-1], {}
    for place, layer in enumerate(forward):
        before = [f"combine {place - 1}"] if place else []
        listed[f"attention {place}"] = ("compute", layer.mixer.forward, before)
        listed[f"dispatch {place}"] = ("wire", layer.dispatch, [f"attention {place}"])
        listed[f"experts {place}"] = ("compute", layer.experts.forward, [f"dispatch {place}"])
        listed[f"combine {place}"] = ("wire", layer.combine, [f"experts {place}"])
    for place, layer in enumerate(back):
        before = [f"back attention {place - 1}"] if place else []
        listed[f"back combine {place}"] = ("wire", layer.times_back * layer.dispatch, before)
        listed[f"back experts {place}"] = ("compute", layer.experts.back, [f"back combine {place}"])
        listed[f"weight experts {place}"] = ("compute", layer.experts.weight, [])
        listed[f"back dispatch {place}"] = ("wire", layer.times_back * layer.combine, [f"back experts {place}"])
        listed[f"back attention {place}"] = ("compute", layer.mixer.back, [f"back dispatch {place}"])
        listed[f"weight attention {place}"] = ("compute", layer.mixer.weight, [])
    kinds = ("back experts", "weight experts", "experts", "back attention", "weight attention")
    order = ["attention 0"] + [f"{kind} {place}" for place in range(max(len(forward), len(back))) for kind in kinds]
    for place in range(1, len(forward)):  # the next attention comes once this pair of layers is done
        order.insert(order.index(f"weight attention {place - 1}") + 1, f"attention {place}")
    wires = ["back combine 0"]
    for place in range(max(len(forward), len(back))):
        wires += [f"dispatch {place}", f"back dispatch {place}", f"combine {place}", f"back combine {place + 1}"]
    queues = {"compute": [name for name in order if name in listed], "wire": [name for name in wires if name in listed]}
    end: dict[str, float] = {}
    now = {"compute": 0.0, "wire": 0.0}
    while any(queues.values()):
        ready = [name for name, queue in queues.items() if queue and all(each in end for each in listed[queue[0]][2])]
        assert ready, "the pieces wait for each other"
        name = queues[ready[0]].pop(0)
        stream, seconds, before = listed[name]
        begin = max([now[stream] if seconds or stream == "compute" else 0.0, *(end[each] for each in before)])
        end[name] = begin + seconds
        now[stream] = max(now[stream], end[name]) if seconds or stream == "compute" else now[stream]
    return max(now.values()) - sum(seconds for stream, seconds, _ in listed.values() if stream == "compute")


@settings(deadline=None, max_examples=200)
@given(forward=st.lists(LAYER, max_size=4), backward=st.lists(LAYER, max_size=4))
def test_against_a_list_of_what_waits_for_what(forward: list[Pieces], backward: list[Pieces]) -> None:
    found = exposed(forward, backward)
    assert found == pytest.approx(waited(forward, backward))
    compute = sum(sum(layer.mixer[:1] + layer.experts[:1]) for layer in forward)
    compute += sum(sum(layer.mixer[1:] + layer.experts[1:]) for layer in backward)
    messages = sum(layer.dispatch + layer.combine for layer in forward)
    messages += sum(layer.times_back * (layer.dispatch + layer.combine) for layer in backward)
    assert found >= max(0, messages - compute) - 1e-9
    assert found <= messages + 1e-9


def test_a_long_message_does_not_hide_behind_the_whole_chunk() -> None:
    """Compute of 12 s a pair of layers and messages of 12 s, but unlike: a combine of 5 s runs beside 2 s."""
    plain = Pieces(mixer=Passes(2, 2, 2), experts=Passes(2, 2, 2), dispatch=3, combine=3)
    assert exposed([plain] * 4, [plain] * 4) > 0
    assert exposed([plain._replace(dispatch=1, combine=2)] * 4, [plain._replace(dispatch=1, combine=2)] * 4) == 0
    slow = exposed([plain] * 4, [plain] * 4, slowness=10.0)
    assert slow == 0


def test_pairs_of_a_schedule_use_them() -> None:
    """Layers whose messages sum to less than the compute beside them, and yet wait."""
    layer = Pieces(mixer=Passes(1, 1, 1), experts=Passes(3, 3, 3), dispatch=2, combine=3)
    orders = find_pipeline("dualpipe").orders(2, 8)
    seconds = replace(even(2, 4.0, 8.0, 4.0, messages=(5.0, 5.0)), pieces=((layer,), (layer,)))
    left = exposed([layer], [layer])
    assert left > 0
    plain, pieces = timeline(orders, replace(seconds, pieces=None)), timeline(orders, seconds)
    pairs = np.array([sum(len(slot) == 2 for slot in slots) for slots in orders])
    assert pieces.exposed_D == pytest.approx(plain.exposed_D + pairs * left)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_the_layers_of_a_stage_are_the_stage(recompute: str) -> None:
    """Every piece is in the stage's seconds once; without messages a pair takes what its pieces take."""
    job = Job(shape=model("deepseek-v3"), device=find_hardware("h800"), nodes=2, devices_per_node=8, pipeline=4, context=4096,
              sequences=256, schedule="dualpipe", recompute=recompute)  # fmt: skip
    found = simulate(job, np.random.default_rng(0).lognormal(0, 1, (58, 256)))
    assert [len(stage) for stage in found.stages.pieces] == [16, 15, 15, 16]  # the head is one of the last stage
    for stage, seconds in zip(found.stages.pieces, found.stages.backward, strict=True):
        assert seconds == pytest.approx(sum(sum(layer.mixer[1:]) + sum(layer.experts[1:]) for layer in stage))
        assert all(value >= 0 for layer in stage for value in (*layer.mixer, *layer.experts))
    silent = replace(job, device=replace(job.device, network=1e18, link=1e18), practice=Practice())
    quick = durations(simulate(silent).stages, 0.0, pairs=True, hidden=False)
    assert quick.pieces is not None
    assert exposed(quick.pieces[0], quick.pieces[3]) < 0.02 * found.stages.forward[0]
