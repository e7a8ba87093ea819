"""Experts: the grouped product is the loop it stands for, no token is dropped, and each balance does what it says."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.lab.decoder import DecoderShape, ExpertSetting
from kleiber.lab.models.experts import BIAS_STEP, LOSS_WEIGHT, Experts, load, max_violation
from kleiber.lab.models.feed_forward import bend


def layer(**setting: object) -> Experts:
    found = ExpertSetting(**setting)  # type: ignore[arg-type]
    shape = DecoderShape(width=16, depth=1, hidden=32, context=8, experts=found)
    experts = Experts(shape, found)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in experts.parameters():
            weight.normal_(0, 0.3, generator=random)
    return experts


def one_by_one(experts: Experts, stream_NW: torch.Tensor) -> torch.Tensor:
    """The definition: every token through its experts, one at a time."""
    setting, out = experts.setting, []
    for token_W in stream_NW:
        logit_E = experts.router(token_W)
        score_E = logit_E.softmax(0) if setting.gate == "softmax" else logit_E.sigmoid()
        chosen = sorted(range(setting.count), key=lambda e: -float((score_E[e] + experts.bias_E[e]).detach()))[
            : setting.chosen
        ]
        whole = sum(score_E[e] for e in chosen) if setting.chosen > 1 else 1.0
        total = sum(
            score_E[e] / whole * (bend(token_W @ experts.up_EWU[e], gated=True) @ experts.down_EHW[e]) for e in chosen
        )
        out.append(total + experts.shared(token_W) if experts.shared is not None else total)
    return torch.stack(out)


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("chosen", "shared"), [(1, 0), (2, 1), (4, 0)])
def test_grouped_is_one_by_one(gate: str, chosen: int, shared: int) -> None:
    experts = layer(count=4, chosen=chosen, granularity=2, shared=shared, gate=gate)
    experts.bias_E += torch.tensor([0.3, 0.0, -0.2, 0.0])
    stream_NW = torch.randn(11, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
    weights = [stream_NW, *experts.parameters()]
    quick = torch.autograd.grad(experts(stream_NW).square().sum(), weights)
    slow = torch.autograd.grad(one_by_one(experts, stream_NW).square().sum(), weights)
    torch.testing.assert_close(experts(stream_NW), one_by_one(experts, stream_NW), atol=1e-5, rtol=1e-5)
    for one, other in zip(quick, slow, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


def test_no_token_is_dropped_however_uneven_the_load() -> None:
    experts = layer(count=4, chosen=2, granularity=1)
    experts.bias_E += torch.tensor([9.0, 9.0, 0.0, 0.0])
    experts(torch.randn(50, 16, generator=torch.Generator().manual_seed(1)))
    assert experts.load_E.tolist() == [50, 50, 0, 0]
    assert max_violation(experts.load_E) == 1.0


def test_load_counts_every_choice() -> None:
    assert load(torch.tensor([[0, 2], [2, 1], [2, 0]]), 4).tolist() == [2, 1, 3, 0]


def test_the_auxiliary_loss_is_its_weight_at_perfect_balance_and_more_off_it() -> None:
    experts = layer(count=4, chosen=1, granularity=1, gate="softmax", balance="loss")
    stream_NW = torch.eye(16)[:4] * 10
    with torch.no_grad():
        experts.router.weight.zero_()[:, :4] = torch.eye(4)
    experts(stream_NW)
    assert float(experts.penalty.detach()) == pytest.approx(LOSS_WEIGHT)
    experts(stream_NW[:1].expand(4, -1))
    score = math.exp(10) / (math.exp(10) + 3)
    assert float(experts.penalty.detach()) == pytest.approx(LOSS_WEIGHT * 4 * score)


def test_the_bias_moves_by_the_sign_of_what_is_missing() -> None:
    experts = layer(count=4, chosen=1, granularity=1)
    experts.load_E = torch.tensor([8.0, 0.0, 4.0, 4.0])
    experts.balance()
    assert experts.bias_E.tolist() == pytest.approx([-BIAS_STEP, BIAS_STEP, 0.0, 0.0])


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_the_bias_evens_a_lopsided_load_out(gate: str) -> None:
    experts = layer(count=4, chosen=1, granularity=1, gate=gate)
    stream_NW = torch.randn(256, 16, generator=torch.Generator().manual_seed(1)) + 0.5
    experts(stream_NW)
    before = max_violation(experts.load_E)
    for _ in range(1500):
        experts.route(stream_NW)
        experts.balance()
    assert before > 0.3
    assert max_violation(experts.load_E) < 0.1


def test_without_training_no_bias_moves_and_the_load_adds_up() -> None:
    experts = layer(count=4, chosen=2, granularity=1).eval()
    stream_NW = torch.randn(10, 16, generator=torch.Generator().manual_seed(1))
    experts(stream_NW)
    experts(stream_NW)
    assert float(experts.seen_E.sum()) == 40
    assert float(experts.bias_E.abs().sum()) == 0
