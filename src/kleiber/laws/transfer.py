"""What a model of another family is worth as a dense transformer, for a planner whose user fitted a dense law.

The way the data takes: a published pair of laws, of one lab and one tokeniser -> `Transfer`, monomials that turn params and
tokens of the one family into those of a dense model with the same loss term, and what is left over in nats -> the user's law.
Where both laws are Chinchilla's with the same floor (the joint law of experts: L = E + m N^mu + n D^nu), the terms are matched
one by one and nothing is left over: m(E) N^mu(E) = m(1) N'^mu(1), so N' = (m(E)/m(1))^(1/mu(1)) N^(mu(E)/mu(1)), and tokens
likewise. Where only perplexities at one point are published, the difference of their logarithms is added to the loss.

Every transfer carries a caveat, since none of them was measured on the user's data; whoever shows a plan shows it.

Sources: Ludziejewski et al. 2025, arXiv 2502.05172, table 3; Dao & Gu 2024 (Mamba-2), arXiv 2405.21060, tables 1 and 3, read in
notes that agree; Beck et al. 2025 (xLSTM), arXiv 2510.02228, NX-AI/xlstm_scaling_laws lnd_pareto_combined.ipynb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, log10
from statistics import stdev
from typing import Any

from kleiber.errors import InputError
from kleiber.laws.chinchilla import CHINCHILLA_COUPLED
from kleiber.laws.parameter import extrapolation
from kleiber.laws.routed import CLARK, JOINT, JOINT_PAPER, ROUTED, at_experts, saturated

MAMBA = "Dao & Gu 2024 (Mamba-2), arXiv 2405.21060, tables 1 and 3, read in notes"
ONE_POINT = {"params": (2.7e9, 2.7e9), "tokens": (3e11, 3e11)}
CLARK_TOKENS = 1.3e11  # of every run of Clark et al., so the one place where the joint law can be held against theirs
TRANSFORMER_PERPLEXITY = 6.13
STATE_SPACE_PERPLEXITIES = {"mamba-2": 6.09, "mamba-2 with feed-forward layers": 6.13}
HYBRID_PERPLEXITIES = {"58 mamba-2 and 6 attention layers": 5.95, "28 mamba-2, 4 attention, 32 feed-forward": 6.00}


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How a model with N active params on D tokens reads as a dense one.

    The dense model has `params_factor` N^`params_power` params and `tokens_factor` D^`tokens_power` tokens; `loss_offset` nats
    come on top of the loss that the dense law gives there, with a standard deviation of `offset_doubt` nats.
    """

    name: str
    params_factor: float = 1.0
    params_power: float = 1.0
    tokens_factor: float = 1.0
    tokens_power: float = 1.0
    loss_offset: float = 0.0
    offset_doubt: float = 0.0
    source: str = ""
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    caveat: str = ""

    def params(self, active_params: Any) -> Any:
        """Params of the dense model that is as good, of a number or an array of active params.

        >>> dense_transfer().params(7e9)
        7000000000.0
        """
        return self.params_factor * active_params**self.params_power

    def tokens(self, tokens: Any) -> Any:
        """Tokens that a dense model would need in their stead, of a number or an array.

        >>> dense_transfer().tokens(1e12)
        1000000000000.0
        """
        return self.tokens_factor * tokens**self.tokens_power

    def extrapolation(self, inputs: Mapping[str, float]) -> Mapping[str, float]:
        """By what factor `inputs` (params, tokens, experts) lie outside what was measured; see `laws.parameter.badge`.

        >>> dict(experts_transfer(64.0).extrapolation({"params": 1e9, "experts": 64.0}))
        {'experts': 2.0}
        """
        return extrapolation(self.domain, inputs)


def dense_transfer() -> Transfer:
    """The dense model itself: nothing changes.

    >>> dense_transfer().loss_offset
    0.0
    """
    return Transfer(name="dense")


def experts_transfer(experts: float, *, params: float = 1e9) -> Transfer:
    """A model of `experts` full-size experts a layer, one used per token, by the joint law of Ludziejewski et al. 2025.

    Its doubt is the spread of what that law and the three of Clark et al. 2022, of another lab, say that experts gain a model of
    `params` on 130B tokens: .015 nats at 1B params and 8 experts.
    `experts` need not be whole. For finer experts of which a token uses k, total over active expert params is what counts as
    `experts`; that reading is ours.

    Raises `InputError` below one expert.

    >>> f"{experts_transfer(8.0).params(1e9):.3g}"
    '1.22e+09'
    """
    if not experts >= 1:
        raise InputError("a model has at least one expert", found=str(experts), expected="experts >= 1")
    found = JOINT.coefficients("ludziejewski-2025")
    sparse, dense = at_experts(experts, found.values), at_experts(1.0, found.values)
    ranges = found.domain
    return Transfer(
        name=f"experts-{experts:g}",
        params_factor=(sparse.m / dense.m) ** (1 / dense.mu),
        params_power=sparse.mu / dense.mu,
        tokens_factor=(sparse.n / dense.n) ** (1 / dense.nu),
        tokens_power=sparse.nu / dense.nu,
        offset_doubt=_disagreement(experts, params),
        source=f"{JOINT_PAPER}, table 3; doubt from {CLARK}, table 3",
        domain={"params": ranges["active_params"], "tokens": ranges["tokens"], "experts": ranges["experts"]},
        caveat="What experts are worth is taken from the joint law of Ludziejewski et al. 2025, fitted on 79M to 2.7B active "
        "params, 0.5B to 80B tokens and 1 to 32 experts of full size. On your data it is an assumption.",
    )


