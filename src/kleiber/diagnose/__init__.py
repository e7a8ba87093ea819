"""When not to believe the curve: each diagnostic takes arrays and gives a `Finding`, or says that it cannot tell.

`DIAGNOSTICS` is the contents page; joining a room's tuple is joining `tests/diagnose/test_conformance.py`.
"""

from __future__ import annotations

from kleiber.diagnose import criticality, data, emergence, limits, memorisation, topology
from kleiber.diagnose.diagnostic import Diagnostic

DIAGNOSTICS: tuple[Diagnostic, ...] = (
    *criticality.DIAGNOSTICS,
    *topology.DIAGNOSTICS,
    *memorisation.DIAGNOSTICS,
    *emergence.DIAGNOSTICS,
    *data.DIAGNOSTICS,
    *limits.DIAGNOSTICS,
)
