"""`kleiber app`: what it refuses before it listens, and that it says where it listens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kleiber.cli import app_server
from tests.cli.conftest import invoke


@pytest.mark.parametrize(("words", "says"), [
    (["--host", "0.0.0.0"], "lets others in"),
    (["--host", "0.0.0.0", "--token", "short"], "at least 16 characters"),
    (["--token", "short"], "at least 16 characters"),
    (["--runs", "nowhere.csv"], "no such file"),
    (["--ladder", "nowhere.toml"], "no such file"),
])  # fmt: skip
def test_bad_options_are_named_before_anything_listens(words: list[str], says: str) -> None:
    done = invoke("app", *words)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_server, "find_spec", lambda name: None)
    done = invoke("app")
    assert done.exit_code == 2
    assert "pip install 'kleiber[app]'" in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = invoke("app", "--port", taken.getsockname()[1])
    assert done.exit_code == 2
    assert "cannot listen there" in done.stderr


def test_it_says_where_it_listens_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kleiber", "app", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                          env={**os.environ, "TMPDIR": str(tmp_path)}) as process:  # fmt: skip
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:")
        assert list(tmp_path.glob("kleiber-app-*"))
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert not list(tmp_path.glob("kleiber-app-*")), "uploads are forgotten"
