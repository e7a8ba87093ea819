"""Learning rate and batch size as power laws of params and tokens (step law) or of compute (DeepSeek), and the critical batch.

Step law: lr* = k N^-a D^b, batch* = k D^b in tokens, the batch nearly independent of the model.
DeepSeek: lr* = k C^-a, batch* = k C^b in tokens; a line through compute mixes the two directions, so it holds for
compute-optimal runs only. Kaplan: the critical batch B/L^(1/alpha_B) in tokens follows from the loss alone; above it a larger
batch saves few steps.

Where they disagree they differ in recipe and in counting: the step law counts params without vocabulary, DeepSeek compute
without it and with attention.

Sources: Li et al. 2025, "Predictable Scale: Part I", arXiv 2503.04715, and step-law/steplaw; DeepSeek-AI 2024, arXiv
2401.02954, eq. 1; Ling Team 2025, arXiv 2507.17702, eq. 3; Kaplan et al. 2020, arXiv 2001.08361, eq. 1.4 and tables 5 and 6;
McCandlish et al. 2018, arXiv 1812.06162.
"""

from __future__ import annotations

from kleiber.laws.allocation import DEEPSEEK, LING, LING_RANGE
from kleiber.laws.kaplan import PAPER as KAPLAN_PAPER
from kleiber.laws.kaplan import PF_DAY_FLOPS
from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, scale

STEP_LAW = "Li et al. 2025, arXiv 2503.04715"
STEP_PARAMS = (2.1e8, 1.1e9)
STEP_TOKENS = (4e9, 1e11)
DEEPSEEK_RANGE = (1e17, 2e19)
STEP_CONVENTIONS = "params without vocabulary; tokens; batch in tokens"
_BOOTSTRAP_NOTE = "Mean of 1000 resamples of the authors' fit, from their table of fitted parameters, to more digits."

STEP_LR = Law(
    "k*tokens**b/params**a",
    name="step-lr",
    title="Step law: best peak learning rate from params and tokens",
    parameters=(
        scale("k", "level", starts=(0.1, 2.0, 50.0), lower=1e-9, upper=1e9),
        exponent("a", "how fast it falls with params", starts=(0.3, 0.7)),
        exponent("b", "how fast it rises with tokens", starts=(0.1, 0.4), lower=-2.5),
    ),
    target="lr",
    source=STEP_LAW,
    validity="dense transformers of the source's recipe; 0.2B to 1B params, 4B to 100B tokens in the released runs",
    published=(
        Coefficients(
            name="step-law-2025",
            values={"k": 1.79, "a": 0.713, "b": 0.307},
            source=f"{STEP_LAW}, and step-law/steplaw README",
            domain={"params": STEP_PARAMS, "tokens": STEP_TOKENS},
            conventions=STEP_CONVENTIONS,
            tolerance=0.03,
            note="The standard deviations of the two exponents over resamples are .030 and .019, so the digits say more than the "
            "fit does.",
        ),
        Coefficients(
            name="step-law-2025-bootstrap",
            values={"k": 1.797, "a": 0.7129, "b": 0.3075},
            source=f"{STEP_LAW}, fitted-parameters table of step-law/steplaw",
            domain={"params": STEP_PARAMS, "tokens": STEP_TOKENS},
            conventions=STEP_CONVENTIONS,
            tolerance=3e-3,
            note=_BOOTSTRAP_NOTE,
        ),
    ),
)

STEP_BATCH = Law(
    "k*tokens**b",
    name="step-batch",
    title="Step law: best batch size from tokens",
    parameters=(
        scale("k", "level", starts=(0.05, 1.0, 20.0), lower=1e-9, upper=1e12),
        exponent("b", "how fast it rises with tokens", starts=(0.4, 0.6)),
    ),
    target="batch_tokens",
    source=STEP_LAW,
    validity="as step-lr",
    published=(
        Coefficients(
            name="step-law-2025",
            values={"k": 0.58, "b": 0.571},
            source=f"{STEP_LAW}, and step-law/steplaw README",
            domain={"tokens": STEP_TOKENS},
            conventions=STEP_CONVENTIONS,
            tolerance=0.022,
            note="Resampling gives the exponent a standard deviation of .019.",
        ),
        Coefficients(
            name="step-law-2025-bootstrap",
            values={"k": 0.5807, "b": 0.5709},
            source=f"{STEP_LAW}, fitted-parameters table of step-law/steplaw",
            domain={"tokens": STEP_TOKENS},
            conventions=STEP_CONVENTIONS,
            tolerance=2e-3,
            note=_BOOTSTRAP_NOTE,
        ),
    ),
)

