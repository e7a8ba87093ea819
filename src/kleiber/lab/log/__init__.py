"""Loggers: a run told to a program that draws curves, as it trains.

Each file is one: a `Listening` that is made of a place, and logs the same five names whatever the program: `train/loss`, `lr`,
`tokens` and `tokens_per_second` as it goes, `val/loss` at the end, where `kleiber check` and `kleiber fit` find it again. What a
run is (params, width, seed ...) goes where the program keeps settings. Adding one: write `x.py` beside these, list it in
`LOGGERS`; one test puts them all through the same run.
"""

from __future__ import annotations

from kleiber.errors import InputError, did_you_mean
from kleiber.lab.listener import Listening
from kleiber.lab.log import mlflow, tensorboard, wandb
from kleiber.lab.log.logger import Logger

LOGGERS: tuple[Logger, ...] = (tensorboard.LOGGER, mlflow.LOGGER, wandb.LOGGER)


def logging_to(told: str) -> Listening:
    """The logger of `tensorboard:FOLDER`, `mlflow:FOLDER-OR-URL`, `wandb` or `wandb:PROJECT`.

    Raises `InputError` for a logger that is not known, a place that is missing, and a package that is not installed.
    """
    name, _, place = told.partition(":")
    known = {logger.name: logger for logger in LOGGERS}
    if name not in known:
        raise InputError(
            f"no logger {name!r}", expected=", ".join(known), remedy=did_you_mean(name, known), where="--log"
        )
    return known[name].at(place)


__all__ = ["LOGGERS", "Logger", "logging_to"]
