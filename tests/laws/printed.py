"""Every published set once more, as the digits stand in the source: double entry against slips of typing.

A string is the number as printed. ("exp", s): the source prints the logarithm. ("pf_days", s): printed in PF-days.
("per_pf_day", s): printed as the value at one PF-day, so the constant at one FLOP is s / 8.64e19 ** exponent.
"""

from __future__ import annotations

Printed = str | tuple[str, str]

HOFFMANN_LOGS = {"E": ("exp", ".5267228"), "A": ("exp", "6.0073404"), "B": ("exp", "6.0179186")}
MUENNIGHOFF = {
    "E": ("exp", ".6254804"), "A": ("exp", "6.255414"), "B": ("exp", "7.3049974"), "alpha": ".3526596", "beta": ".3526596",
}  # fmt: skip


def _row(names: str, values: str) -> dict[str, Printed]:
    return dict(zip(names.split(), values.split(), strict=True))


GADRE: dict[str, dict[str, Printed]] = {
    "gadre-2024-c4": _row("E a b eta", "1.51 141 190 .121"),
    "gadre-2024-redpajama": _row("E a b eta", "1.84 212 367 .136"),
    "gadre-2024-refinedweb": _row("E a b eta", "1.73 157 246 .127"),
    "gadre-2024-c4-refit": _row("E a b eta", "1.5083 141.3 189.5 .1212"),
    "gadre-2024-redpajama-refit": _row("E a b eta", "1.8366 212.2 366.7 .1364"),
    "gadre-2024-refinedweb-refit": _row("E a b eta", "1.7345 157.1 246.2 .1272"),
}
LOSS = "E A B alpha beta"
LADDER = "A B alpha beta E"
SARDANA = "alpha beta A B E"
SIGMOID = "drop middle steepness top"