COMPUTE_LR = Law(
    "k/flops**a",
    name="compute-lr",
    title="DeepSeek: near-best learning rate from compute",
    parameters=(
        scale("k", "level", starts=(0.01, 0.3, 10.0), lower=1e-12, upper=1e12),
        exponent("a", "how fast it falls with compute", starts=(0.1, 0.3)),
    ),
    target="lr",
    source=f"{DEEPSEEK}, eq. 1",
    validity="compute-optimal dense models with the multi-step schedule of the source",
    published=(
        Coefficients(
            name="deepseek-2024",
            values={"k": 0.3118, "a": 0.1250},
            source=f"{DEEPSEEK}, eq. 1",
            domain={"flops": DEEPSEEK_RANGE},
            conventions="C = M D with M the non-embedding FLOPs per token",
            tolerance=2.5e-3,
            note="Fitted to all settings within 0.25 % of the lowest loss: the middle of a wide valley, not its floor.",
        ),
        Coefficients(
            name="ling-2025-experts",
            values={"k": 1.1576, "a": 0.1529},
            source=f"{LING}, eq. 3",
            domain={"flops": LING_RANGE},
            conventions="C = M D with M the FLOPs per token without embeddings, of active experts only",
            tolerance=3e-3,
            note="Models of sparse experts. The range is ours.",
        ),
    ),
)

COMPUTE_BATCH = Law(
    "k*flops**b",
    name="compute-batch",
    title="Near-best batch size from compute",
    parameters=(
        scale("k", "level", starts=(0.01, 0.3, 10.0), lower=1e-12, upper=1e12),
        exponent("b", "how fast it rises with compute", starts=(0.2, 0.4)),
    ),
    target="batch_tokens",
    source=f"{DEEPSEEK}, eq. 1; {KAPLAN_PAPER}, table 6",
    validity="compute-optimal dense models",
    published=(
        Coefficients(
            name="deepseek-2024",
            values={"k": 0.2920, "b": 0.3271},
            source=f"{DEEPSEEK}, eq. 1",
            domain={"flops": DEEPSEEK_RANGE},
            conventions="batch in tokens; C = M D with M the non-embedding FLOPs per token",
            tolerance=2.5e-3,
            note="Fitted to all settings within 0.25 % of the lowest loss.",
        ),
        Coefficients(
            name="ling-2025-experts",
            values={"k": 0.0694, "b": 0.3644},
            source=f"{LING}, eq. 3",
            domain={"flops": LING_RANGE},
            conventions="batch in tokens; C = M D with M the FLOPs per token without embeddings, of active experts only",
            tolerance=3.5e-3,
            note="Models of sparse experts. The unit of the batch is inferred: 1.3M at 1e20 FLOP, as tokens beside DeepSeek's "
            "1.0M. The range is ours.",
        ),
        Coefficients(
            name="kaplan-2020",
            values={"k": 2.0e6 / PF_DAY_FLOPS**0.24, "b": 0.24},
            source=f"{KAPLAN_PAPER}, table 6: 2.0e6 tokens at 1 PF-day",
            domain={"flops": (1e-6 * PF_DAY_FLOPS, 1e1 * PF_DAY_FLOPS)},
            conventions="batch in tokens; Cmin in FLOPs",
            tolerance=0.1,
            note="A critical batch (time against compute in balance), not one tuned for loss. The range is ours.",
        ),
    ),
)

CRITICAL_BATCH = Law(
    "B/loss**(1/alpha_B)",
    name="critical-batch",
    title="Kaplan: critical batch size from the loss reached",
    parameters=(
        scale("B", "critical batch at 1 nat", starts=(1e7, 1e9), lower=1.0, upper=1e15),
        exponent("alpha_B", "one over how fast it grows as loss falls", starts=(0.15, 0.3), lower=0.01),
    ),
    target="batch_tokens",
    source=f"{KAPLAN_PAPER}, eq. 1.4",
    validity="gradient noise of one data set; depends on the loss and not on the size of the model",
    published=(
        Coefficients(
            name="kaplan-2020",
            values={"B": 2.1e8, "alpha_B": 0.21},
            source=f"{KAPLAN_PAPER}, table 5",
            domain={"loss": (2.3, 6.0)},
            conventions="batch in tokens; nats per token on WebText2",
            tolerance=0.25,
            note="Eq. 1.4 of the same paper says about 2e8. Two digits of alpha_B leave much open. The range of losses is ours.",
        ),
    ),
)
