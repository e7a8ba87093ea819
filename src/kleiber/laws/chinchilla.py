"""Hoffmann et al. 2022 ("Chinchilla") and everyone who refitted it: L = E + A/N^alpha + B/D^beta.

E is the entropy of the text, A/N^alpha what a finite model loses, B/D^beta what finite data loses. Under C = 6ND the optimum is
N* = G (C/6)^(beta/(alpha+beta)), D* = (C/6)^(alpha/(alpha+beta)) / G with G = (alpha A / (beta B))^(1/(alpha+beta)).

`chinchilla-coupled` raises the sum of the two terms to a power gamma (Kaplan's joint law with a floor): what size and data
lose then interact.

Three traps: two printed digits of alpha and beta move the optimum by a factor (N*(5.76e23) is 32B from the rounded values and
40B from the precise ones); A and B mean nothing without their exponents; coefficients do not carry over to other data, tokenisers
or ways of counting params.

Source: Hoffmann, Borgeaud, Mensch et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556, eqs 2, 4, 10.
"""

from __future__ import annotations

from math import exp

from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, floor, scale

HOFFMANN = "Hoffmann et al. 2022, arXiv 2203.15556"
BESIROGLU = "Besiroglu et al. 2024, arXiv 2404.10102"
SARDANA = "Sardana, Portes, Doubov & Frankle 2024, arXiv 2401.00448v3"
MUENNIGHOFF = "Muennighoff et al. 2023, arXiv 2305.16264"
TOTAL = "total params; tokens; FLOPs 6ND; nats per token"
HOFFMANN_RANGE = {"params": (70e6, 16e9), "tokens": (5e9, 500e9)}
DIGITISED_RANGE = {"params": (57e6, 16.2e9), "tokens": (0.82e9, 318e9)}


def _sardana(
    name: str, ratio: str, values: tuple[float, float, float, float, float], tolerance: float, extra: str = ""
) -> Coefficients:
    alpha, beta, a, b, floor_loss = values
    return Coefficients(
        name=name,
        values={"E": floor_loss, "A": a, "B": b, "alpha": alpha, "beta": beta},
        source=f"{SARDANA}, table 1, {ratio}",
        domain={"params": (150e6, 6e9), "tokens": (1.5e9, 1.5e12)},
        conventions="params of MPT models; tokens; final *training* loss smoothed over ten batches",
        tolerance=tolerance,
        note="Two printed digits of the exponents leave the level of the loss open by 6 to 11 percent: compare shapes, not "
        "levels. The exponents drift with the range of tokens per param, which is the paper's point." + extra,
    )


def _ladder(
    task: str, values: tuple[float, float, float, float, float], tolerance: float, extra: str = ""
) -> Coefficients:
    a, b, alpha, beta, floor_loss = values
    return Coefficients(
        name=f"olmo-ladder-{task}",
        values={"E": floor_loss, "A": a, "B": b, "alpha": alpha, "beta": beta},
        source="Bhagia et al. 2024, arXiv 2412.04403, step 1; refitted with the authors' step1.py on their released runs",
        conventions="params; tokens; bits per byte of the right answer of the task (not a language-modelling loss)",
        tolerance=tolerance,
        note="Task loss in bits per byte; three digits of each number, so compare the losses, not A and B." + extra,
    )


