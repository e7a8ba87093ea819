"""For every shipped law: planted values and a realistic table of inputs on which all of its parameters can be told apart.

One idea: "the fit recovers what was planted" is a statement about a law, a design and a noise, so the three stand together.
`noise` is the standard deviation of the log of the target at which the design still identifies every parameter.
Planted values are a published set where there is one; where there is none the comment says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kleiber.laws import find
from tests.laws import sparse_designs as sparse
from tests.laws.design import Design, grid, ladder, published


def chinchilla() -> Design:
    """The reach of Hoffmann's runs: 60M to 16B params, 2 to 400 tokens per param."""
    theta = published("chinchilla", "besiroglu-2024")
    return Design(theta=theta, inputs=ladder(6e7, 1.6e10, 12, (2.0, 400.0), 10), noise=0.005)


def chinchilla_coupled() -> Design:
    """Busbridge's supervised law over five decades of tokens per param: coupling shows only off the diagonal."""
    theta = published("chinchilla-coupled", "busbridge-2025")
    return Design(theta=theta, inputs=ladder(2e7, 1.3e10, 12, (0.3, 3000.0), 14), noise=0.001)


def kaplan() -> Design:
    theta = published("kaplan", "kaplan-2020")
    inputs = grid(params=np.geomspace(1e4, 1.5e9, 11), tokens=np.geomspace(2.2e7, 2.3e10, 9))
    return Design(theta=theta, inputs=inputs, noise=0.01)


