"""The plane of params and tokens is the same for the plan and for the frontier of a fit."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.fit.frontier import loss_at
from kleiber.laws import Law
from kleiber.laws.follows import FOLLOWS
from kleiber.plan.surface import Surface


@pytest.mark.parametrize("name", [name for name in FOLLOWS if name != "params"])
def test_what_follows_from_params_and_tokens_is_worked_out(name: str) -> None:
    law = Law(
        f"E + A/params**alpha + B/{name}**beta"
        if name != "active_params"
        else "E + A/active_params**alpha + B/tokens**beta"
    )
    theta_1P = law.theta({"E": 1.8, "A": 480.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37})[None]
    params, tokens = 3e9, 7e10
    worked_out = {"tokens": tokens, "active_params": tokens, "flops": 6 * params * tokens, "compute": 6 * params * tokens,
                  "tokens_per_param": tokens / params}[name]  # fmt: skip
    expected = 1.8 + 480.0 / params**0.35 + 2000.0 / worked_out**0.37
    assert Surface(law=law, theta_KP=theta_1P).loss(params, tokens)[0, 0] == pytest.approx(expected, rel=1e-12)
    at_point = loss_at(law, theta_1P, np.log([[params]]), np.log([[tokens]]), {})
    assert at_point[0, 0] == pytest.approx(expected, rel=1e-12)
