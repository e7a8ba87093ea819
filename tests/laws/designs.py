"""For every shipped law: planted values and a realistic table of inputs on which all of its parameters can be told apart.

One idea: "the fit recovers what was planted" is a statement about a law, a design and a noise, so the three stand together.
`noise` is the standard deviation of the log of the target at which the design still identifies every parameter.
Planted values are a published set where there is one; where there is none the comment says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.laws import find

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Planted parameters (natural units), inputs (each (R,)) and the noise of log target the design can bear."""

    theta: Mapping[str, float]
    inputs: Mapping[str, Array]
    noise: float


def _published(law: str, name: str) -> dict[str, float]:
    return dict(find(law).coefficients(name).values)


def _grid(**axes: Array) -> dict[str, Array]:
    """Every combination of the axes, as flat columns."""
    return dict(zip(axes, (mesh.ravel() for mesh in np.meshgrid(*axes.values(), indexing="ij")), strict=True))


def _ladder(low: float, high: float, sizes: int, ratios: tuple[float, float], steps: int) -> dict[str, Array]:
    """`sizes` model sizes, each at `steps` ratios of tokens to params."""
    grid = _grid(params=np.geomspace(low, high, sizes), ratio=np.geomspace(*ratios, steps))
    return {"params": grid["params"], "tokens": grid["params"] * grid["ratio"]}


def chinchilla() -> Design:
    """The reach of Hoffmann's runs: 60M to 16B params, 2 to 400 tokens per param."""
    theta = _published("chinchilla", "besiroglu-2024")
    return Design(theta=theta, inputs=_ladder(6e7, 1.6e10, 12, (2.0, 400.0), 10), noise=0.005)


def chinchilla_coupled() -> Design:
    """Busbridge's supervised law over five decades of tokens per param: coupling shows only off the diagonal."""
    theta = _published("chinchilla-coupled", "busbridge-2025")
    return Design(theta=theta, inputs=_ladder(2e7, 1.3e10, 12, (0.3, 3000.0), 14), noise=0.001)


def kaplan() -> Design:
    theta = _published("kaplan", "kaplan-2020")
    inputs = _grid(params=np.geomspace(1e4, 1.5e9, 11), tokens=np.geomspace(2.2e7, 2.3e10, 9))
    return Design(theta=theta, inputs=inputs, noise=0.01)


