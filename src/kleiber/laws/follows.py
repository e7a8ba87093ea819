"""Follows: the inputs of a law that a choice of params and tokens settles.

One idea: a column that is a product of powers of params and tokens (compute, tokens per param) is no freedom of its own, so along
a split of compute, or over a plane of params and tokens, it is worked out and never asked for. Where the runs count compute
otherwise than 6ND, or active params apart from params, a value given for the column goes before.
"""

from __future__ import annotations

FOLLOWS: dict[str, tuple[float, float, float]] = {
    "params": (1.0, 1.0, 0.0),
    "active_params": (1.0, 1.0, 0.0),
    "tokens": (1.0, 0.0, 1.0),
    "flops": (6.0, 1.0, 1.0),
    "compute": (6.0, 1.0, 1.0),
    "tokens_per_param": (1.0, -1.0, 1.0),
}
"""Name -> (factor, power of params, power of tokens)."""
