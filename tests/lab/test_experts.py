"""Experts: the grouped product is the loop it stands for, no token is dropped, and each balance does what it says."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber.lab.decoder import BALANCES, DecoderShape, ExpertSetting
from kleiber.lab.models import expert_choice
from kleiber.lab.models.balance import BIAS_STEP, LOSS_WEIGHT, POLICIES, quantile, scaling
from kleiber.lab.models.experts import Experts, load, max_violation
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
    with torch.no_grad():
        experts.router.weight.zero_()[:, :4] = torch.eye(4)
    experts(torch.eye(16)[[0, 0, 2, 3]] * 10)
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


def test_every_balance_that_a_shape_accepts_has_a_policy() -> None:
    assert tuple(policy.name for policy in POLICIES) == BALANCES


@pytest.mark.parametrize("chosen", [1, 2])
@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_quantiles_give_each_expert_its_share_all_others_keeping_theirs(gate: str, chosen: int) -> None:
    random = torch.Generator().manual_seed(2)
    logit_NE = torch.randn(64, 8, generator=random) + torch.arange(8) / 4
    score_NE = logit_NE.softmax(-1) if gate == "softmax" else logit_NE.sigmoid()
    bias_E = torch.randn(8, generator=random) / 10
    moved_E = quantile(bias_E, score_NE, logit_NE, torch.zeros(8), chosen)
    cutoff_N1 = (score_NE + bias_E).sort(dim=-1, descending=True).values[:, chosen : chosen + 1]
    # Where the expert is itself the first to be left out, score less cut-off is minus its bias: such tokens tie.
    sure_E, at_most_E = (((score_NE - cutoff_N1) > -moved_E + slack).sum(dim=0) for slack in (1e-6, -1e-6))
    assert (sure_E <= 64 * chosen // 8).all()
    assert (at_most_E >= 64 * chosen // 8).all()
    assert (sure_E == at_most_E - 1).any()


def test_quantiles_even_a_lopsided_load_out_in_a_few_steps() -> None:
    stream_NW = torch.randn(1024, 16, generator=torch.Generator().manual_seed(1)) + 0.5
    left = {}
    for balance in ("bias", "quantile"):
        experts = layer(count=16, chosen=2, granularity=1, balance=balance)
        for _ in range(20):
            experts.route(stream_NW)
            experts.balance()
        left[balance] = max_violation(experts.load_E)
    assert left["quantile"] < 0.1
    assert left["bias"] > 10 * left["quantile"]


def test_scaling_makes_an_even_plan_and_forgets_what_all_tokens_like() -> None:
    random = torch.Generator().manual_seed(3)
    logit_NE = torch.randn(50, 5, generator=random) * 2 + torch.arange(5)
    plan_NE = torch.softmax(logit_NE + scaling(logit_NE), dim=-1) / 50
    torch.testing.assert_close(plan_NE.sum(dim=0), torch.full((5,), 0.2), atol=1e-3, rtol=0)
    liked_E = torch.randn(1, 5, generator=random)
    shifted_NE = logit_NE + torch.randn(50, 1, generator=random) + liked_E
    moved_E = scaling(logit_NE) - scaling(shifted_NE) - liked_E[0]
    torch.testing.assert_close(moved_E, moved_E.mean().expand(5), atol=1e-2, rtol=0)


def test_sinkhorn_balances_training_and_what_is_measured_token_by_token() -> None:
    stream_NW = torch.randn(512, 16, generator=torch.Generator().manual_seed(1)) + 0.5
    plain, even = (layer(count=8, chosen=1, granularity=1, balance=name) for name in ("none", "sinkhorn"))
    plain(stream_NW)
    even(stream_NW)
    assert max_violation(even.load_E) < 0.5 * max_violation(plain.load_E)
    even.balance()
    even.eval()
    torch.testing.assert_close(even(stream_NW)[:10], even(stream_NW[:10]))
    even.seen_E.zero_()
    even(stream_NW)
    assert even.seen_E.tolist() == even.load_E.tolist()


def test_experts_that_choose_are_even_in_training_and_read_no_later_token_when_measured() -> None:
    experts = layer(count=4, chosen=2, granularity=1, shared=1, balance="expert-choice")
    stream_NW = torch.randn(64, 16, generator=torch.Generator().manual_seed(1))
    for _ in range(200):
        experts(stream_NW)
        experts.balance()
    assert experts.load_E.tolist() == [32, 32, 32, 32]
    experts.eval()
    torch.testing.assert_close(experts(stream_NW)[:10], experts(stream_NW[:10]))
    # The cut-offs have been learnt: on the text of training an expert takes about as many tokens as then.
    experts.seen_E.zero_()
    experts(stream_NW)
    assert experts.seen_E.tolist() == pytest.approx([32] * 4, abs=1)


def test_expert_choice_is_the_definition() -> None:
    experts = layer(count=4, chosen=1, granularity=1, balance="expert-choice", gate="softmax")
    stream_NW = torch.randn(12, 16, generator=torch.Generator().manual_seed(4))
    score_NE = experts.router(stream_NW).softmax(-1)
    wanted_NW = torch.zeros_like(stream_NW)
    for expert in range(4):
        for token in sorted(range(12), key=lambda n, e=expert: -float(score_NE[n, e].detach()))[:3]:
            inner_H = bend(stream_NW[token] @ experts.up_EWU[expert], gated=True)
            wanted_NW[token] += score_NE[token, expert] * (inner_H @ experts.down_EHW[expert])
    torch.testing.assert_close(experts(stream_NW), wanted_NW, atol=1e-5, rtol=1e-5)
    token_S, expert_S = expert_choice.taken(score_NE.detach(), 1)
    assert len(set(zip(token_S.tolist(), expert_S.tolist(), strict=True))) == 12


def test_without_training_no_bias_moves_and_the_load_adds_up() -> None:
    experts = layer(count=4, chosen=2, granularity=1).eval()
    stream_NW = torch.randn(10, 16, generator=torch.Generator().manual_seed(1))
    experts(stream_NW)
    experts(stream_NW)
    assert float(experts.seen_E.sum()) == 40
    assert float(experts.bias_E.abs().sum()) == 0
