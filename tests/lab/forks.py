"""Processes of a test that can be killed: forked from one that has PyTorch loaded, so that each starts in no time."""

from __future__ import annotations

import multiprocessing

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["kleiber.lab.train", "kleiber.lab.ladder", "kleiber.lab.registry.claims", "alembic.command"]
)
