"""Routed experts at a fixed number of tokens (Clark 2022), and with tokens (Ludziejewski 2025): gains that saturate in experts.

Both count experts through E', which starts at E_start for one expert and levels off at E_max:
1/E' = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max.
Clark:  log10 L = a log10 N + b log10 E' + c log10 N log10 E' + d, all runs on 130B tokens, N the params of the dense model that
the experts were added to. A routed model is worth a dense one of `equivalent_params`, which solves L(N', 1) = L(N, E).
Joint:  L = E + A E'^delta N^(alpha + gamma ln E') + B E'^omega D^(beta + zeta ln E'), N active params with embeddings. At each
number of experts this is Chinchilla's law (`at_experts`), which is what `transfer` rests on.

Two traps. Clark's law has a size N = 10^(-b/c) beyond which experts hurt; the paper prints 937B, 85B and 83B, the printed digits
make 1000B, 32B and 215B, so no such size is given here. And the signs of the joint law are those of its table 3: alpha, beta and
delta are negative, gamma and omega positive (a copy with all of them turned is in circulation).

Sources: Clark et al. 2022, "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169, eqs 1 and 11, table 3 (read
in notes that cite them); Ludziejewski et al. 2025, "Joint MoE Scaling Laws", arXiv 2502.05172, eq. 6, tables 1, 3 and 4,
appendices A to E.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, log10

from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients, Parameter
from kleiber.laws.unknowns import exponent, floor, scale

CLARK = "Clark et al. 2022, arXiv 2202.01169"
JOINT_PAPER = "Ludziejewski et al. 2025, arXiv 2502.05172"
SATURATED = "saturated = 1/(1/(experts - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max)"

_START = scale("E_start", "what one expert counts as", starts=(1.5, 3.0), lower=1.01, upper=20.0)
_MOST = scale("E_max", "what no number of experts exceeds", starts=(100.0, 500.0), lower=25.0, upper=1e6)


def _signed(name: str, meaning: str, starts: tuple[float, ...], reach: float = 2.5) -> Parameter:
    return exponent(name, meaning, starts=starts, lower=-reach, upper=reach)


def _clark(name: str, values: tuple[float, ...], tolerance: float) -> Coefficients:
    return Coefficients(
        name=f"clark-2022-{name}",
        values=dict(zip(("a", "b", "c", "d", "E_start", "E_max"), values, strict=True)),
        source=f"{CLARK}, table 3, read in two sets of notes",
        domain={"active_params": (15e6, 1.3e9), "experts": (1.0, 512.0)},
        conventions="params of the dense model without its further experts; one expert a token; nats per token after 130B tokens",
        tolerance=tolerance,
        note="Holds for 130B tokens only: what experts gain depends on the tokens, which the joint law carries. Three decimals "
        "of c leave the size at which experts stop paying open by a factor. The upper end of the range of params is ours.",
    )


ROUTED = Law(
    f"""
    {SATURATED}
    10**d * active_params**(a + c*log(saturated)/log(10)) * saturated**b
    """,
    name="routed",
    title="Routed experts at 130B tokens: size, experts, and their trade-off",
    parameters=(
        _signed("a", "how fast loss falls with params, per decade", (-0.1, -0.05)),
        _signed("b", "how fast loss falls with experts, per decade", (-0.2, -0.1)),
        _signed("c", "how much less experts gain a larger model", (0.005, 0.02)),
        _signed("d", "log10 of the loss at one param and one expert", (0.8, 1.2), reach=10.0),
        _START,
        _MOST,
    ),
    source=f"{CLARK}, eq. 1",
    validity="one number of tokens (130B) for every run; 15M to 1.3B dense params, up to 512 experts, one of them per token",
    published=(
        _clark("s-base", (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478), 0.042),
        _clark("rl-r", (-0.083, -0.126, 0.012, 1.111, 1.880, 469.982), 0.042),
        _clark("hash", (-0.087, -0.136, 0.012, 1.157, 4.175, 477.741), 0.042),
    ),
)

JOINT = Law(
    f"""
    {SATURATED}
    size_term = A * saturated**delta * active_params**(alpha + gamma*log(saturated))
    data_term = B * saturated**omega * tokens**(beta + zeta*log(saturated))
    E + size_term + data_term
    """,
    name="joint-experts",
    title="Experts, active params and tokens: a Chinchilla law for every number of experts",
    parameters=(
        floor(),
        scale("A", "weight of the size term", starts=(20.0, 100.0)),
        scale("B", "weight of the data term", starts=(20.0, 100.0)),
        _signed("alpha", "power of active params", (-0.3, -0.15)),
        _signed("beta", "power of tokens", (-0.3, -0.15)),
        _signed("delta", "how experts shrink the size term", (-0.3, 0.1)),
        _signed("gamma", "how experts flatten the power of params", (0.0, 0.02)),
        _signed("omega", "how experts raise the data term", (0.1, 0.5)),
        _signed("zeta", "how experts steepen the power of tokens", (-0.03, 0.0)),
        _START,
        _MOST,
    ),
    source=f"{JOINT_PAPER}, eq. 6",
    validity="1 to 32 experts of full size, one per token; 79M to 2.7B active params; 0.5B to 80B tokens, up to about 400 per "
    "active param",
    published=(
        Coefficients(
            name="ludziejewski-2025",
            values={
                "E": 1.3637,
                "A": 35.91,
                "B": 35.98,
                "alpha": -0.1889,
                "beta": -0.1775,
                "delta": -0.2285,
                "gamma": 0.0098,
                "omega": 0.5529,
                "zeta": -0.0259,
                "E_start": 2.0732,
                "E_max": 290.4521,
            },
            source=f"{JOINT_PAPER}, table 3",
            domain={"active_params": (79e6, 2.7e9), "tokens": (5e8, 8e10), "experts": (1.0, 32.0)},
            conventions="active params with both embeddings (2 d V + 13 layers d^2, V 50257); tokens; nats per token; FLOPs 6ND",
            tolerance=0.003,
            note="Makes the multipliers of table 4 to 0.3 % and its exponents to 1e-4, and the optima of table 1 to about 1.5 %. "
            "Most of table 1 (1e21 and 1e22 FLOP) lies outside the runs. Runs far from the law were weighted down, not out.",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class AtExperts:
    """The joint law at one number of experts: L = E + m N^mu + n D^nu."""

    m: float
    mu: float
    n: float
    nu: float


def saturated(experts: float, values: Mapping[str, float]) -> float:
    """What `experts` count as: E_start at one expert, E_max at the most.

    >>> round(saturated(1, {"E_start": 2.0732, "E_max": 290.4521}), 4)
    2.0732
    """
    start, most = values["E_start"], values["E_max"]
    return 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / most)) + 1 / most)


def at_experts(experts: float, values: Mapping[str, float]) -> AtExperts:
    """The Chinchilla law that the joint law is at one number of experts (its table 4).

    >>> found = at_experts(8, JOINT.coefficients("ludziejewski-2025").values)
    >>> round(found.mu, 4), round(found.nu, 4)
    (-0.1676, -0.2339)
    """
    count = saturated(experts, values)
    return AtExperts(
        m=values["A"] * count ** values["delta"],
        mu=values["alpha"] + values["gamma"] * log(count),
        n=values["B"] * count ** values["omega"],
        nu=values["beta"] + values["zeta"] * log(count),
    )


def equivalent_params(params: float, experts: float, values: Mapping[str, float]) -> float:
    """Params of the dense model that is as good as a routed one under Clark's law: N' with L(N', 1) = L(N, E).

    N' = N^(s(E')/s(E_start)) (E'/E_start)^(b/s(E_start)) with s(x) = a + c log10 x.

    `params` are those of the dense model that the `experts` were added to; `values` a published set of `routed`.

    >>> f"{equivalent_params(1e9, 128, ROUTED.coefficients('clark-2022-s-base').values):.3g}"
    '3.76e+09'
    """
    count, start = saturated(experts, values), values["E_start"]
    slope, dense = (values["a"] + values["c"] * log10(x) for x in (count, start))
    return params ** (slope / dense) * (count / start) ** (values["b"] / dense)
