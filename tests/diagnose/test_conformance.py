"""Every diagnostic: quiet on its null at the level it states, loud on what was planted, never a number from nothing.

The quick rates are over few draws and can only catch an instrument that is far off; `-m slow` measures 500 and more, and
`python -m tests.diagnose.rates` the tables of docs/diagnose-rates.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from kleiber.diagnose import DIAGNOSTICS
from kleiber.diagnose.diagnostic import Diagnostic, rate
from kleiber.finding import Finding

QUICK, MANY = 20, 500
every_diagnostic = pytest.mark.parametrize("diagnostic", DIAGNOSTICS, ids=lambda diagnostic: diagnostic.name)


def most(level: float, times: int) -> int:
    """So many loud verdicts on nulls come about by chance once in 10,000 at the stated level."""
    return int(binom.isf(1e-4, times, level))


def least(power: float, times: int) -> int:
    """So few loud verdicts on planted effects come about by chance once in 10,000 at the stated power."""
    return int(binom.ppf(1e-4, times, power))


def test_names_are_unique() -> None:
    assert len({diagnostic.name for diagnostic in DIAGNOSTICS}) == len(DIAGNOSTICS)


@every_diagnostic
def test_quiet_on_its_null(diagnostic: Diagnostic) -> None:
    assert rate(diagnostic, diagnostic.null, times=QUICK) * QUICK <= most(diagnostic.level, QUICK)


@every_diagnostic
def test_loud_on_what_was_planted(diagnostic: Diagnostic) -> None:
    assert rate(diagnostic, diagnostic.planted, times=QUICK) * QUICK >= least(diagnostic.power, QUICK)


@every_diagnostic
def test_a_finding_can_be_quoted(diagnostic: Diagnostic) -> None:
    finding = diagnostic.measure(**diagnostic.planted(np.random.default_rng(1)))
    assert isinstance(finding, Finding)
    assert finding.evidence.endswith(".")
    assert finding.name
    assert finding.reference or diagnostic.reference
    assert finding == diagnostic.measure(**diagnostic.planted(np.random.default_rng(1)))


@pytest.mark.slow
@every_diagnostic
def test_its_level_and_power_over_many_draws(diagnostic: Diagnostic) -> None:
    assert rate(diagnostic, diagnostic.null, times=MANY, seed=1) * MANY <= most(diagnostic.level, MANY)
    assert rate(diagnostic, diagnostic.planted, times=MANY, seed=1) * MANY >= least(diagnostic.power, MANY)
