"""Efficiency leverage (Ling 2025): how many times the compute a dense model would need for the loss of a sparse one.

EL = C_dense/C_sparse = A'^(a + d log10 C + gamma (log2 G)^2 + beta log2 G), A' = A + A_start. A is the share of experts
a token uses, counting shared ones, (E_a + E_s)/(E + E_s); G = 2 width/(expert width). Sparser is better, the more so the
larger the budget; granularity has a best value, 2^(-beta/(2 gamma)) = 11.

What is inferred: the paper does not print the bases of its logarithms. Only log10 for compute with log2 for granularity
meets both of its claims, a best G of 8 to 12 and a leverage "exceeding 7x" at A 3.1 %, G 12, C 1e22 (7.24 here). Natural
logarithms throughout would give 5334. The paper lets A' level off at A_max = 5.28e16, which a share never nears: it is
left out (a change of 1e-17).

Source: Ling Team 2025, "Towards Greater Leverage", arXiv 2507.17702, eqs 10 and 13, table 2. How its optimal params,
tokens, learning rate and batch grow with compute stands with the laws of that kind (`optimal-flops-per-token`,
`optimal-tokens`, `compute-lr`, `compute-batch`).
"""

from __future__ import annotations

from kleiber.laws.allocation import LING
from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, scale

LEVERAGE = Law(
    """
    finer = log(granularity)/log(2)
    (activation_ratio + A_start)**(a + d*log(flops)/log(10) + gamma*finer**2 + beta*finer)
    """,
    name="efficiency-leverage",
    title="Leverage of sparse experts: compute of an equally good dense model, over their own",
    parameters=(
        exponent(
            "a", "power of the share used, at 1 FLOP and granularity 1", starts=(0.5, 1.5), lower=-10.0, upper=10.0
        ),
        exponent("d", "how a decade of compute changes the power", starts=(-0.1, -0.03), lower=-2.5),
        exponent("beta", "what finer experts give at first", starts=(-0.2, -0.05), lower=-2.5),
        exponent("gamma", "what finer experts take at last", starts=(0.01, 0.03), lower=-2.5),
        scale("A_start", "share below which less use is no gain", starts=(0.005, 0.03), lower=1e-6, upper=1.0),
    ),
    target="leverage",
    source=f"{LING}, eqs 10 and 13",
    validity="sparse models and dense ones of one lab, each at its own best params, tokens, learning rate and batch",
    published=(
        Coefficients(
            name="ling-2025",
            values={"a": 1.23, "d": -7.61e-2, "beta": -1.17e-1, "gamma": 1.67e-2, "A_start": 1.63e-2},
            source=f"{LING}, table 2",
            domain={"activation_ratio": (0.01, 1.0), "granularity": (2.0, 16.0), "flops": (1e18, 1e22)},
            conventions="share of experts used, shared ones counted; G = 2 width/expert width (Krajewski: 4); FLOPs = M D "
            "without embeddings",
            tolerance=0.036,
            note="The bases log10 C and log2 G are inferred from the paper's two claims, not printed. The text calls d "
            "positive, the table has it negative. Its own example, Ling-mini-beta, has A 3.4 % and G 10.67 by the "
            "definition, not 3.1 and 12. The range is ours, but for the top of G.",
        ),
    ),
)
