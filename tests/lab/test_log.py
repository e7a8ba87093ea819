"""Loggers: every one is put through the same run; what it wrote is read by our own readers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the lab trains with PyTorch")

from tests.lab.planted import cell  # noqa: E402

import kleiber  # noqa: E402
from kleiber.errors import InputError  # noqa: E402
from kleiber.lab.log import LOGGERS, Logger, logging_to  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
STEPS = 1000


def tell_a_run(told: str) -> None:
    """A thousand steps from a loss of 5 down to 4, and a row at the end."""
    run = cell()
    listener = logging_to(told)(run, SimpleNamespace())  # type: ignore[arg-type] - no logger asks for the curve
    trainer: Any = SimpleNamespace(step=0)
    for trainer.step in range(1, STEPS + 1):
        listener(trainer, 0.01, torch.tensor(5.0 - trainer.step / STEPS))
    listener.end({"loss": 3.75, "tokens": run.tokens})


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("logger", LOGGERS, ids=lambda logger: logger.name)
def test_each_writes_a_run_without_a_word(logger: Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(logger.package)
    tell_a_run(f"{logger.name}:{tmp_path / logger.name}" if logger.needs_place else logger.name)
    assert "no longer logged" not in capsys.readouterr().err
    assert any(path.is_file() for path in tmp_path.rglob("*"))


def test_tensorboard_is_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tbparse")
    tell_a_run(f"tensorboard:{tmp_path / 'tb'}")
    runs = kleiber.read(tmp_path / "tb", params="6k")
    assert runs.labels("run").tolist() == [cell().run]
    assert runs.column("loss").tolist() == [3.75]
    assert runs.column("tokens").tolist() == [cell().tokens]
    points = kleiber.read(tmp_path / "tb", params="6k", points="all", map={"loss": "train/loss"})
    # Two hundred points, each the mean of five steps: the first that of steps 1 to 5.
    assert len(points) == 200
    assert points.column("loss")[0] == pytest.approx(5.0 - 3 / STEPS, rel=1e-6)


def test_mlflow_is_read_back(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    tell_a_run(f"mlflow:{tmp_path / 'mlruns'}")
    runs = kleiber.read(tmp_path / "mlruns")
    assert runs.labels("run").tolist() == [cell().run]
    assert runs.column("loss").tolist() == [3.75]
    assert runs.column("params").tolist() == [cell().shape.active_params]


def test_a_program_that_fails_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kleiber.lab.log.logger import _Writes

    def broken(place: str, run: object, settings: object) -> object:
        raise RuntimeError("the server is gone")

    listener = _Writes(place="x", open=broken)(cell(), SimpleNamespace())  # type: ignore[arg-type]
    listener(SimpleNamespace(step=5), 0.01, torch.tensor(1.0))  # type: ignore[arg-type]
    listener.end(None)
    assert capsys.readouterr().err.count("is no longer logged: the server is gone") == 1


@pytest.mark.parametrize(
    ("told", "message"),
    [("tensorbord:x", "did you mean 'tensorboard'"), ("mlflow", "needs a place"), ("", "no logger")],
)
def test_a_place_that_makes_no_sense(told: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        logging_to(told)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import kleiber.lab.log.logger

    monkeypatch.setattr(kleiber.lab.log.logger, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'kleiber\[wandb\]'"):
        logging_to("wandb")
