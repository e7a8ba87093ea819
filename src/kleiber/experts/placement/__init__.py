"""Where experts sit: one policy a file, each from loads and a cluster to a `Placement` with its bound."""

from __future__ import annotations

from kleiber.errors import InputError, did_you_mean
from kleiber.experts.placement.greedy import GREEDY
from kleiber.experts.placement.local_search import LOCAL_SEARCH
from kleiber.experts.placement.placement import Placement
from kleiber.experts.placement.policy import Policy
from kleiber.experts.placement.replicate import REPLICATE
from kleiber.experts.placement.round_robin import ROUND_ROBIN
from kleiber.experts.placement.static import STATIC
from kleiber.experts.placement.window_fill import WINDOW_FILL

POLICIES: tuple[Policy, ...] = (WINDOW_FILL, LOCAL_SEARCH, REPLICATE, GREEDY, ROUND_ROBIN, STATIC)


def find(name: str) -> Policy:
    """The policy called `name`; raises `InputError` with a suggestion.

    >>> find("window-fill").name
    'window-fill'
    """
    for policy in POLICIES:
        if policy.name == name:
            return policy
    raise InputError("no such policy", found=repr(name), remedy=did_you_mean(name, [each.name for each in POLICIES]))


__all__ = ["POLICIES", "Placement", "Policy", "find"]
