"""Experts spread over two processes compute what one process does, wherever they sit; and every replica serves its share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ranks import together_on
from spread_by_ranks import PLACEMENTS

from kleiber.errors import InputError
from kleiber.lab.expert_parallel.clock import StepTimes
from kleiber.lab.expert_parallel.seats import seats

TOKENS_A_STEP, CHOSEN, LAYERS = 2 * 2 * 32, 2, 2


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("spread")
    together_on(Path(__file__).with_name("spread_by_ranks.py"), 2, str(folder))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


every_placement = pytest.mark.parametrize("placement", PLACEMENTS)


@every_placement
def test_forward_and_gradients_are_those_of_one_process(answers: list[dict[str, Any]], placement: str) -> None:
    for rank in answers:
        found = rank[placement]
        assert found["names"]
        assert found["largest"] > 1e-2
        assert found["logits"] < 1e-5
        assert found["loss"] < 1e-5
        assert found["gradient"] < 1e-5


@every_placement
def test_no_token_is_lost_and_ranks_hold_their_own_experts_only(answers: list[dict[str, Any]], placement: str) -> None:
    for layer in range(LAYERS):
        assert sum(sum(rank[placement]["came"][layer]) for rank in answers) == TOKENS_A_STEP * CHOSEN
    one_expert = 2 * (16 * 2 * 16 + 16 * 16)
    slots = PLACEMENTS[placement].slots_D
    held = [rank[placement]["held"] for rank in answers]
    assert held[0] - held[1] == (slots[0] - slots[1]) * one_expert


def test_a_slot_without_a_share_is_sent_nothing(answers: list[dict[str, Any]]) -> None:
    assert answers[1]["one rank with next to nothing"]["came"] == [[0]] * LAYERS


@every_placement
def test_a_step_is_work_waiting_and_moving(answers: list[dict[str, Any]], placement: str) -> None:
    found = answers[0][placement]
    # Out and back, forwards and backwards, in both layers, and the work after the last.
    assert found["stretches"] == 4 * LAYERS + 1
    assert found["least"] >= 0
    assert 0 <= found["idle"] < 1
    assert 0 <= found["idle_of_work"] < 1


def test_idle_fractions_in_closed_form() -> None:
    work_RQ = np.array([[3.0, 1.0], [1.0, 1.0]])
    times = StepTimes(
        work_seconds_RQ=work_RQ,
        processor_seconds_RQ=work_RQ / 2,
        idle_seconds_R=np.array([0.0, 2.0]),
        exchange_seconds_R=np.array([1.0, 1.0]),
    )
    assert times.idle_fraction == pytest.approx(2 / 10)
    assert times.idle_fraction_of_work == pytest.approx(1 - 3 / 4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), max_size=60), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_replicas_serve_their_shares_to_within_a_token(chosen: list[int], raw: list[float]) -> None:
    shares = np.array(raw) / sum(raw) if sum(raw) > 1e-3 else np.array([1.0, 0.0, 0.0])
    # Expert 2 sits on all three devices, in slots 2, 4 and 5 before they are put in the order of devices.
    placement = seats(
        [0, 1, 2, 3, 2, 2], [0, 1, 0, 1, 1, 2], [1.0, 1.0, shares[0], 1.0, shares[1], shares[2]], experts=4, devices=3
    )
    expert_N = torch.tensor(chosen, dtype=torch.int64)
    slot_N = placement.slot_of(expert_N).numpy()
    assert np.array_equal(placement.expert_of_slot_S[slot_N], expert_N.numpy())
    served_S = np.bincount(slot_N, minlength=6)
    total = chosen.count(2)
    replicas = placement.expert_of_slot_S == 2
    assert np.abs(served_S[replicas] - placement.share_S[replicas] * total).max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([0, 1], [0, 1], [1.0]), "three lists of one length"),
        (([0, 0], [0, 1], [0.5, 0.5]), "every expert needs a slot"),
        (([0, 1], [0, 2], [1.0, 1.0]), "every device needs a slot"),
        (([0, 1], [0, 1], [1.0, 0.9]), "sum to one (found 0.9 for expert 1)"),
        (([0, 1, 1], [0, 1, 0], [1.0, 1.5, -0.5]), "sum to one"),
    ],
)
def test_placements_that_are_none(arrays: tuple[list[int], list[int], list[float]], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        seats(*arrays, experts=2, devices=2)