CHINCHILLA = Law(
    "E + A/params**alpha + B/tokens**beta",
    name="chinchilla",
    title="Chinchilla: floor, size term, data term",
    parameters=(
        floor(),
        scale("A", "weight of the size term"),
        scale("B", "weight of the data term"),
        exponent("alpha", "how fast loss falls with params"),
        exponent("beta", "how fast loss falls with tokens"),
    ),
    source=f"{HOFFMANN}, eq. 2",
    validity="one recipe, one data set, one pass over the data, tuned learning rate, tokens per param from about 1 to 500",
    published=(
        Coefficients(
            name="hoffmann-2022",
            values={
                "E": exp(0.5267228),
                "A": exp(6.0073404),
                "B": exp(6.0179186),
                "alpha": 0.33917084,
                "beta": 0.2849083,
            },
            source=f"{HOFFMANN}, eq. 10 before rounding (E 1.69337, A 406.401, B 410.723), as used in "
            "epoch-research/analyzing-chinchilla",
            domain=HOFFMANN_RANGE,
            conventions=TOTAL,
            tolerance=4e-7,
            note="Even these digits do not make the paper's table A3 (approach 3): the budget they give for a size is 6 % (400M) "
            "to 18 % (10T) above it, the table's slope being C^.4587 and theirs C^.4565; its 175B entry is misprinted (1.26e24 "
            "for 1.26e25). Nor do they fit the runs: the search had stopped early (mean, not sum, of the Huber losses).",
        ),
        Coefficients(
            name="hoffmann-2022-rounded",
            values={"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
            source=f"{HOFFMANN}, eq. 10 as printed",
            domain=HOFFMANN_RANGE,
            conventions=TOTAL,
            tolerance=0.05,
            note="Do not plan with it: the rounded exponents put the optimum at 5.76e23 FLOP at 32B instead of 40B, the budgets "
            "of the paper's own table A3 at 1.6 to 2.2 times what it prints, and more than triple the objective on its runs.",
        ),
        Coefficients(
            name="besiroglu-2024",
            values={"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
            source=f"{BESIROGLU}, eq. 4",
            domain=DIGITISED_RANGE,
            conventions="total params; tokens = FLOPs/(6 params); nats per token; read off figure 4 of Hoffmann et al.",
            tolerance=6e-4,
            note="A and B come from another objective (a Huber likelihood with free scale, in effect least absolute error) than "
            "the standard errors beside them (sum of Huber losses, delta 1e-3), whose optimum is besiroglu-2024-huber.",
        ),
        Coefficients(
            name="besiroglu-2024-huber",
            values={"E": 1.817218, "A": 477.825, "B": 2143.417, "alpha": 0.347310, "beta": 0.367172},
            source="the optimum of the objective that Besiroglu et al. state, on their 240 rows; their notebook prints "
            "A 477.84, B 2143.86",
            domain=DIGITISED_RANGE,
            conventions="total params; tokens = FLOPs/(6 params); nats per token; read off figure 4 of Hoffmann et al.",
            tolerance=6e-6,
            note="Sum of Huber losses of the log residual, delta 1e-3: 0.00101827402. Five dropped rows carry beta: with them "
            "it is 0.453.",
        ),
        Coefficients(
            name="de-vries-2023",
            values={"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283},
            source=f"{SARDANA}, appendix A, footnote 2, after De Vries 2023",
            domain=HOFFMANN_RANGE,
            conventions=TOTAL,
            tolerance=0.0066,
            note="Not a fit: Hoffmann's values with a third digit of the exponents after De Vries; the examples of Sardana & "
            "Frankle rest on it. The unrounded digits are .339 and .285; yet these come "
            "closer to table A3 (within 10 %).",
        ),
        _sardana("sardana-2024-100", "runs of at most 100 tokens per param", (0.08, 0.13, 7.199, 25.97, 0.17), 0.11),
        _sardana(
            "sardana-2024-250",
            "at most 250 tokens per param",
            (0.13, 0.16, 14.23, 39.54, 0.98),
            0.072,
            " Read in one transcription.",
        ),
        _sardana(
            "sardana-2024-500",
            "at most 500 tokens per param",
            (0.13, 0.16, 17.07, 35.80, 0.95),
            0.074,
            " Read in one transcription.",
        ),
        _sardana("sardana-2024", "all 47 runs", (0.18, 0.24, 33.66, 138.9, 1.45), 0.057),
        Coefficients(
            name="muennighoff-2023",
            values={
                "E": exp(0.6254804),
                "A": exp(6.255414),
                "B": exp(7.3049974),
                "alpha": 0.3526596,
                "beta": 0.3526596,
            },
            source=f"{MUENNIGHOFF}, huggingface/datablations, parametric_fit.ipynb (E 1.86914, A 520.82, B 1487.72)",
            domain={"params": (7.1e6, 8.7e9), "tokens": (1e8, 9e11)},
            conventions="total params; tokens, none repeated; nats per token on C4",
            tolerance=8e-7,
            note="alpha and beta are tied by hand, which makes tokens per param (19.6) the same at every budget: no evidence for "
            "that rule. 54 runs; the range given is that of the whole released table.",
        ),
        Coefficients(
            name="muennighoff-2023-untied",
            values={"E": exp(0.6303), "A": exp(5.9577), "B": exp(7.9145), "alpha": 0.3348, "beta": 0.3829},
            source=f"{MUENNIGHOFF}, same notebook (E 1.878, A 386.7, B 2737)",
            domain={"params": (7.1e6, 8.7e9), "tokens": (1e8, 9e11)},
            conventions="total params; tokens, none repeated; nats per token on C4",
            tolerance=7e-4,
            note="The free fit of the same runs: tokens per param then fall with scale.",
        ),
        Coefficients(
            name="kumar-2024",
            values={"E": 2.7648, "A": 4299.0, "B": 18060.0, "alpha": 0.4965, "beta": 0.4965},
            source="Kumar et al. 2024, arXiv 2411.04330, appendix K, table 2",
            conventions="params; tokens; nats per token; at full precision, where effective params are params",
            tolerance=6e-4,
            note="Fitted together with the precision terms of that paper and with alpha and beta tied; the floor is far above "
            "that of other fits on web text.",
        ),
        Coefficients(
            name="krajewski-2024-dense",
            values={"E": 0.47, "A": 16.3, "B": 26.7, "alpha": 0.126, "beta": 0.127},
            source="Krajewski et al. 2024, arXiv 2402.07871, table 1 (dense)",
            domain={"tokens": (16e9, 130e9)},
            conventions="params without embeddings; tokens; nats per token on C4",
            tolerance=0.022,
            note="The dense side of `granularity`, with the same floor by hand: compare the two with each other, not with "
            "other fits, whose floors are 1.7 to 1.9.",
        ),
        _ladder("mmlu", (38.1, 100.0, 0.226, 0.236, 0.454), 0.012),
        _ladder("hellaswag", (11.2, 60.4, 0.196, 0.257, 0.502), 0.0076),
        _ladder(
            "arc-challenge",
            (7.03e5, 38.4, 0.788, 0.197, 0.655),
            0.0074,
            " alpha .788 with A 7e5 hardly constrains size.",
        ),
        _ladder("arc-easy", (7.94e4, 3.96e3, 0.661, 0.420, 0.558), 0.0084),
        _ladder("piqa", (406.0, 10.2, 0.398, 0.153, 0.722), 0.0075),
        _ladder("csqa", (56.9, 10.9, 0.235, 0.111, 0.0), 0.018, " E stands on its bound 0: no floor was found."),
        _ladder("socialiqa", (1.20e3, 7.90e3, 0.447, 0.477, 0.949), 0.0068),
        _ladder("openbookqa", (8.63e4, 137.0, 0.687, 0.261, 1.198), 0.0068),
    ),
)

_XLSTM = "Beck et al. 2025, arXiv 2510.02228, NX-AI/xlstm_scaling_laws lnd_pareto_combined.ipynb, cells 9-11"


def _xlstm(name: str, values: tuple[float, float, float, float, float, float], other: str) -> Coefficients:
    log_a, log_b, log_floor, alpha, beta, gamma = values
    return Coefficients(
        name=name,
        values={"E": exp(log_floor), "A": exp(log_a), "B": exp(log_b), "alpha": alpha, "beta": beta, "gamma": gamma},
        source=_XLSTM,
        domain={"params": (80e6, 7e9), "tokens": (2e9, 2e12)},
        conventions="params; tokens; nats per token, context 8192",
        tolerance=0.0031,
        note="The parameters move strongly with the Huber delta: this is delta 1.0; at 1e-3, used for the paper's Pareto figure, "
        f"log A, log B, log E, alpha, beta, gamma are {other}. Compare losses, never single parameters.",
    )


CHINCHILLA_COUPLED = Law(
    "E + (A/params**alpha + B/tokens**beta)**gamma",
    name="chinchilla-coupled",
    title="Chinchilla with the two terms coupled by an outer exponent",
    parameters=(
        floor(),
        scale("A", "weight of the size term", starts=(500.0, 20000.0, 1e6)),
        scale("B", "weight of the data term", starts=(500.0, 20000.0, 1e6)),
        exponent("alpha", "inner exponent of params", starts=(0.35, 0.6)),
        exponent("beta", "inner exponent of tokens", starts=(0.35, 0.6)),
        exponent("gamma", "outer exponent: 1 is Chinchilla", starts=(0.3, 0.6, 1.0), lower=0.05),
    ),
    source="Busbridge et al. 2025, arXiv 2502.08606v2; the case E = 0, beta = 1 is Kaplan et al. 2020, eq. 1.5",
    validity="as chinchilla; alpha, beta and gamma trade against each other, so it wants a wide grid in both directions",
    published=(
        Coefficients(
            name="busbridge-2025",
            values={"E": 1.220, "A": 3355.0, "B": 18186.0, "alpha": 0.408, "beta": 0.431, "gamma": 0.452},
            source="Busbridge et al. 2025, arXiv 2502.08606v2, appendix F, table 6 (supervised)",
            domain={"params": (143e6, 12.6e9), "tokens": (1e9, 512e9)},
            conventions="params; tokens; nats per token on C4",
            tolerance=0.0034,
            note="73 runs. The lower end of the range of tokens is ours; the paper gives the upper.",
        ),
        _xlstm(
            "xlstm-2025-transformer",
            (14.445, 16.330, 0.0901, 0.645, 0.626, 0.253),
            "11.99, 13.35, .01, .53, .51, .29",
        ),
        _xlstm("xlstm-2025", (15.457, 16.526, 0.1768, 0.706, 0.653, 0.258), "16.22, 17.31, .11, .73, .67, .24"),
    ),
)