def kaplan_params() -> Design:
    inputs = {"params": np.geomspace(768.0, 1.5e9, 60)}
    return Design(theta=_published("kaplan-params", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_tokens() -> Design:
    inputs = {"tokens": np.geomspace(2.2e7, 2.3e10, 60)}
    return Design(theta=_published("kaplan-tokens", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_compute() -> Design:
    inputs = {"flops": np.geomspace(1e12, 1e21, 60)}
    return Design(theta=_published("kaplan-compute", "kaplan-2020"), inputs=inputs, noise=0.01)


def kaplan_steps() -> Design:
    inputs = _grid(params=np.geomspace(1e4, 1.5e9, 10), steps=np.geomspace(3e3, 2.5e5, 10))
    return Design(theta=_published("kaplan-steps", "kaplan-2020"), inputs=inputs, noise=0.005)


def gadre() -> Design:
    """The released ladder of Gadre et al.: 11M to 6.9B params at 5 to 640 tokens per param."""
    theta = _published("gadre", "gadre-2024-c4-refit")
    return Design(theta=theta, inputs=_ladder(1.1e7, 6.9e9, 10, (5.0, 640.0), 8), noise=0.005)


def gadre_multiplier() -> Design:
    runs = gadre().inputs
    inputs = {"flops": 6 * runs["params"] * runs["tokens"], "tokens_per_param": runs["tokens"] / runs["params"]}
    return Design(theta=_published("gadre-multiplier", "gadre-2024-c4-refit"), inputs=inputs, noise=0.005)


def downstream_error() -> Design:
    inputs = {"loss": np.linspace(2.2, 5.0, 80)}
    return Design(theta=_published("downstream-error", "gadre-2024-c4-17"), inputs=inputs, noise=0.01)


def task_accuracy() -> Design:
    inputs = {"loss": np.linspace(0.4, 2.0, 100)}
    return Design(
        theta=_published("task-accuracy", "olmo-ladder-openbookqa") | {"top": 0.95}, inputs=inputs, noise=0.01
    )


def data_constrained() -> Design:
    """Datablations at large: three pools of unique tokens, 1 to 100 epochs, sizes on both sides of the matched one."""
    pools = _grid(
        unique_tokens=np.array([1e8, 1.5e9, 2.5e10]),
        size=np.geomspace(0.2, 60.0, 7),
        epochs=np.geomspace(1.0, 100.0, 8),
    )
    inputs = {
        "params": 0.051 * pools["unique_tokens"] * pools["size"],
        "tokens": pools["unique_tokens"] * pools["epochs"],
        "unique_tokens": pools["unique_tokens"],
    }
    return Design(theta=_published("data-constrained", "muennighoff-2023"), inputs=inputs, noise=0.003)


def over_repetition() -> Design:
    """No coefficients of this form could be read: base values of Muennighoff et al. with a penalty of our own choice."""
    base = _published("chinchilla", "muennighoff-2023")
    pools = _grid(
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
    inputs = _grid(params=np.geomspace(6e7, 1.1e9, 8), tokens=np.geomspace(2e9, 1e11, 9))
    return Design(theta=_published("step-lr", "step-law-2025"), inputs=inputs, noise=0.05)


def step_batch() -> Design:
    inputs = {"tokens": np.geomspace(2e9, 1e11, 60)}
    return Design(theta=_published("step-batch", "step-law-2025"), inputs=inputs, noise=0.05)


def compute_lr() -> Design:
    inputs = {"flops": np.geomspace(1e17, 2e19, 60)}
    return Design(theta=_published("compute-lr", "deepseek-2024"), inputs=inputs, noise=0.02)


def compute_batch() -> Design:
    inputs = {"flops": np.geomspace(1e17, 2e19, 60)}
    return Design(theta=_published("compute-batch", "deepseek-2024"), inputs=inputs, noise=0.02)


def critical_batch() -> Design:
    inputs = {"loss": np.linspace(2.3, 6.0, 60)}
    return Design(theta=_published("critical-batch", "kaplan-2020"), inputs=inputs, noise=0.1)


def optimal_params() -> Design:
    inputs = {"flops": np.geomspace(1e14, 1e21, 60)}
    return Design(theta=_published("optimal-params", "kaplan-2020"), inputs=inputs, noise=0.05)


def optimal_tokens() -> Design:
    inputs = {"flops": np.geomspace(1e17, 3e20, 60)}
    return Design(theta=_published("optimal-tokens", "deepseek-2024"), inputs=inputs, noise=0.05)


def optimal_flops_per_token() -> Design:
    inputs = {"flops": np.geomspace(1e17, 3e20, 60)}
    return Design(theta=_published("optimal-flops-per-token", "deepseek-2024"), inputs=inputs, noise=0.05)


def routed() -> Design:
    inputs = _grid(active_params=np.geomspace(1.5e7, 1.3e9, 7), experts=np.geomspace(1.0, 2048.0, 14))
    return Design(theta=_published("routed", "clark-2022-s-base"), inputs=inputs, noise=0.005)


def joint_experts() -> Design:
    """Ten times the sizes and thirty times the experts of the source: eleven parameters want a wide grid."""
    theta = _published("joint-experts", "ludziejewski-2025")
    grid = _grid(
        params=np.geomspace(2e7, 2.7e10, 5), ratio=np.geomspace(1.0, 1000.0, 5), experts=np.geomspace(1.0, 1024.0, 8)
    )
    inputs = {
        "active_params": grid["params"],
        "tokens": grid["params"] * grid["ratio"],
        "experts": grid["experts"],
    }
    return Design(theta=theta, inputs=inputs, noise=0.002)


def granularity() -> Design:
    runs = _grid(
        params=np.geomspace(1e8, 1e11, 6), ratio=np.geomspace(1.0, 1000.0, 5), finer=np.geomspace(1.0, 32.0, 6)
    )
    inputs = {"params": runs["params"], "tokens": runs["params"] * runs["ratio"], "granularity": runs["finer"]}
    return Design(theta=_published("granularity", "krajewski-2024"), inputs=inputs, noise=0.005)


def sparsity() -> Design:
    runs = _grid(params=np.geomspace(2e7, 1e11, 8), ratio=np.geomspace(1.0, 1000.0, 4), used=np.geomspace(0.02, 1.0, 6))
    inputs = {"params": runs["params"], "tokens": runs["params"] * runs["ratio"], "activation_ratio": runs["used"]}
    return Design(theta=_published("sparsity", "abnar-2025"), inputs=inputs, noise=0.001)


def efficiency_leverage() -> Design:
    inputs = _grid(
        activation_ratio=np.geomspace(0.008, 0.5, 6),
        granularity=np.array([2.0, 4.0, 8.0, 12.0, 16.0]),
        flops=np.geomspace(1e18, 1e22, 6),
    )
    return Design(theta=_published("efficiency-leverage", "ling-2025"), inputs=inputs, noise=0.05)


def quality() -> Design:
    """No size was varied in the source: base values of Muennighoff et al. with the published power of quality."""
    base = _published("chinchilla", "muennighoff-2023")
    grid = _grid(params=np.geomspace(1e7, 1e10, 6), ratio=np.geomspace(2.0, 400.0, 6), quality=np.linspace(0.3, 1.0, 5))
    inputs = {"params": grid["params"], "tokens": grid["params"] * grid["ratio"], "quality": grid["quality"]}
    return Design(theta=base | {"gamma": 0.4007}, inputs=inputs, noise=0.003)


def quality_tokens() -> Design:
    theta = _published("quality-tokens", "subramanyam-2025")
    return Design(
        theta=theta, inputs=_grid(tokens=np.geomspace(1e8, 1e10, 12), quality=np.linspace(0.3, 1.0, 7)), noise=0.003
    )


def filtering() -> Design:
    pools = _grid(unique_tokens=np.geomspace(1e6, 1e8, 8), epochs=np.geomspace(1.0, 40.0, 12))
    inputs = {"tokens": pools["unique_tokens"] * pools["epochs"], "unique_tokens": pools["unique_tokens"]}
    return Design(theta=_published("filtering", "goyal-2024-top-10"), inputs=inputs, noise=0.005)


def context() -> Design:
    """Planted by us: the published values stand in a figure that could not be read."""
    inputs = {"context": np.geomspace(128.0, 131072.0, 60)}
    return Design(theta={"E": 1.5, "k": 20.0, "beta": 0.45}, inputs=inputs, noise=0.002)


def distillation() -> Design:
    """Students and teachers on both sides of the switch. c1, d1 and f1 are ours: the published c1 has a degenerate interval."""
    theta = _published("distillation", "busbridge-2025") | {"c1": 20.0, "d1": 1.2, "f1": 0.15}
    grid = _grid(
        params=np.geomspace(1e7, 1e10, 5), ratio=np.geomspace(0.1, 1e4, 5), teacher_loss=np.linspace(1.3, 3.5, 8)
    )
    runs = {"params": grid["params"], "tokens": grid["params"] * grid["ratio"]}
    alone = find("chinchilla-coupled").evaluate(_published("chinchilla-coupled", "busbridge-2025"), runs)
    inputs = {**runs, "teacher_loss": grid["teacher_loss"], "supervised_loss": alone}
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
    grid = _grid(params=np.geomspace(3e7, 1e9, 4), ratio=np.geomspace(5, 500, 4), row=np.arange(9.0))
    bits_R3 = bits_K3[grid["row"].astype(int)].astype(float)
    names = ("bits", "activation_bits", "cache_bits")
    inputs = {
        "params": grid["params"],
        "tokens": grid["params"] * grid["ratio"],
        **dict(zip(names, bits_R3.T, strict=True)),
    }
    return Design(theta=_published("precision", "kumar-2024"), inputs=inputs, noise=0.003)


def quantisation() -> Design:
    grid = _grid(params=np.geomspace(3e7, 1e9, 5), ratio=np.geomspace(5, 500, 5), bits=np.array([3.0, 4.0, 5.0, 6.0]))
    inputs = {"params": grid["params"], "tokens": grid["params"] * grid["ratio"], "bits": grid["bits"]}
    return Design(theta=_published("quantisation", "kumar-2024"), inputs=inputs, noise=0.05)


def vocabulary() -> Design:
    """Five widths of the authors' models, vocabularies of 4K to 96K, 20 to 500 tokens per param."""
    widths = np.array([512.0, 768.0, 1024.0, 1536.0, 2048.0])
    grid = _grid(row=np.arange(5.0), vocabulary=np.geomspace(4e3, 96e3, 6), ratio=np.geomspace(20, 500, 5))
    width = widths[grid["row"].astype(int)]
    params = 33e6 * (width / 512) ** 2.5
    inputs = {"params": params, "vocabulary": grid["vocabulary"], "width": width, "tokens": params * grid["ratio"]}
    return Design(theta=_published("vocabulary", "tao-2024"), inputs=inputs, noise=1e-3)


def vocabulary_by_compute() -> Design:
    inputs = {"flops": np.geomspace(1.6e17, 1.3e21, 60)}
    return Design(theta=_published("vocabulary-by-compute", "tao-2024"), inputs=inputs, noise=0.05)


def vocabulary_by_params() -> Design:
    inputs = {"params": np.geomspace(33e6, 1.13e9, 60)}
    return Design(theta=_published("vocabulary-by-params", "tao-2024"), inputs=inputs, noise=0.05)


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
    "routed": routed,
    "joint-experts": joint_experts,
    "granularity": granularity,
    "sparsity": sparsity,
    "efficiency-leverage": efficiency_leverage,
    "quality": quality,
    "quality-tokens": quality_tokens,
    "filtering": filtering,
    "context": context,
    "distillation": distillation,
    "precision": precision,
    "quantisation": quantisation,
    "vocabulary": vocabulary,
    "vocabulary-by-compute": vocabulary_by_compute,
    "vocabulary-by-params": vocabulary_by_params,
    "coverage": coverage,
}