def kaplan_params() -> Design:
    inputs = {"params": np.geomspace(768.0, 1.5e9, 60)}
    return Design(theta=published("kaplan-params", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_tokens() -> Design:
    inputs = {"tokens": np.geomspace(2.2e7, 2.3e10, 60)}
    return Design(theta=published("kaplan-tokens", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_compute() -> Design:
    inputs = {"flops": np.geomspace(1e12, 1e21, 60)}
    return Design(theta=published("kaplan-compute", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_steps() -> Design:
    inputs = grid(params=np.geomspace(1e4, 1.5e9, 10), steps=np.geomspace(3e3, 2.5e5, 10))
    return Design(theta=published("kaplan-steps", "kaplan-2020"), inputs=inputs, noise=0.005)


def gadre() -> Design:
    """The released ladder of Gadre et al.: 11M to 6.9B params at 5 to 640 tokens per param."""
    theta = published("gadre", "gadre-2024-c4-refit")
    return Design(theta=theta, inputs=ladder(1.1e7, 6.9e9, 10, (5.0, 640.0), 8), noise=0.005)


def gadre_multiplier() -> Design:
    runs = gadre().inputs
    inputs = {"flops": 6 * runs["params"] * runs["tokens"], "tokens_per_param": runs["tokens"] / runs["params"]}
    return Design(theta=published("gadre-multiplier", "gadre-2024-c4-refit"), inputs=inputs, noise=0.005)


def downstream_error() -> Design:
    inputs = {"loss": np.linspace(2.2, 5.0, 80)}
    return Design(theta=published("downstream-error", "gadre-2024-c4-17"), inputs=inputs, noise=0.01)


def task_accuracy() -> Design:
    inputs = {"loss": np.linspace(0.4, 2.0, 100)}
    return Design(theta=published("task-accuracy", "olmo-ladder-openbookqa") | {"top": 0.95}, inputs=inputs, noise=0.01)


def data_constrained() -> Design:
    """Datablations at large: three pools of unique tokens, 1 to 100 epochs, sizes on both sides of the matched one."""
    pools = grid(
        unique_tokens=np.array([1e8, 1.5e9, 2.5e10]),
        size=np.geomspace(0.2, 60.0, 7),
        epochs=np.geomspace(1.0, 100.0, 8),
    )
    inputs = {
        "params": 0.051 * pools["unique_tokens"] * pools["size"],
        "tokens": pools["unique_tokens"] * pools["epochs"],
        "unique_tokens": pools["unique_tokens"],
    }
    return Design(theta=published("data-constrained", "muennighoff-2023"), inputs=inputs, noise=0.003)


def over_repetition() -> Design:
    """No coefficients of this form could be read: base values of Muennighoff et al. with a penalty of our own choice."""
    base = published("chinchilla", "muennighoff-2023")
    pools = grid(
        unique_tokens=np.geomspace(5e7, 6e9, 4), params=np.geomspace(1.5e7, 1e9, 6), epochs=np.geomspace(1.0, 64.0, 8)
    )
    inputs = {
        "params": pools["params"],
        "tokens": pools["unique_tokens"] * pools["epochs"],
        "unique_tokens": pools["unique_tokens"],
    }
    return Design(theta=base | {"P": 0.05, "delta": 0.8, "kappa": 0.5}, inputs=inputs, noise=0.003)


def broken() -> Design:
    """Planted by us: the authors print no coefficients. One break in the middle of five decades, falling faster beyond it."""
    theta = {"a": 0.5, "b": 8.0, "c0": 0.1, "c1": 0.4, "d1": 3e5, "f1": 0.4}
    return Design(theta=theta, inputs={"examples": np.geomspace(1e3, 1e9, 120)}, noise=0.005)


def m1() -> Design:
    """Planted by us, for m1 to m4: the authors print errors of extrapolation and no coefficients."""
    return Design(theta={"b": 20.0, "c": 0.25}, inputs={"examples": np.geomspace(1e4, 1e9, 60)}, noise=0.01)


def m2() -> Design:
    inputs = {"examples": np.geomspace(1e4, 1e9, 80)}
    return Design(theta={"E": 0.4, "b": 20.0, "c": 0.25}, inputs=inputs, noise=0.01)


def m3() -> Design:
    inputs = {"examples": np.geomspace(1e4, 1e9, 80)}
    return Design(theta={"b": 20.0, "c": 0.25, "g": 1e-7}, inputs=inputs, noise=0.01)


def m4() -> Design:
    theta = {"E": 0.3, "e0": 2.5, "a": 0.6, "b": 40.0, "c": 0.4}
    return Design(theta=theta, inputs={"examples": np.geomspace(10.0, 1e9, 150)}, noise=0.002)


def step_lr() -> Design:
    inputs = grid(params=np.geomspace(6e7, 1.1e9, 8), tokens=np.geomspace(2e9, 1e11, 9))
    return Design(theta=published("step-lr", "step-law-2025"), inputs=inputs, noise=0.05)


def step_batch() -> Design:
    inputs = {"tokens": np.geomspace(2e9, 1e11, 60)}
    return Design(theta=published("step-batch", "step-law-2025"), inputs=inputs, noise=0.05)


def compute_lr() -> Design:
    inputs = {"flops": np.geomspace(1e17, 2e19, 60)}
    return Design(theta=published("compute-lr", "deepseek-2024"), inputs=inputs, noise=0.02)


def compute_batch() -> Design:
    inputs = {"flops": np.geomspace(1e17, 2e19, 60)}
    return Design(theta=published("compute-batch", "deepseek-2024"), inputs=inputs, noise=0.02)


def critical_batch() -> Design:
    inputs = {"loss": np.linspace(2.3, 6.0, 60)}
    return Design(theta=published("critical-batch", "kaplan-2020"), inputs=inputs, noise=0.1)


def optimal_params() -> Design:
    inputs = {"flops": np.geomspace(1e14, 1e21, 60)}
    return Design(theta=published("optimal-params", "kaplan-2020"), inputs=inputs, noise=0.05)


def optimal_tokens() -> Design:
    inputs = {"flops": np.geomspace(1e17, 3e20, 60)}
    return Design(theta=published("optimal-tokens", "deepseek-2024"), inputs=inputs, noise=0.05)


def optimal_flops_per_token() -> Design:
    inputs = {"flops": np.geomspace(1e17, 3e20, 60)}
    return Design(theta=published("optimal-flops-per-token", "deepseek-2024"), inputs=inputs, noise=0.05)


def distillation() -> Design:
    """Students and teachers on both sides of the switch. c1, d1 and f1 are ours: the published c1 has a degenerate interval."""
    theta = published("distillation", "busbridge-2025") | {"c1": 20.0, "d1": 1.2, "f1": 0.15}
    mesh = grid(
        params=np.geomspace(1e7, 1e10, 5), ratio=np.geomspace(0.1, 1e4, 5), teacher_loss=np.linspace(1.3, 3.5, 8)
    )
    runs = {"params": mesh["params"], "tokens": mesh["params"] * mesh["ratio"]}
    alone = find("chinchilla-coupled").evaluate(published("chinchilla-coupled", "busbridge-2025"), runs)
    inputs = {**runs, "teacher_loss": mesh["teacher_loss"], "supervised_loss": alone}
    return Design(theta=theta, inputs=inputs, noise=5e-4)


def precision() -> Design:
    """Sizes and tokens of the paper, with weights, activations or cache in few bits, one at a time and all together."""
    bits_K3 = np.array(
        [
            (3, 16, 16),
            (4, 16, 16),
            (6, 16, 16),
            (16, 2, 16),
            (16, 4, 16),
            (16, 16, 1),
            (16, 16, 2),
            (4, 4, 4),
            (8, 8, 8),
        ]
    )
    mesh = grid(params=np.geomspace(3e7, 1e9, 4), ratio=np.geomspace(5, 500, 4), row=np.arange(9.0))
    bits_R3 = bits_K3[mesh["row"].astype(int)].astype(float)
    names = ("bits", "activation_bits", "cache_bits")
    inputs = {
        "params": mesh["params"],
        "tokens": mesh["params"] * mesh["ratio"],
        **dict(zip(names, bits_R3.T, strict=True)),
    }
    return Design(theta=published("precision", "kumar-2024"), inputs=inputs, noise=0.003)


def quantisation() -> Design:
    mesh = grid(params=np.geomspace(3e7, 1e9, 5), ratio=np.geomspace(5, 500, 5), bits=np.array([3.0, 4.0, 5.0, 6.0]))
    inputs = {"params": mesh["params"], "tokens": mesh["params"] * mesh["ratio"], "bits": mesh["bits"]}
    return Design(theta=published("quantisation", "kumar-2024"), inputs=inputs, noise=0.05)


def vocabulary() -> Design:
    """Five widths of the authors' models, vocabularies of 4K to 96K, 20 to 500 tokens per param."""
    widths = np.array([512.0, 768.0, 1024.0, 1536.0, 2048.0])
    mesh = grid(row=np.arange(5.0), vocabulary=np.geomspace(4e3, 96e3, 6), ratio=np.geomspace(20, 500, 5))
    width = widths[mesh["row"].astype(int)]
    params = 33e6 * (width / 512) ** 2.5
    inputs = {"params": params, "vocabulary": mesh["vocabulary"], "width": width, "tokens": params * mesh["ratio"]}
    return Design(theta=published("vocabulary", "tao-2024"), inputs=inputs, noise=1e-3)


def vocabulary_by_compute() -> Design:
    inputs = {"flops": np.geomspace(1.6e17, 1.3e21, 60)}
    return Design(theta=published("vocabulary-by-compute", "tao-2024"), inputs=inputs, noise=0.05)


def vocabulary_by_params() -> Design:
    inputs = {"params": np.geomspace(33e6, 1.13e9, 60)}
    return Design(theta=published("vocabulary-by-params", "tao-2024"), inputs=inputs, noise=0.05)


def coverage() -> Design:
    """Planted by us: the law has no universal constants."""
    return Design(theta={"a": 1.5, "b": 0.4}, inputs={"samples": np.geomspace(1, 1e4, 60)}, noise=0.02)


DESIGNS: dict[str, Callable[[], Design]] = {
    "chinchilla": chinchilla,
    "chinchilla-coupled": chinchilla_coupled,
    "kaplan": kaplan,
    "kaplan-params": kaplan_params,
    "kaplan-tokens": kaplan_tokens,
    "kaplan-compute": kaplan_compute,
    "kaplan-steps": kaplan_steps,
    "gadre": gadre,
    "gadre-multiplier": gadre_multiplier,
    "downstream-error": downstream_error,
    "task-accuracy": task_accuracy,
    "data-constrained": data_constrained,
    "over-repetition": over_repetition,
    "broken": broken,
    "m1": m1,
    "m2": m2,
    "m3": m3,
    "m4": m4,
    "step-lr": step_lr,
    "step-batch": step_batch,
    "compute-lr": compute_lr,
    "compute-batch": compute_batch,
    "critical-batch": critical_batch,
    "optimal-params": optimal_params,
    "optimal-tokens": optimal_tokens,
    "optimal-flops-per-token": optimal_flops_per_token,
    "routed": sparse.routed,
    "joint-experts": sparse.joint_experts,
    "granularity": sparse.granularity,
    "sparsity": sparse.sparsity,
    "efficiency-leverage": sparse.efficiency_leverage,
    "quality": sparse.quality,
    "quality-tokens": sparse.quality_tokens,
    "filtering": sparse.filtering,
    "context": sparse.context,
    "distillation": distillation,
    "precision": precision,
    "quantisation": quantisation,
    "vocabulary": vocabulary,
    "vocabulary-by-compute": vocabulary_by_compute,
    "vocabulary-by-params": vocabulary_by_params,
    "coverage": coverage,
}
