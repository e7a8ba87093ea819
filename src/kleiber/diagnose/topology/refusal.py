"""A refusal as a finding: what cannot be told, and what would change that."""

from __future__ import annotations

from kleiber.diagnose.series import cannot_tell
from kleiber.errors import Refusal
from kleiber.finding import Finding


def refused(name: str, refusal: Refusal, *, reference: str = "") -> Finding:
    """The finding `name` that says what the refusal says.

    >>> refused("gap", Refusal("too few runs", remedy="more runs")).evidence
    'Too few runs.'
    """
    words = f"{refusal.message[0].upper()}{refusal.message[1:].removesuffix('.')}."
    return cannot_tell(name, words, remedy=refusal.remedy, reference=reference)
