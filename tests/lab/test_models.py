"""Every family of models: counted exactly, causal, learning, resumable, the same from the same seed."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

import torch

from kleiber import cost
from kleiber.lab import FAMILIES
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.decoder import DecoderShape
from kleiber.lab.dial import KEYS, Dial, Shape
from kleiber.lab.models import MODELS, build
from kleiber.lab.models.roles import role
from kleiber.lab.recipe import Recipe
from kleiber.lab.train import State, Trainer

CONTEXT = 24
DIALS = {
    "dense": Dial(depth=2, mlp_ratio=4),
    "dense, shared keys": Dial(depth=2, mlp_ratio=3, gated=True, queries_per_key=2),
    "experts": Dial(family="experts", depth=2, shared=1),
    "experts, loss": Dial(
        family="experts", depth=1, experts=4, chosen=1, granularity=1, balance="loss", gate="softmax"
    ),
    "experts, plain": Dial(family="experts", depth=1, experts=16, chosen=4, granularity=4, balance="none", gated=False),
    "ssm": Dial(family="ssm", depth=2, chunk=8),
    "ssm, fed": Dial(family="ssm", depth=1, mlp_ratio=2, state=8, scan_head_width=8, chunk=64),
    "hybrid": Dial(family="hybrid", depth=4, attention_every=2, chunk=8),
    "hybrid, experts": Dial(family="hybrid", depth=3, attention_every=3, experts=4, queries_per_key=2),
}
each_dial = pytest.mark.parametrize("dial", DIALS.values(), ids=DIALS.keys())
each_family = pytest.mark.parametrize("dial", [DIALS[name] for name in FAMILIES], ids=FAMILIES)
GROUPS = {"embedding.weight": "embedding", "head.weight": "head", "router": "router", "bias_E": "router"}


@pytest.fixture(scope="module")
def corpus(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


def group(name: str) -> str:
    """The group of `cost.Params` that a tensor belongs to, from its name."""
    part = name.split(".")
    if found := [GROUPS[key] for key in GROUPS if key in (name, *part)]:
        return found[0]
    if "gain_D" in name:
        return "norms"
    if "into" in part or "out" in part or "mixer" in part or "attention" in part:
        return "mixer"
    if "shared" in part:
        return "shared"
    return "routed" if "up_EWU" in part or "down_EHW" in part else "feed_forward"


def tensors(model: torch.nn.Module) -> dict[str, int]:
    return {name: tensor.numel() for name, tensor in model.state_dict().items()}


def test_the_contents_page_names_every_family() -> None:
    assert tuple(family.name for family in MODELS) == FAMILIES == cost.FAMILIES == tuple(KEYS)


@each_dial
@pytest.mark.parametrize(("width", "vocabulary"), [(16, 256), (32, 256), (80, 256), (16, 2048), (32, 300)])
def test_every_tensor_is_counted(dial: Dial, width: int, vocabulary: int) -> None:
    shape = dial.at_width(width, context=CONTEXT, vocabulary=vocabulary)
    sizes = tensors(build(shape, seed=0))
    counted = cost.params(shape.cost)
    assert shape.family == dial.family
    assert sum(sizes.values()) == counted.total == shape.params_total
    found: Counter[str] = Counter()
    for name, size in sizes.items():
        found[group(name)] += size
    groups = Counter(counted.groups)
    groups["mixer"] = groups.pop("attention", 0) + groups.pop("state_space", 0)
    assert found == +groups
    assert sizes["embedding.weight"] == sizes["head.weight"] == vocabulary * width
    assert shape.params == shape.params_total - sizes["embedding.weight"] - sizes["head.weight"]
    assert shape.params == dial.at_width(width, context=CONTEXT).params
    head = 6 * (vocabulary - 256) * width
    assert shape.counted_flops_per_token == dial.at_width(width, context=CONTEXT).counted_flops_per_token + head


@each_dial
def test_active_params_leave_out_idle_experts(dial: Dial) -> None:
    shape = dial.at_width(32, context=CONTEXT)
    sizes = tensors(build(shape, seed=0))
    routed = sum(size for name, size in sizes.items() if group(name) == "routed")
    setting = shape.experts if isinstance(shape, DecoderShape) else None
    idle = routed * (1 - setting.chosen / setting.count) if setting else 0
    assert shape.active_params == shape.params - idle


def test_dense_flops_agree_with_the_general_count() -> None:
    shape = DIALS["dense"].at_width(32, context=CONTEXT)
    assert shape.counted_flops_per_token == cost.train_flops(shape.cost, CONTEXT)


@each_dial
def test_a_later_byte_changes_no_earlier_logit(dial: Dial) -> None:
    model = scattered(build(dial.at_width(32, context=CONTEXT), seed=0))
    random = torch.Generator().manual_seed(1)
    bytes_BT = torch.randint(256, (2, CONTEXT), generator=random)
    with torch.no_grad():
        before_BTV = model(bytes_BT)
        for place in (1, 9, CONTEXT - 1):
            changed_BT = bytes_BT.clone()
            changed_BT[:, place] = (changed_BT[:, place] + 7) % 256
            after_BTV = model(changed_BT)
            torch.testing.assert_close(after_BTV[:, :place], before_BTV[:, :place], atol=2e-5, rtol=0)
            assert (after_BTV[:, place:] - before_BTV[:, place:]).abs().amax(dim=-1).min() > 1e-4


def scattered(model: torch.nn.Module) -> torch.nn.Module:
    """A model whose head is not zero, so that its logits say something."""
    with torch.no_grad():
        model.get_parameter("head.weight").normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    return model


@each_dial
def test_gradients_are_finite_and_reach_every_tensor(dial: Dial) -> None:
    model = scattered(build(dial.at_width(16, context=CONTEXT), seed=0))
    bytes_BT = torch.randint(256, (4, CONTEXT + 1), generator=torch.Generator().manual_seed(1))
    logits_BTV = model(bytes_BT[:, :-1])
    torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), bytes_BT[:, 1:].flatten()).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().max() > 0, name


def recipe_of(dial: Dial) -> Recipe:
    return Recipe(context=CONTEXT, batch_windows=4, lr=0.01, warmup_tokens=4 * CONTEXT, transfer=dial.family != "dense")


def batch_loss(trainer: Trainer, step: int) -> float:
    bytes_BT = torch.from_numpy(trainer.windows.batch(step))
    with torch.no_grad():
        logits_BTV = trainer.model(bytes_BT[:, :-1])
    return float(torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), bytes_BT[:, 1:].flatten()))


@each_dial
def test_the_loss_falls_over_thirty_steps(dial: Dial, corpus: Corpus) -> None:
    trainer = Trainer(dial.at_width(32, context=CONTEXT), recipe_of(dial), corpus, seed=0)
    assert batch_loss(trainer, 1000) == pytest.approx(math.log(256), abs=1e-5)
    trainer.train_trunk(30)
    # The corpus spells twelve words with some twenty letters: an even guess among them costs log 20.
    assert batch_loss(trainer, 1000) < math.log(20)


def same(one: State, other: State) -> bool:
    names = ("weights_P", "first_P", "second_P", "kept_Q")
    return one.step == other.step and all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


@each_dial
def test_a_kill_at_any_step_changes_no_bit(dial: Dial, corpus: Corpus, tmp_path: Path) -> None:
    shape, recipe, end = dial.at_width(16, context=CONTEXT), recipe_of(dial), 6
    whole = Trainer(shape, recipe, corpus, seed=0)
    for step in range(end):
        whole.train_trunk(step)
        whole.state().save(tmp_path / f"{step}.npz")
    whole.train_trunk(end)
    for step in range(end):
        again = Trainer(shape, recipe, corpus, seed=0)
        again.restore(State.load(tmp_path / f"{step}.npz"))
        again.train_trunk(end)
        assert same(again.state(), whole.state()), f"killed after {step} steps"


def test_a_checkpoint_written_before_there_were_experts_is_taken_up(corpus: Corpus, tmp_path: Path) -> None:
    shape, recipe = DIALS["dense"].at_width(16, context=CONTEXT), recipe_of(DIALS["dense"])
    trainer = Trainer(shape, recipe, corpus, seed=0)
    trainer.train_trunk(2)
    state = trainer.state()
    np.savez(tmp_path / "2.npz", weights=state.weights_P, first=state.first_P, second=state.second_P, step=2)
    again = Trainer(shape, recipe, corpus, seed=1)
    again.restore(State.load(tmp_path / "2.npz"))
    assert same(again.state(), state)


@each_family
def test_the_same_seed_gives_the_same_bits(dial: Dial) -> None:
    shape = dial.at_width(16, context=CONTEXT)

    def bits(seed: int) -> list[np.ndarray]:
        return [tensor.numpy() for tensor in build(shape, seed=seed).state_dict().values()]

    assert all(np.array_equal(a, b) for a, b in zip(bits(3), bits(3), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(bits(3), bits(4), strict=True))


def test_plain_dense_trains_as_one_vector_with_one_rate(corpus: Corpus) -> None:
    """What the shipped runs were made by, written out: every tensor in order in one vector, AdamW over the whole of it."""
    shape, recipe = DIALS["dense"].at_width(16, context=CONTEXT), recipe_of(DIALS["dense"])
    trainer = Trainer(shape, recipe, corpus, seed=0)
    trainer.train_trunk(8)
    model = build(shape, seed=0)
    optimiser = torch.optim.AdamW(
        model.parameters(), betas=(recipe.beta1, recipe.beta2), weight_decay=recipe.weight_decay, fused=True
    )
    for step in range(8):
        bytes_BT = torch.from_numpy(trainer.windows.batch(step))
        logits_BTV = model(bytes_BT[:, :-1])
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits_BTV.reshape(-1, 256), bytes_BT[:, 1:].reshape(-1)).backward()
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        gradient = torch.cat([part.reshape(-1) for part in gradients])
        share = torch.clamp(recipe.clip_norm / (gradient.norm() + 1e-6), max=1.0)
        for part in gradients:
            part.mul_(share)
        optimiser.param_groups[0]["lr"] = recipe.trunk_lr(step, 16)
        optimiser.step()
    expected = torch.cat([weight.detach().reshape(-1) for weight in model.parameters()]).numpy()
    assert np.array_equal(trainer.state().weights_P, expected)


@pytest.mark.slow
# PyTorch's compiler trips over PyTorch's own warnings (deprecations, gradients of tensors at a break of the graph).
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["experts", "experts, loss", "hybrid"])
def test_compiled_training_is_the_same_but_for_rounding(name: str, corpus: Corpus) -> None:
    shape, recipe = DIALS[name].at_width(16, context=CONTEXT), recipe_of(DIALS[name])
    losses: dict[bool, list[float]] = {False: [], True: []}
    weights: dict[bool, np.ndarray] = {}
    for flag, noted in losses.items():
        listen = [lambda trainer, lr, loss, noted=noted: noted.append(float(loss))]
        trainer = Trainer(shape, replace(recipe, compile=flag), corpus, seed=0, listeners=listen)
        start = trainer.state().weights_P
        trainer.train_trunk(5)
        weights[flag] = trainer.state().weights_P
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
    # Adam divides a gradient by its size: where rounding decides the sign, a single weight takes the other step. Few do.
    apart = np.linalg.norm(weights[True] - weights[False])
    assert apart < 0.01 * np.linalg.norm(weights[False] - start)


def test_every_tensor_has_the_role_its_name_says() -> None:
    shape = DIALS["hybrid, experts"].at_width(16, context=CONTEXT)
    roles = {
        name.split(".", 2)[-1]: role(name, weight.dim()) for name, weight in build(shape, seed=0).named_parameters()
    }
    vectors = {name.rsplit(".", 1)[-1] for name, part in roles.items() if part == "vector"}
    assert vectors == {"kernel_XK", "kernel_bias_X", "step_bias_H", "log_decay_H", "skip_H", "gain_D"}
    assert [name for name, part in roles.items() if part == "router"] == ["feed_forward.router.weight"]


def test_first_values_of_maps_have_the_std_they_should(corpus: Corpus) -> None:
    shape: Shape = DIALS["experts"].at_width(128, context=CONTEXT)
    weights = build(shape, seed=0).state_dict()
    assert float(weights["blocks.0.feed_forward.up_EWU"].std()) == pytest.approx(128**-0.5, rel=0.02)
    # Two blocks of two parts write to the stream; an expert here is 3 * 128 / 2 wide.
    assert float(weights["blocks.0.feed_forward.down_EHW"].std()) == pytest.approx((192 * 4) ** -0.5, rel=0.02)
    assert float(weights["blocks.0.feed_forward.router.weight"].std()) == pytest.approx(128**-0.5, rel=0.1)


def test_rates_by_role(corpus: Corpus) -> None:
    """One step of Adam moves a weight by its rate: read off by how far it goes."""
    shape, recipe = DIALS["ssm"].at_width(64, context=CONTEXT), replace(recipe_of(DIALS["ssm"]), weight_decay=0.0)
    trainer = Trainer(shape, recipe, corpus, seed=0)
    trainer.train_trunk(1)
    before = {name: weight.clone() for name, weight in trainer.model.named_parameters()}
    trainer._weights.second.zero_()
    trainer._weights.first.zero_()
    for steps in trainer._weights._steps:
        steps.zero_()
    trainer.train_trunk(2)
    moved = {name: float((w - before[name]).detach().abs().max()) for name, w in trainer.model.named_parameters()}
    assert moved["head.weight"] == pytest.approx(0.01 * 32 / 64, rel=1e-3)
    assert moved["blocks.0.mixer.into.weight"] == pytest.approx(0.01 * 32 / 64, rel=1e-3)
    assert moved["embedding.weight"] == pytest.approx(0.01, rel=1e-3)
    assert moved["blocks.0.mixer.skip_H"] == pytest.approx(0.01, rel=1e-3)
