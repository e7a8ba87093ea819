"""Where experts sit: one policy a file, each from loads and a cluster to a `Placement` with its bound."""

from kleiber.experts.placement.placement import Placement

__all__ = ["Placement"]
