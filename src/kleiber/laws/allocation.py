"""How a budget was found to be split: optimal params, tokens and FLOPs per token as power laws of compute.

x*(C) = k C^a. Such a line is the outcome of an isoFLOP study (Hoffmann's approaches 1 and 2), without a loss beside it: it says
where the optimum lies and not what missing it costs. Two lines that are to hold together must multiply to the compute,
which is a test of the printed digits.

Published exponents without constants (so not sets here): Hoffmann et al. 2022, table 2, params ~ C^.50 (approach 1) and
C^.49 (approach 2); Porian et al. 2024, arXiv 2406.19146, params ~ C^.497 after the corrections, C^.835 before.

Sources: Kaplan et al. 2020, arXiv 2001.08361, table 6; DeepSeek-AI 2024, arXiv 2401.02954, eqs 2 and 4; Grattafiori et al. 2024
(Llama 3), arXiv 2407.21783, section 3.2.1; Tao et al. 2024, arXiv 2407.13623; Ling Team 2025, arXiv 2507.17702, table 1.
"""

from __future__ import annotations

from kleiber.laws.kaplan import PAPER as KAPLAN_PAPER
from kleiber.laws.kaplan import PF_DAY_FLOPS
from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients, Parameter
from kleiber.laws.unknowns import exponent, scale

DEEPSEEK = "DeepSeek-AI 2024, arXiv 2401.02954"
LING = "Ling Team 2025, arXiv 2507.17702"
LLAMA = "Grattafiori et al. 2024 (Llama 3), arXiv 2407.21783, section 3.2.1"
ISOFLOP_RANGE = (1e17, 3e20)
LING_RANGE = (1e18, 1e22)


def _unknowns(what: str) -> tuple[Parameter, Parameter]:
    return (
        scale("k", f"{what} at 1 FLOP, extrapolated", starts=(1e-2, 1.0, 1e2), lower=1e-20, upper=1e20),
        exponent("a", f"how {what} grow with compute", starts=(0.35, 0.5, 0.7)),
    )


def _ling(kind: str, values: tuple[float, float], tolerance: float) -> Coefficients:
    return Coefficients(
        name=f"ling-2025-{kind}",
        values=dict(zip(("k", "a"), values, strict=True)),
        source=f"{LING}, table 1",
        domain={"flops": LING_RANGE},
        conventions="C = M D with M the FLOPs per token without embeddings, of active experts only",
        tolerance=tolerance,
        note="At equal compute its experts want fewer FLOPs per token and more tokens than its dense models. M D = C holds to "
        "6e-4. The range is ours.",
    )


OPTIMAL_PARAMS = Law(
    "k*flops**a",
    name="optimal-params",
    title="Compute-optimal params as a power of compute",
    parameters=_unknowns("params"),
    target="params",
    source="Kaplan et al. 2020, table 6; Hoffmann et al. 2022, eq. 4",
    validity="the recipe and the counting of params of the source; not beyond two decades of its budgets",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"k": 1.3e9 / PF_DAY_FLOPS**0.73, "a": 0.73},
            source=f"{KAPLAN_PAPER}, table 6: 1.3e9 params at 1 PF-day",
            domain={"flops": (1e-6 * PF_DAY_FLOPS, 1e1 * PF_DAY_FLOPS)},
            conventions="params without embeddings; Cmin in FLOPs",
            tolerance=0.11,
            note="Superseded: at 1e21 FLOP it gives 7.8B, while appendix D.4 of Hoffmann et al. quotes 4.68B as Kaplan's "
            "optimum; neither is a test of the other. The exponent is an effect of warm-up, of leaving out the last layer and "
            "of untuned small models (Porian et al. 2024). The range is ours.",
        ),
        Coefficients(
            name="tao-2024",
            values={"k": 0.0834, "a": 0.50},
            source="Tao et al. 2024, arXiv 2407.13623, approach 1; sail-sg/scaling-with-vocab optimal_Nv_predict.py",
            conventions="params outside the vocabulary; FLOPs counted with the vocabulary",
            tolerance=0.28,
            note="Two digits of the exponent: the level is open by a quarter at 1e21 FLOP.",
        ),
    ),
)

