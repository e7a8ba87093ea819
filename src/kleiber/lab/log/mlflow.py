"""MLflow: a run per run, in an experiment of the name `kleiber` (extra `mlflow`).

The place is a folder or the URL of a tracking server; a folder is a file store, which needs no server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kleiber.lab.cell import Cell
from kleiber.lab.log.logger import Logger

EXPERIMENT = "kleiber"


class _Tracked:
    """One run of MLflow's."""

    def __init__(self, place: str, cell: Cell, settings: Mapping[str, Any]) -> None:
        # The folder form is in maintenance and only opened on request; nothing is to be reported anywhere.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient  # type: ignore[import-not-found]

        self._client = MlflowClient(place if "://" in place else Path(place).resolve().as_uri())
        known = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT)
        self._run = self._client.create_run(experiment, run_name=cell.run).info.run_id
        for name, value in settings.items():
            self._client.log_param(self._run, name, value)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """A metric for each number."""
        for name, number in numbers.items():
            self._client.log_metric(self._run, name, number, step=step)

    def close(self, *, finished: bool) -> None:
        """Finished or failed."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "FAILED")


LOGGER = Logger(name="mlflow", package="mlflow", extra="mlflow", needs_place=True, open=_Tracked)
