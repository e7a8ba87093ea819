"""A run that is stopped: failed with its reason, kept as a curve, in no table; the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the lab trains with PyTorch")

from kleiber.lab.curve import Curve
from kleiber.lab.description import read_ladder
from kleiber.lab.folder import make_folders
from kleiber.lab.ladder import registry_url
from kleiber.lab.progress import Observer
from kleiber.lab.registry import open_registry
from kleiber.lab.stop import Stopped
from kleiber.lab.table import table
from kleiber.lab.worker import work


class StopsOne:
    """Stops the run of one name at its fifth step."""

    def __init__(self, run: str) -> None:
        self.run = run

    def __call__(self, cell, recorder):
        stops = cell.run == self.run

        class Listens:
            def __call__(self, trainer, lr, loss) -> None:
                if stops and trainer.step == 5:
                    raise Stopped("it was sure to end badly")

            def end(self, row) -> None:
                pass

        return Listens()


def test_a_stopped_run_is_failed_with_its_reason_and_the_others_go_on(ladder_toml: Path, tmp_path: Path) -> None:
    ladder, results = read_ladder(ladder_toml), tmp_path / "results"
    make_folders(results)
    registry = open_registry(registry_url(results))
    stopped = ladder.cells[0].run
    rows = list(work(ladder, results, registry, [StopsOne(stopped)]))
    assert {row["run"] for row in rows} == {cell.run for cell in ladder.cells} - {stopped}
    (entry,) = registry.entries([stopped])
    assert (entry.state, entry.reason, entry.result) == ("failed", "stopped: it was sure to end badly", None)
    assert table(results).column("run").to_pylist().count(stopped) == 0
    assert len(Curve.load(results / "curves" / f"{stopped}.parquet")) == 5
    standing = Observer(ladder, results, lambda: registry).look()
    assert (standing.count("stopped"), standing.count("failed"), standing.count("done")) == (1, 0, 4)
