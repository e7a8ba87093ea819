"""Loss against context: what a doubling leaves, and planted values that come back from a dozen lengths."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.fit.fitting import fit
from kleiber.laws import find
from kleiber.runs import RunTable
from tests.laws.sparse_designs import context

LAW = find("context")


def test_each_doubling_leaves_the_same_share_above_the_floor() -> None:
    theta = context().theta
    above = LAW.evaluate(theta, {"context": 2.0 ** np.arange(8, 18)}) - theta["E"]
    assert above[1:] / above[:-1] == pytest.approx(2 ** -theta["beta"], rel=1e-9)


def test_one_nat_is_left_at_k() -> None:
    theta = context().theta
    assert float(LAW.evaluate(theta, {"context": theta["k"]})) == pytest.approx(theta["E"] + 1, rel=1e-12)


def test_planted_values_come_back() -> None:
    theta, lengths = context().theta, np.geomspace(256, 131072, 12)
    noise = np.random.default_rng(5).normal(scale=5e-4, size=12)
    runs = RunTable.of({"context": lengths, "loss": LAW.evaluate(theta, {"context": lengths}) * np.exp(noise)})
    found = fit(runs, LAW, bootstrap=0, seed=0, starts=16)
    assert found.theta_P == pytest.approx(LAW.theta(theta), rel=0.05)


def test_no_set_is_published_and_the_law_does_not_pretend() -> None:
    assert LAW.published == ()
