"""Results as charts. Every chart is a pure function of results; charts are data (Vega-Lite specifications).

This is the contents page: one file per chart, `scene`, `marks` and `theme` for what they share, `files` for files and pictures.
"""

from kleiber.figures.cloud import optimum_cloud, parameter_cloud
from kleiber.figures.compute import loss_against_compute
from kleiber.figures.emergence import emergence_chart
from kleiber.figures.expert_loads import device_loads
from kleiber.figures.files import save
from kleiber.figures.forecast import forecast_curve
from kleiber.figures.frontier import frontier_chart
from kleiber.figures.heldout import allocation_by_cut, heldout_errors
from kleiber.figures.ladder import ladder_chart
from kleiber.figures.limits import limits_chart
from kleiber.figures.plane import contours
from kleiber.figures.residuals import residuals
from kleiber.figures.rules import rules_against_runs
from kleiber.figures.scaling import fluctuation_chart, tail_chart
from kleiber.figures.slices import loss_at_equal_compute
from kleiber.figures.timeline import pipeline_timeline

__all__ = [
    "allocation_by_cut",
    "contours",
    "device_loads",
    "emergence_chart",
    "fluctuation_chart",
    "forecast_curve",
    "frontier_chart",
    "heldout_errors",
    "ladder_chart",
    "limits_chart",
    "loss_against_compute",
    "loss_at_equal_compute",
    "optimum_cloud",
    "parameter_cloud",
    "pipeline_timeline",
    "residuals",
    "rules_against_runs",
    "save",
    "tail_chart",
]
