"""Designs of the laws of sparse experts, of data quality and of context: one per law, as in `designs`."""

from __future__ import annotations

import numpy as np

from tests.laws.design import Design, grid, published


def routed() -> Design:
    inputs = grid(active_params=np.geomspace(1.5e7, 1.3e9, 7), experts=np.geomspace(1.0, 2048.0, 14))
    return Design(theta=published("routed", "clark-2022-s-base"), inputs=inputs, noise=0.005)


def joint_experts() -> Design:
    """Ten times the sizes and thirty times the experts of the source: eleven parameters want a wide grid."""
    theta = published("joint-experts", "ludziejewski-2025")
    runs = grid(
        params=np.geomspace(2e7, 2.7e10, 5), ratio=np.geomspace(1.0, 1000.0, 5), experts=np.geomspace(1.0, 1024.0, 8)
    )
    inputs = {
        "active_params": runs["params"],
        "tokens": runs["params"] * runs["ratio"],
        "experts": runs["experts"],
    }
    return Design(theta=theta, inputs=inputs, noise=0.002)


def granularity() -> Design:
    runs = grid(params=np.geomspace(1e8, 1e11, 6), ratio=np.geomspace(1.0, 1000.0, 5), finer=np.geomspace(1.0, 32.0, 6))
    inputs = {"params": runs["params"], "tokens": runs["params"] * runs["ratio"], "granularity": runs["finer"]}
    return Design(theta=published("granularity", "krajewski-2024"), inputs=inputs, noise=0.005)


def sparsity() -> Design:
    runs = grid(params=np.geomspace(2e7, 1e11, 8), ratio=np.geomspace(1.0, 1000.0, 4), used=np.geomspace(0.02, 1.0, 6))
    inputs = {"params": runs["params"], "tokens": runs["params"] * runs["ratio"], "activation_ratio": runs["used"]}
    return Design(theta=published("sparsity", "abnar-2025"), inputs=inputs, noise=0.001)


def efficiency_leverage() -> Design:
    inputs = grid(
        activation_ratio=np.geomspace(0.008, 0.5, 6),
        granularity=np.array([2.0, 4.0, 8.0, 12.0, 16.0]),
        flops=np.geomspace(1e18, 1e22, 6),
    )
    return Design(theta=published("efficiency-leverage", "ling-2025"), inputs=inputs, noise=0.05)


def quality() -> Design:
    """No size was varied in the source: base values of Muennighoff et al. with the published power of quality."""
    base = published("chinchilla", "muennighoff-2023")
    runs = grid(params=np.geomspace(1e7, 1e10, 6), ratio=np.geomspace(2.0, 400.0, 6), quality=np.linspace(0.3, 1.0, 5))
    inputs = {"params": runs["params"], "tokens": runs["params"] * runs["ratio"], "quality": runs["quality"]}
    return Design(theta=base | {"gamma": 0.4007}, inputs=inputs, noise=0.003)


def quality_tokens() -> Design:
    theta = published("quality-tokens", "subramanyam-2025")
    return Design(
        theta=theta, inputs=grid(tokens=np.geomspace(1e8, 1e10, 12), quality=np.linspace(0.3, 1.0, 7)), noise=0.003
    )


def filtering() -> Design:
    pools = grid(unique_tokens=np.geomspace(1e6, 1e8, 8), epochs=np.geomspace(1.0, 40.0, 12))
    inputs = {"tokens": pools["unique_tokens"] * pools["epochs"], "unique_tokens": pools["unique_tokens"]}
    return Design(theta=published("filtering", "goyal-2024-top-10"), inputs=inputs, noise=0.005)


def context() -> Design:
    """Planted by us: the published values stand in a figure that could not be read."""
    inputs = {"context": np.geomspace(128.0, 131072.0, 60)}
    return Design(theta={"E": 1.5, "k": 20.0, "beta": 0.45}, inputs=inputs, noise=0.002)
