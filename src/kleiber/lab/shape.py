"""The shape of a dense decoder and what it costs, by closed form: no tensor is made here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kleiber import cost
from kleiber.cost.checks import whole
from kleiber.errors import InputError

HEAD_WIDTH = (
    8  # so narrow that the number of heads follows the width and no size of a small ladder is left with a single one
)
VOCABULARY = 256  # of bytes


@dataclass(frozen=True, kw_only=True)
class DenseShape:
    """The dimensions of a decoder-only transformer.

    `width` is the residual stream, `depth` the number of blocks, `hidden` the inner width of the MLP and
    `context` the window in tokens; `vocabulary` is 256 where tokens are bytes. Every head is `head_width` wide. `rotary_base`
    sets how slowly the slowest of a head's pairs of channels turns from place to place; None is half the context.

    >>> shape = DenseShape(width=32, depth=2, hidden=128, context=128)
    >>> shape.heads, shape.params, shape.embedding_params
    (4, 24576, 16384)
    """

    width: int
    depth: int
    hidden: int
    context: int
    vocabulary: int = VOCABULARY
    rotary_base: int | None = None
    head_width: int = HEAD_WIDTH

    def __post_init__(self) -> None:
        check_heads("a dense shape", self.head_width, self.rotary_base)
        for name in ("width", "depth", "hidden", "context", "vocabulary"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(
                    f"a dense shape needs {name} as a whole number of at least 1",
                    found=repr(value),
                    expected="1, 2, 3, ...",
                )
        if self.width % self.head_width:
            raise InputError(
                "the width is not a whole number of heads",
                found=str(self.width),
                expected=f"a multiple of {self.head_width}",
                remedy=f"take {max(1, round(self.width / self.head_width)) * self.head_width}",
            )

    @property
    def family(self) -> str:
        """Always `dense`."""
        return "dense"

    def facts(self) -> dict[str, Any]:
        """What a run's name is made of."""
        return facts_of(self)

    @property
    def heads(self) -> int:
        """Attention heads per block."""
        return self.width // self.head_width

    @property
    def attention_params(self) -> int:
        """Query, key, value and output maps of all blocks: 4 · width² · depth."""
        return 4 * self.width**2 * self.depth

    @property
    def mlp_params(self) -> int:
        """Up and down maps of all blocks: 2 · width · hidden · depth."""
        return 2 * self.width * self.hidden * self.depth

    @property
    def cost(self) -> cost.Shape:
        """The same model as `kleiber.cost` counts it."""
        block = cost.Block(
            mixer=cost.Attention(heads=self.heads, kv_heads=self.heads, head_width=self.head_width),
            feed_forward=cost.FeedForward(hidden=self.hidden, gated=False),
            times=self.depth,
        )
        return cost.Shape(
            width=self.width,
            vocabulary=self.vocabulary,
            tied=False,
            blocks=(block,),
            norms_per_part=0,
            final_norm=False,
        )

    @property
    def params(self) -> int:
        """Non-embedding parameters: attention and MLP maps (the norms carry none).

        This is the N of Kaplan et al. 2020 (arXiv:2001.08361, section 2.1): it leaves out the embedding
        *and* the output head.
        """
        return self.attention_params + self.mlp_params

    @property
    def active_params(self) -> int:
        """Those that one token uses: all of `params`."""
        return self.params

    @property
    def embedding_params(self) -> int:
        """The embedding and the untied output head: 2 · vocabulary · width."""
        return 2 * self.vocabulary * self.width

    @property
    def params_total(self) -> int:
        """Every parameter of the model."""
        return self.params + self.embedding_params

    @property
    def counted_flops_per_token(self) -> int:
        """Training FLOPs per token, every matrix product counted.

        3 · [2 · params + 2 · vocabulary · width + 2 · depth · width · (context + 1)]

        A multiply-add is 2 FLOPs and a backward pass costs two forward passes. The middle term is the output
        head; the embedding is a look-up and costs none. The last is the query-key and score-value products
        (2 · 2 · width FLOPs per block and key) over the (context + 1) / 2 keys that a token sees on average
        under the causal mask. Hoffmann et al. 2022 (arXiv:2203.15556, appendix F) and PaLM (arXiv:2204.02311,
        appendix B) count the masked keys as well, which doubles that term. Norms, softmax and the optimiser
        are left out, as there.
        """
        head = 2 * self.vocabulary * self.width
        attention = 2 * self.depth * self.width * (self.context + 1)
        return 3 * (2 * self.params + head + attention)

    @property
    def flops_per_token(self) -> int:
        """The rule of thumb 6 · params (Kaplan et al. 2020, section 2.1), non-embedding."""
        return 6 * self.params


def facts_of(shape: Any) -> dict[str, Any]:
    """All fields of a shape but those at what was once the only value: names given to runs before there were others stand."""
    usual = {"vocabulary": VOCABULARY, "rotary_base": None, "head_width": HEAD_WIDTH}
    return {name: value for name, value in asdict(shape).items() if name not in usual or value != usual[name]}


def check_heads(owner: str, head_width: int, rotary_base: int | None) -> None:
    """Raise `InputError` for heads without halves, and for a base by which no pair of channels turns slower than the first."""
    whole(owner, "head_width", head_width, at_least=2)
    if head_width % 2:
        raise InputError(f"{owner} needs an even head_width", found=str(head_width), remedy=f"take {head_width + 1}")
    if rotary_base is not None:
        whole(owner, "rotary_base", rotary_base, at_least=2)