PRINTED: dict[str, dict[str, dict[str, Printed]]] = {
    "chinchilla": {
        "hoffmann-2022": {**HOFFMANN_LOGS, "alpha": ".33917084", "beta": ".2849083"},
        "hoffmann-2022-rounded": _row(LOSS, "1.69 406.4 410.7 .34 .28"),
        "besiroglu-2024": _row(LOSS, "1.8172 482.01 2085.43 .3478 .3658"),
        "besiroglu-2024-huber": _row(LOSS, "1.817218 477.825 2143.417 .347310 .367172"),
        "de-vries-2023": _row(LOSS, "1.69 406.4 410.7 .336 .283"),
        "sardana-2024-100": _row(SARDANA, ".08 .13 7.199 25.97 .17"),
        "sardana-2024-250": _row(SARDANA, ".13 .16 14.23 39.54 .98"),
        "sardana-2024-500": _row(SARDANA, ".13 .16 17.07 35.80 .95"),
        "sardana-2024": _row(SARDANA, ".18 .24 33.66 138.9 1.45"),
        "muennighoff-2023": MUENNIGHOFF,
        "muennighoff-2023-untied": {
            "E": ("exp", ".6303"), "A": ("exp", "5.9577"), "B": ("exp", "7.9145"), "alpha": ".3348", "beta": ".3829",
        },
        "kumar-2024": _row(LOSS, "2.7648 4.299e3 1.806e4 .4965 .4965"),
        "krajewski-2024-dense": _row("A alpha B beta E", "16.3 .126 26.7 .127 .47"),
        "olmo-ladder-mmlu": _row(LADDER, "38.1 100 .226 .236 .454"),
        "olmo-ladder-hellaswag": _row(LADDER, "11.2 60.4 .196 .257 .502"),
        "olmo-ladder-arc-challenge": _row(LADDER, "7.03e5 38.4 .788 .197 .655"),
        "olmo-ladder-arc-easy": _row(LADDER, "7.94e4 3.96e3 .661 .420 .558"),
        "olmo-ladder-piqa": _row(LADDER, "406 10.2 .398 .153 .722"),
        "olmo-ladder-csqa": _row(LADDER, "56.9 10.9 .235 .111 0.000"),
        "olmo-ladder-socialiqa": _row(LADDER, "1.20e3 7.90e3 .447 .477 .949"),
        "olmo-ladder-openbookqa": _row(LADDER, "8.63e4 137 .687 .261 1.198"),
    },
    "chinchilla-coupled": {
        "busbridge-2025": _row("A B E alpha beta gamma", "3355 18186 1.220 .408 .431 .452"),
        "xlstm-2025-transformer": {
            "A": ("exp", "14.445"), "B": ("exp", "16.330"), "E": ("exp", ".0901"), "alpha": ".645", "beta": ".626",
            "gamma": ".253",
        },
        "xlstm-2025": {
            "A": ("exp", "15.457"), "B": ("exp", "16.526"), "E": ("exp", ".1768"), "alpha": ".706", "beta": ".653",
            "gamma": ".258",
        },
    },
    "kaplan": {"kaplan-2020": _row("alpha_N alpha_D Nc Dc", ".076 .103 6.4e13 1.8e13")},
    "kaplan-params": {
        "kaplan-2020": _row("alpha_N Nc", ".076 8.8e13"),
        "clark-2022-dense": _row("alpha_N Nc", ".078 3.568e13"),
    },
    "kaplan-tokens": {"kaplan-2020": _row("alpha_D Dc", ".095 5.4e13")},
    "kaplan-compute": {
        "kaplan-2020": {"alpha_C": ".057", "Cc": ("pf_days", "1.6e7")},
        "kaplan-2020-efficient": {"alpha_C": ".050", "Cc": ("pf_days", "3.1e8")},
    },
    "kaplan-steps": {"kaplan-2020": _row("alpha_N alpha_S Nc Sc", ".077 .76 6.5e13 2.1e3")},
    "gadre": GADRE,
    "gadre-multiplier": GADRE,
    "downstream-error": {
        "gadre-2024-c4-17": _row("epsilon k gamma", ".850 2.08 .756"),
        "gadre-2024-redpajama-17": _row("epsilon k gamma", ".857 2.21 .715"),
        "gadre-2024-refinedweb-17": _row("epsilon k gamma", ".865 2.21 .707"),
        "gadre-2024-c4-46": _row("epsilon k gamma", ".7589 1.2885 .9722"),
        "gadre-2024-redpajama-46": _row("epsilon k gamma", ".7608 1.3229 .8907"),
        "gadre-2024-refinedweb-46": _row("epsilon k gamma", ".7677 1.1281 .8215"),
    },
    "task-accuracy": {
        "olmo-ladder-mmlu": _row(SIGMOID, ".742 .616 4.83 1.000"),
        "olmo-ladder-hellaswag": _row(SIGMOID, ".730 .767 12.74 .992"),
        "olmo-ladder-arc-challenge": _row(SIGMOID, ".778 .709 5.91 1.000"),
        "olmo-ladder-arc-easy": _row(SIGMOID, ".646 .741 4.13 1.000"),
        "olmo-ladder-piqa": _row(SIGMOID, ".459 .963 5.03 1.000"),
        "olmo-ladder-csqa": _row(SIGMOID, ".856 1.131 2.21 1.000"),
        "olmo-ladder-socialiqa": _row(SIGMOID, ".599 .894 7.16 1.000"),
        "olmo-ladder-openbookqa": _row(SIGMOID, ".791 1.081 4.31 1.000"),
    },
    "data-constrained": {"muennighoff-2023": {**MUENNIGHOFF, "R_D": "15.387756", "R_N": "5.309743"}},
    "step-lr": {
        "step-law-2025": _row("k a b", "1.79 .713 .307"),
        "step-law-2025-bootstrap": _row("k a b", "1.797 .7129 .3075"),
    },
    "step-batch": {
        "step-law-2025": _row("k b", ".58 .571"),
        "step-law-2025-bootstrap": _row("k b", ".5807 .5709"),
    },
    "compute-lr": {
        "deepseek-2024": _row("k a", ".3118 .1250"),
        "ling-2025-experts": _row("k a", "1.1576 .1529"),
    },
    "compute-batch": {
        "deepseek-2024": _row("k b", ".2920 .3271"),
        "kaplan-2020": {"k": ("per_pf_day", "2.0e6"), "b": ".24"},
        "ling-2025-experts": _row("k b", ".0694 .3644"),
    },
    "critical-batch": {"kaplan-2020": _row("B alpha_B", "2.1e8 .21")},
    "optimal-params": {
        "kaplan-2020": {"k": ("per_pf_day", "1.3e9"), "a": ".73"},
        "tao-2024": _row("k a", ".0834 .50"),
    },
    "optimal-tokens": {
        "kaplan-2020": {"k": ("per_pf_day", "2e10"), "a": ".27"},
        "deepseek-2024": _row("k a", "5.8316 .4757"),
        "llama3-2024-text": _row("k a", ".29 .53"),
        "llama3-2024-figure": _row("k a", ".299 .537"),
        "ling-2025-experts": _row("k a", "5.2232 .4905"),
        "ling-2025-dense": _row("k a", "15.2582 .4578"),
    },
    "optimal-flops-per-token": {
        "deepseek-2024": _row("k a", ".1715 .5243"),
        "ling-2025-experts": _row("k a", ".1915 .5095"),
        "ling-2025-dense": _row("k a", ".0655 .5422"),
    },
    "routed": {
        "clark-2022-s-base": _row("a b c d E_start E_max", "-.082 -.108 .009 1.104 1.847 314.478"),
        "clark-2022-rl-r": _row("a b c d E_start E_max", "-.083 -.126 .012 1.111 1.880 469.982"),
        "clark-2022-hash": _row("a b c d E_start E_max", "-.087 -.136 .012 1.157 4.175 477.741"),
    },
    "joint-experts": {
        "ludziejewski-2025": _row(
            "A alpha delta gamma B beta omega zeta E_start E_max E",
            "35.91 -.1889 -.2285 .0098 35.98 -.1775 .5529 -.0259 2.0732 290.4521 1.3637",
        ),
    },
    "granularity": {
        "krajewski-2024": _row("A alpha B beta g gamma E", "18.1 .115 30.8 .147 2.1 .58 .47"),
        "krajewski-2024-refit": _row("A alpha B beta g gamma E", "17.6 .114 26.7 .140 2.07 .570 .472"),
    },
    "sparsity": {
        "abnar-2025": _row(
            "alpha beta lamda delta gamma A B C D E",
            ".5962 .3954 -.1666 .1603 .1595 16612.50 5455.67 .4598 17.26 .94",
        ),
    },
    "quality-tokens": {
        "subramanyam-2025": _row("B beta gamma E", "1441.51 .3959 .4007 3.4390"),
        "subramanyam-2025-unseen": _row("B beta gamma E", "1427.30 .3905 .3368 4.5400"),
    },
    "filtering": {  # the source gives sixteen digits of points on a grid; six of them are kept
        "goyal-2024-top-10": _row("E a b half_life", ".1 .022 .182273 4.00000"),
        "goyal-2024-top-20": _row("E a b half_life", ".1 .022 .144848 4.363636"),
        "goyal-2024-top-30": _row("E a b half_life", ".1 .022 .135303 2.909091"),
        "goyal-2024-top-40": _row("E a b half_life", ".1 .022 .097576 1.454545"),
    },
    "efficiency-leverage": {"ling-2025": _row("a d gamma beta A_start", "1.23 -7.61e-2 1.67e-2 -1.17e-1 1.63e-2")},
    "distillation": {
        "busbridge-2025": _row("A B alpha beta gamma c0 c1 d1 f1", "2243 24181 .321 .637 .764 2.549 522.6 1.315 .090"),
    },
    "precision": {
        "kumar-2024": _row(
            "E A B alpha beta gamma_w gamma_a gamma_kv", "2.7648 4.299e3 1.806e4 .4965 .4965 2.6745 2.2102 .9578"
        ),
    },
    "quantisation": {"kumar-2024": _row("C gamma_D gamma_N gamma_post", ".0598 .5068 .3439 .5907")},
    "vocabulary": {
        "tao-2024": _row(
            "A1 A2 B E alpha1 beta alpha2", "1.8313852 .1958424 2.1241123 5.5327847 .4466063 .4466063 .6707375"
        ),
    },
    "vocabulary-by-compute": {"tao-2024": {"k": ("exp", "-1.5890313"), "a": ".4163623"}},
    "vocabulary-by-params": {"tao-2024": _row("k a", "3145728 .8353974")},
}  # fmt: skip