OPTIMAL_TOKENS = Law(
    "k*flops**a",
    name="optimal-tokens",
    title="Compute-optimal tokens as a power of compute",
    parameters=_unknowns("tokens"),
    target="tokens",
    source="Kaplan et al. 2020, table 6; Hoffmann et al. 2022, eq. 4",
    validity="the recipe and the counting of FLOPs of the source; not beyond two decades of its budgets",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"k": 2e10 / PF_DAY_FLOPS**0.27, "a": 0.27},
            source=f"{KAPLAN_PAPER}, table 6: 2e10 tokens at 1 PF-day",
            domain={"flops": (1e-6 * PF_DAY_FLOPS, 1e1 * PF_DAY_FLOPS)},
            conventions="tokens seen once; Cmin in FLOPs",
            tolerance=0.32,
            note="One digit, and eq. 6.7 of the same paper prints 4e10 C^.26. Beside 1.3e9 params it makes 6ND = 1.8 PF-days "
            "out of 1, because the critical batch size doubles the tokens. The range is ours.",
        ),
        Coefficients(
            name="deepseek-2024",
            values={"k": 5.8316, "a": 0.4757},
            source=f"{DEEPSEEK}, eq. 4",
            domain={"flops": ISOFLOP_RANGE},
            conventions="tokens; C = M D with M the non-embedding FLOPs per token, attention included (not 6ND)",
            tolerance=3e-3,
            note="Holds for the data of that model: the paper finds model exponents .450 (early data), .524 (current data) and "
            ".578 (OpenWebText2), the better the data the more budget for the model.",
        ),
        Coefficients(
            name="llama3-2024-text",
            values={"k": 0.29, "a": 0.53},
            source=f"{LLAMA}, text",
            domain={"flops": (6e18, 1e22)},
            conventions="tokens; FLOPs as counted by the authors",
            tolerance=0.31,
            note="The printed pair gives 10.5T tokens at 3.8e25 FLOP, not the 16.55T (and 402B params) of the same paragraph: "
            "two digits of an exponent are worth a factor 1.3 there.",
        ),
        Coefficients(
            name="llama3-2024-figure",
            values={"k": 0.299, "a": 0.537},
            source=f"{LLAMA}, label in figure 3",
            domain={"flops": (6e18, 1e22)},
            conventions="tokens; FLOPs as counted by the authors",
            tolerance=0.03,
            note="The label was read in transcriptions of the figure only. Gives 16.3T at 3.8e25 FLOP; 16.55T needs .5373. "
            "And 6 * 402e9 * 16.55e12 is 3.99e25, so the authors' count of FLOPs is not 6ND.",
        ),
        _ling("experts", (5.2232, 0.4905), 3e-3),
        _ling("dense", (15.2582, 0.4578), 3e-3),
    ),
)

OPTIMAL_FLOPS_PER_TOKEN = Law(
    "k*flops**a",
    name="optimal-flops-per-token",
    title="Compute-optimal model scale (FLOPs per token) as a power of compute",
    parameters=_unknowns("FLOPs per token"),
    target="flops_per_token",
    source=f"{DEEPSEEK}, eq. 4",
    validity="the recipe and data of the source",
    published=(
        Coefficients(
            name="deepseek-2024",
            values={"k": 0.1715, "a": 0.5243},
            source=f"{DEEPSEEK}, eq. 4",
            domain={"flops": ISOFLOP_RANGE},
            conventions="M = 72 layers width^2 + 12 layers width context: non-embedding FLOPs per token",
            tolerance=3e-3,
            note="M is neither params nor 6 params: at small scale attention is a large part of it. M D = C holds to 1e-4.",
        ),
        _ling("experts", (0.1915, 0.5095), 3e-3),
        _ling("dense", (0.0655, 0.5422), 4e-3),
    ),
)
