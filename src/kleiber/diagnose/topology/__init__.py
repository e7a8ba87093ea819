"""Test error without a test set, from the shape of the network's activations and of its path through training.

`DIAGNOSTICS` is the contents page. What each takes and gives is said in its file:

    functional_graph, topology      activations on training inputs -> distances between units -> tree and loops in numbers
    reference_runs, estimated_gap   your own runs with known gaps -> a map -> the gap of another run, beside what is free
    gap_above, gap_growth, Monitor  estimates during training -> an alarm that may be looked at after every checkpoint
    sound_runs, above_sound_runs    runs known not to overfit, watched alike -> an alarm on more than they show at the same step
    trajectory_dimension, ..._lifetimes, ..._magnitude   the path of the weights beside random walks of its own steps
    trajectory_findings                                  the three of one path, at 5 % over all of them
"""

from __future__ import annotations

from kleiber.diagnose.topology.alarm import Monitor, gap_above, gap_growth
from kleiber.diagnose.topology.entries import DIAGNOSTICS
from kleiber.diagnose.topology.gap import GapEstimate, estimated_gap, topology_gap
from kleiber.diagnose.topology.gap_map import GapMap, gap_map, labels_worth
from kleiber.diagnose.topology.graph import FunctionalGraph, functional_graph
from kleiber.diagnose.topology.magnitude import Magnitude, magnitude
from kleiber.diagnose.topology.matched import SoundRuns, above_sound_runs, sound_runs
from kleiber.diagnose.topology.persistence import Loops, loops
from kleiber.diagnose.topology.rank import WithinCells, partial_spearman, within_cells
from kleiber.diagnose.topology.reference_runs import ReferenceRuns, reference_runs
from kleiber.diagnose.topology.spanning_tree import spanning_lengths
from kleiber.diagnose.topology.structure import functional_structure
from kleiber.diagnose.topology.summary import Topology, topology
from kleiber.diagnose.topology.trajectory import Dimension, dimension, distances, lifetime_sum
from kleiber.diagnose.topology.walks import (
    trajectory_dimension,
    trajectory_findings,
    trajectory_lifetimes,
    trajectory_magnitude,
)

__all__ = [
    "DIAGNOSTICS",
    "Dimension",
    "FunctionalGraph",
    "GapEstimate",
    "GapMap",
    "Loops",
    "Magnitude",
    "Monitor",
    "ReferenceRuns",
    "SoundRuns",
    "Topology",
    "WithinCells",
    "above_sound_runs",
    "dimension",
    "distances",
    "estimated_gap",
    "functional_graph",
    "functional_structure",
    "gap_above",
    "gap_growth",
    "gap_map",
    "labels_worth",
    "lifetime_sum",
    "loops",
    "magnitude",
    "partial_spearman",
    "reference_runs",
    "sound_runs",
    "spanning_lengths",
    "topology",
    "topology_gap",
    "trajectory_dimension",
    "trajectory_findings",
    "trajectory_lifetimes",
    "trajectory_magnitude",
    "within_cells",
]
