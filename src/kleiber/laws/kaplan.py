"""Kaplan et al. 2020: loss as a power law of non-embedding params N, tokens D, compute C, and of N and D together.

L(N) = (Nc/N)^aN, L(D) = (Dc/D)^aD, L(C) = (Cc/C)^aC; L(N, D) = [(Nc/N)^(aN/aD) + Dc/D]^aD; L(N, S) = (Nc/N)^aN + (Sc/S)^aS.
None has a floor: the losses go to zero, so none may be read far outside its range.

Conventions: params without embeddings; loss in nats per token (WebText2, GPT-2 tokens, context 1024). The paper counts compute in
PF-days; here it is in FLOPs, with 1 PF-day = 1e15 FLOP/s * 86400 s = 8.64e19 FLOP.

Source: Kaplan, McCandlish, Henighan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, eqs 1.1-1.6,
tables 2, 3, 5 and 6. Why its advice (params ~ C^0.73) differs from Hoffmann's: Porian et al. 2024, arXiv 2406.19146 (last-layer
FLOPs, warm-up, optimiser tuning by scale), and Pearce & Song 2024, arXiv 2406.12907 (params without embeddings).
"""

from __future__ import annotations

from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, scale

PF_DAY_FLOPS = 8.64e19
PAPER = "Kaplan et al. 2020, arXiv 2001.08361"
CONVENTIONS = "params without embeddings; tokens; nats per token"
PARAMS_RANGE = (768.0, 1.5e9)
TOKENS_RANGE = (22e6, 23e9)

_NC = scale("Nc", "params at which the size term is 1 nat", starts=(1e10, 1e14), lower=1.0, upper=1e40)
_DC = scale("Dc", "tokens at which the data term is 1 nat", starts=(1e10, 1e13), lower=1.0, upper=1e40)
_ALPHA_N = exponent("alpha_N", "how fast loss falls with params", starts=(0.05, 0.15), lower=0.005)
_ALPHA_D = exponent("alpha_D", "how fast loss falls with tokens", starts=(0.05, 0.15), lower=0.005)

KAPLAN = Law(
    "((Nc/params)**(alpha_N/alpha_D) + Dc/tokens)**alpha_D",
    name="kaplan",
    title="Kaplan: loss from params and tokens, jointly",
    parameters=(_NC, _DC, _ALPHA_N, _ALPHA_D),
    source=f"{PAPER}, eq. 1.5",
    validity="early-stopped runs on a fixed data set, of which `tokens` is the size; no floor, so not far beyond the range",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"Nc": 6.4e13, "Dc": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
            source=f"{PAPER}, table 2",
            domain={"params": PARAMS_RANGE, "tokens": TOKENS_RANGE},
            conventions=CONVENTIONS,
            tolerance=0.014,
            note="Its constants differ from those of the one-input fits of the same paper (Nc 8.8e13, alpha_D 0.095): the "
            "five sets must not be mixed.",
        ),
    ),
)

KAPLAN_PARAMS = Law(
    "(Nc/params)**alpha_N",
    name="kaplan-params",
    title="Kaplan: loss from params alone",
    parameters=(_NC, _ALPHA_N),
    source=f"{PAPER}, eq. 1.1",
    validity="trained to convergence on enough data that size alone limits",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"Nc": 8.8e13, "alpha_N": 0.076},
            source=f"{PAPER}, table 5",
            domain={"params": PARAMS_RANGE},
            conventions=CONVENTIONS,
            tolerance=0.014,
        ),
        Coefficients(
            name="clark-2022-dense",
            values={"Nc": 3.568e13, "alpha_N": 0.078},
            source="Clark et al. 2022, arXiv 2202.01169, table 3 (dense), read in two sets of notes",
            domain={"params": (15e6, 1.3e9)},
            conventions="params; nats per token after 130B tokens",
            tolerance=0.008,
            note="The dense side of `routed`: agrees with it at one expert to 2 %. The upper end of the range is ours.",
        ),
    ),
)

KAPLAN_TOKENS = Law(
    "(Dc/tokens)**alpha_D",
    name="kaplan-tokens",
    title="Kaplan: loss from tokens alone",
    parameters=(_DC, _ALPHA_D),
    source=f"{PAPER}, eq. 1.2",
    validity="large models, stopped early, on a data set of `tokens` tokens",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"Dc": 5.4e13, "alpha_D": 0.095},
            source=f"{PAPER}, table 5",
            domain={"tokens": TOKENS_RANGE},
            conventions=CONVENTIONS,
            tolerance=0.009,
        ),
    ),
)

KAPLAN_COMPUTE = Law(
    "(Cc/flops)**alpha_C",
    name="kaplan-compute",
    title="Kaplan: loss from compute alone",
    parameters=(
        scale("Cc", "FLOPs at which the loss is 1 nat", starts=(1e22, 1e28), lower=1.0, upper=1e60),
        exponent("alpha_C", "how fast loss falls with compute", starts=(0.04, 0.12), lower=0.005),
    ),
    source=f"{PAPER}, eq. 1.3 and table 5",
    validity="the best model size at each budget; no floor",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"Cc": 1.6e7 * PF_DAY_FLOPS, "alpha_C": 0.057},
            source=f"{PAPER}, table 5, L(C)",
            domain={"flops": (1e-8 * PF_DAY_FLOPS, 1e1 * PF_DAY_FLOPS)},
            conventions="FLOPs at the one batch size used (2^19 tokens); nats per token",
            tolerance=0.02,
            note="The batch size was fixed, so this is not the efficient frontier; kaplan-2020-efficient is. The range is "
            "roughly the axis of the paper's figure 1.",
        ),
        Coefficients(
            name="kaplan-2020-efficient",
            values={"Cc": 3.1e8 * PF_DAY_FLOPS, "alpha_C": 0.050},
            source=f"{PAPER}, table 5, L(Cmin)",
            domain={"flops": (1e-8 * PF_DAY_FLOPS, 1e1 * PF_DAY_FLOPS)},
            conventions="FLOPs that a batch far below the critical size would have needed (Cmin); nats per token",
            tolerance=0.021,
            note="Table 5 prints 3.1e8 PF-days; a label in a figure is often read as 2.3e8. The paper itself notes that this "
            "line must fail: it crosses L(D) of its own data growth near 1e4 PF-days (section 6.3).",
        ),
    ),
)

KAPLAN_STEPS = Law(
    "(Nc/params)**alpha_N + (Sc/steps)**alpha_S",
    name="kaplan-steps",
    title="Kaplan: loss from params and update steps (a learning curve)",
    parameters=(
        _NC,
        scale("Sc", "steps at which the step term is 1 nat", starts=(1e2, 1e4), lower=1e-3),
        _ALPHA_N,
        exponent("alpha_S", "how fast loss falls with steps", starts=(0.5, 1.0)),
    ),
    source=f"{PAPER}, eqs 1.6 and 5.6",
    validity="after warm-up; `steps` are those that a batch far above the critical size would have needed",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"Nc": 6.5e13, "Sc": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
            source=f"{PAPER}, table 3",
            domain={"params": PARAMS_RANGE, "steps": (3e3, 2.5e5)},
            conventions=f"{CONVENTIONS}; steps counted as S_min",
            tolerance=0.014,
            note="`steps` is S_min = S / (1 + B_crit(L)/B), not the number of updates made: at the paper's batch the two differ "
            "by the loss-dependent factor of the law critical-batch. The range of steps is ours, from its figure 4.",
        ),
    ),
)