def state_space_transfer() -> Transfer:
    """A Mamba-2 model: the dense loss, and the difference of two published perplexities on top.

    >>> round(state_space_transfer().loss_offset, 4)
    -0.0033
    """
    return _at_one_point(
        "state-space",
        STATE_SPACE_PERPLEXITIES,
        "Measured at one point: 2.7B params, 300B tokens of the Pile, context 2048. The xLSTM laws say that recurrent models "
        "lose ground as tokens per param grow. Recall from a long context is not in the loss.",
    )


def hybrid_transfer() -> Transfer:
    """A model of Mamba-2 layers with about one attention layer in ten.

    >>> round(hybrid_transfer().loss_offset, 4)
    -0.0256
    """
    return _at_one_point(
        "hybrid",
        HYBRID_PERPLEXITIES,
        "Measured at one point: 2.7B params, 300B tokens of the Pile, context 2048, about a tenth of the layers attention. "
        "Whether the gain lasts at other sizes is an assumption.",
    )


def recurrent_transfer() -> Transfer:
    """An xLSTM model, by the authors' laws of both families: L = E + (A/N^alpha + B/D^beta)^gamma, gamma .258 and .253.

    Each term is matched as if it stood alone. The two gammas differ by 2 %, so where both terms matter the sum comes out up to
    .01 nats low. The floors differ by .099 nats, which is the offset.

    >>> round(recurrent_transfer().loss_offset, 3)
    0.099
    """
    xlstm = CHINCHILLA_COUPLED.coefficients("xlstm-2025")
    recurrent, dense = xlstm.values, CHINCHILLA_COUPLED.coefficients("xlstm-2025-transformer").values
    params_factor, params_power = _matched("A", "alpha", recurrent, dense)
    tokens_factor, tokens_power = _matched("B", "beta", recurrent, dense)
    return Transfer(
        name="recurrent",
        params_factor=params_factor,
        params_power=params_power,
        tokens_factor=tokens_factor,
        tokens_power=tokens_power,
        loss_offset=recurrent["E"] - dense["E"],
        offset_doubt=0.04,
        source=xlstm.source,
        domain=xlstm.domain,
        caveat="xLSTM against Transformer, two fits by one lab at context 8192. The lower terms and the higher floor nearly "
        "cancel; outside 80M to 7B params and 2B to 2T tokens they will not. Another fit of the same runs moves the "
        "difference by up to 0.08 nats, more than the difference itself.",
    )


def _disagreement(experts: float, params: float) -> float:
    """Standard deviation of what the joint law and Clark's three say that `experts` gain at 130B tokens, in nats."""
    joint = JOINT.coefficients("ludziejewski-2025").values
    sparse, dense = at_experts(experts, joint), at_experts(1.0, joint)
    size = sparse.m * params**sparse.mu - dense.m * params**dense.mu
    data = sparse.n * CLARK_TOKENS**sparse.nu - dense.n * CLARK_TOKENS**dense.nu
    clark = (
        _routed_loss(params, experts, each.values) - _routed_loss(params, 1.0, each.values) for each in ROUTED.published
    )
    return stdev([size + data, *clark])


def _routed_loss(params: float, experts: float, values: Mapping[str, float]) -> float:
    """The law `routed`, in plain arithmetic: a plan asks for it once per shape."""
    count = saturated(experts, values)
    power = values["a"] + values["c"] * log10(count)
    return 10 ** values["d"] * params**power * count ** values["b"]


def _matched(weight: str, power: str, other: Mapping[str, float], dense: Mapping[str, float]) -> tuple[float, float]:
    """Factor and power with (w/x^p)^gamma the same for `other` at x and for `dense` at factor x^power."""
    outer = other["gamma"] / dense["gamma"]
    return (dense[weight] / other[weight] ** outer) ** (1 / dense[power]), other[power] * outer / dense[power]


def _at_one_point(name: str, perplexities: Mapping[str, float], caveat: str) -> Transfer:
    """The mean log ratio of `perplexities` to the transformer's; the doubt is the spread of all published pairs, halved."""
    every = [log(value / TRANSFORMER_PERPLEXITY) for value in (STATE_SPACE_PERPLEXITIES | HYBRID_PERPLEXITIES).values()]
    own = [log(value / TRANSFORMER_PERPLEXITY) for value in perplexities.values()]
    return Transfer(
        name=name,
        loss_offset=sum(own) / len(own),
        offset_doubt=(max(every) - min(every)) / 2,
        source=MAMBA,
        domain=ONE_POINT,
        caveat=caveat,
    )
