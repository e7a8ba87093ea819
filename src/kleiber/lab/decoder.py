"""The shape of a decoder of any mixers and feed-forwards, and what it costs by `kleiber.cost`: no tensor is made here.

One idea: experts, state spaces and hybrids are one stack of blocks. Every `attention_every`-th block mixes tokens by attention
(1: all of them, 0: none), the others by a Mamba-2 scan; each may be followed by a feed-forward, plain or of experts. Which
family a shape belongs to is read off its parts, and every count is that of its `cost.Shape`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from kleiber import cost
from kleiber.cost.checks import one_of, whole_each
from kleiber.cost.shape import folded
from kleiber.errors import InputError
from kleiber.lab.shape import HEAD_WIDTH, VOCABULARY, check_heads, facts_of

BALANCES = ("bias", "loss", "none", "quantile", "sinkhorn", "expert-choice")
KEEP_BIAS = ("bias", "quantile", "sinkhorn", "expert-choice")  # a number per expert: a bias, a scale, a cut-off
GATES = ("sigmoid", "softmax")
EXPANSION = 2  # channels of a scan for each of the residual stream, as in every published Mamba-2


@dataclass(frozen=True, kw_only=True)
class ExpertSetting:
    """Experts of which a token sees `chosen` of `count`.

    `granularity`: how many times narrower an expert is than the plain feed-forward; `shared`: further experts that every token
    sees; `balance`: a policy of `kleiber.lab.models.balance`; `gate`: what makes a score of a logit.
    """

    count: int = 8
    chosen: int = 2
    granularity: int = 2
    shared: int = 0
    balance: str = "bias"
    gate: str = "sigmoid"

    def __post_init__(self) -> None:
        whole_each("a layer of experts", self, ("count", "chosen", "granularity"))
        whole_each("a layer of experts", self, ("shared",), at_least=0)
        one_of("a layer of experts", "balance", self.balance, BALANCES)
        one_of("a layer of experts", "gate", self.gate, GATES)
        if self.chosen > self.count:
            raise InputError(
                "a token cannot go to more experts than there are",
                found=f"{self.chosen} chosen of {self.count}",
                expected=f"at most {self.count}",
            )

    @property
    def keeps_bias(self) -> bool:
        """Whether the balance keeps a number per expert from step to step."""
        return self.balance in KEEP_BIAS

    @property
    def share(self) -> float:
        """Share of all experts that a token uses, shared ones counted."""
        return (self.chosen + self.shared) / (self.count + self.shared)


@dataclass(frozen=True, kw_only=True)
class ScanSetting:
    """A Mamba-2 scan: `state` numbers per channel, heads `head_width` wide, a convolution over `kernel` tokens, `chunk`s."""

    state: int = 16
    head_width: int = 16
    kernel: int = 4
    chunk: int = 32

    def __post_init__(self) -> None:
        whole_each("a Mamba-2 scan", self, ("state", "head_width", "kernel", "chunk"))


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """The dimensions of a decoder; `hidden`: inner width of a plain feed-forward (0: none); `vocabulary`: 256 for bytes;
    `rotary_base` and `head_width` as in `DenseShape`.

    >>> shape = DecoderShape(width=32, depth=4, hidden=0, context=128, attention_every=0)
    >>> shape.family, shape.heads, shape.params
    ('ssm', 0, 31408)
    """

    width: int
    depth: int
    hidden: int
    context: int
    attention_every: int = 1
    gated: bool = True
    queries_per_key: int = 1
    experts: ExpertSetting | None = None
    scan: ScanSetting = ScanSetting()
    vocabulary: int = VOCABULARY
    rotary_base: int | None = None
    head_width: int = HEAD_WIDTH

    def __post_init__(self) -> None:
        check_heads("a decoder", self.head_width, self.rotary_base)
        whole_each("a decoder", self, ("width", "depth", "context", "queries_per_key", "vocabulary"))
        whole_each("a decoder", self, ("hidden", "attention_every"), at_least=0)
        self._check_heads()
        if self.attention_every > self.depth:
            raise InputError(
                "the decoder would have no attention",
                found=f"attention in one block of {self.attention_every}, {self.depth} blocks",
                remedy="take more depth, a smaller attention_every, or the family ssm",
            )
        if self.experts and (not self.hidden or self.hidden % self.experts.granularity):
            raise InputError(
                "the feed-forward cannot be cut into experts so fine",
                found=f"{self.hidden} wide, granularity {self.experts.granularity}",
                expected="a width that the granularity divides",
            )

    def _check_heads(self) -> None:
        unit = self.head_width * self.queries_per_key
        if self.width % unit:
            raise InputError(
                "the width is not a whole number of heads",
                found=str(self.width),
                expected=f"a multiple of {unit}",
                remedy=f"take {max(unit, round(self.width / unit) * unit)}",
            )
        if self.attention_every != 1 and self.inner % self.scan.head_width:
            raise InputError(
                "the scan's channels are not a whole number of heads",
                found=f"{self.inner} channels, heads {self.scan.head_width} wide",
            )

    @property
    def inner(self) -> int:
        """Channels of a scan."""
        return EXPANSION * self.width

    @property
    def heads(self) -> int:
        """Attention heads of a block that has any."""
        return self.width // self.head_width if self.attention_every else 0

    @property
    def expert_hidden(self) -> int:
        """Inner width of one expert."""
        return self.hidden // self.experts.granularity if self.experts else self.hidden

    def attends(self, block: int) -> bool:
        """Whether block `block` (from 0) mixes by attention; in a hybrid the last block of every stretch does."""
        return self.attention_every > 0 and (block + 1) % self.attention_every == 0

    @functools.cached_property
    def cost(self) -> cost.Shape:
        """The same model as `kleiber.cost` counts it."""
        blocks = [cost.Block(mixer=self._mixer(n), feed_forward=self._feed_forward()) for n in range(self.depth)]
        return cost.Shape(
            width=self.width,
            vocabulary=self.vocabulary,
            tied=False,
            blocks=folded(blocks),
            norms_per_part=0,
            final_norm=False,
        )

    def _mixer(self, block: int) -> cost.Attention | cost.Mamba2:
        if self.attends(block):
            kv_heads = self.heads // self.queries_per_key
            return cost.Attention(heads=self.heads, kv_heads=kv_heads, head_width=self.head_width)
        scan = self.scan
        return cost.Mamba2(
            heads=self.inner // scan.head_width,
            head_width=scan.head_width,
            state=scan.state,
            kernel=scan.kernel,
            chunk=scan.chunk,
        )

    def _feed_forward(self) -> cost.FeedForward | cost.Experts | None:
        if not self.hidden:
            return None
        if self.experts is None:
            return cost.FeedForward(hidden=self.hidden, gated=self.gated)
        return cost.Experts(
            count=self.experts.count,
            chosen=self.experts.chosen,
            hidden=self.expert_hidden,
            gated=self.gated,
            shared_hidden=self.experts.shared * self.expert_hidden,
            router_bias=self.experts.keeps_bias,
        )

    @property
    def family(self) -> str:
        """`dense`, `experts`, `ssm` or `hybrid`."""
        return self.cost.family

    def facts(self) -> dict[str, Any]:
        """What a run's name is made of."""
        return facts_of(self)

    @property
    def params(self) -> int:
        """Non-embedding parameters, those of idle experts included."""
        return cost.params(self.cost).non_embedding

    @property
    def active_params(self) -> int:
        """Non-embedding parameters that one token uses."""
        return cost.params(self.cost).active - self.embedding_params

    @property
    def embedding_params(self) -> int:
        """The embedding and the untied output head."""
        return cost.params(self.cost).embedding

    @property
    def params_total(self) -> int:
        """Every parameter of the model."""
        return cost.params(self.cost).total

    @property
    def counted_flops_per_token(self) -> float:
        """Training FLOPs per token, every product counted: `cost.train_flops`."""
        return cost.train_flops(self.cost, self.context)

    @property
    def flops_per_token(self) -> int:
        """The rule of thumb 6 x active params, non-embedding."""
        return 6 * self.active_params
