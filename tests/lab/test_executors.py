"""Every executor: values and errors come back as themselves, many jobs, shutdown, and a killed worker fails its own job only.

The jobs are functions of the standard library, which every worker can import. Slurm's file is tried on submitit's own `local`
scheduler, which writes, starts, watches and reads jobs as it does on Slurm: without Slurm, `sbatch` itself is untried.
"""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kleiber.errors import InputError, KleiberError, Refusal
from kleiber.lab.executors import EXECUTORS, Executor, LostWorker, most_workers, open_executor

# Ray takes ten seconds to start, and a job through submitit is two starts of Python.
NAMES = [
    entry.name if entry.name == "local" else pytest.param(entry.name, marks=pytest.mark.slow) for entry in EXECUTORS
]


def opened(name: str, folder: Path, workers: int = 2) -> Executor:
    if name != "local":
        pytest.importorskip({"ray": "ray", "slurm": "submitit"}[name])
    return open_executor(name, workers=workers, address="local" if name == "slurm" else None, folder=folder)


@pytest.fixture(scope="module", params=NAMES)
def executor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with opened(request.param, tmp_path_factory.mktemp("jobs")) as found:
        yield found


def test_values_come_back_from_elsewhere(executor: Executor) -> None:
    assert executor.submit(divmod, 7, 2).result() == (3, 1)
    assert executor.submit(os.getpid).result() != os.getpid()


def test_what_a_job_raises_comes_back_as_itself(executor: Executor) -> None:
    with pytest.raises(ZeroDivisionError, match="zero"):
        executor.submit(divmod, 7, 0).result()


def test_many_jobs(executor: Executor) -> None:
    count = 5 if "Slurm" in type(executor._place).__name__ else 50
    futures = [executor.submit(pow, number, 2) for number in range(count)]
    assert [future.result() for future in futures] == [number**2 for number in range(count)]


def test_a_killed_worker_fails_its_own_job_only(executor: Executor) -> None:
    jobs = [(divmod, 9, 2), (signal.raise_signal, signal.SIGKILL), (divmod, 9, 4), (divmod, 9, 5)]
    before, killed, *after = [executor.submit(*job) for job in jobs]
    assert isinstance(killed.exception(), LostWorker)
    assert [future.result() for future in (before, *after)] == [(4, 1), (2, 1), (1, 4)]
    assert executor.submit(divmod, 9, 6).result() == (1, 3)


@pytest.mark.parametrize("name", ["local", pytest.param("slurm", marks=pytest.mark.slow)])
def test_a_block_that_fails_waits_for_nothing(name: str, tmp_path: Path) -> None:
    began = time.monotonic()
    executor = opened(name, tmp_path, workers=1)
    running, waiting = executor.submit(time.sleep, 60), executor.submit(time.sleep, 60)
    while not running.running():
        time.sleep(0.01)
    executor.__exit__(KeyboardInterrupt, None, None)
    assert time.monotonic() - began < 30
    assert isinstance(running.exception(), LostWorker)
    assert waiting.cancelled()


def test_a_worker_killed_from_outside_says_by_what(tmp_path: Path) -> None:
    with opened("local", tmp_path, workers=1) as executor:
        pid = executor.submit(os.getpid).result()
        job = executor.submit(time.sleep, 60)
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(
            LostWorker, match="the worker of sleep was ended by SIGKILL, as the system does when memory"
        ):
            job.result()
        assert executor.submit(os.getpid).result() != pid
        # One that died while it had nothing to do is no job's loss.
        os.kill(executor.submit(os.getpid).result(), signal.SIGKILL)
        time.sleep(0.2)
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(LostWorker, match="exit code 3"):
            executor.submit(os._exit, 3).result()


@pytest.mark.skipif(sys.platform != "linux", reason="cores are pinned on Linux only")
def test_local_workers_have_a_thread_each_and_a_core_where_they_fill_the_machine(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    with opened("local", tmp_path, workers=len(cores)) as executor:
        jobs = [executor.submit(os.sched_getaffinity, 0) for _ in range(2)]
        assert all(len(job.result()) == 1 for job in jobs)
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    if len(cores) > 1:
        with opened("local", tmp_path, workers=1) as executor:
            assert executor.submit(os.sched_getaffinity, 0).result() == cores


CREW = """
import os, sys, time
from kleiber.lab.executors.local import open_local

if __name__ == "__main__":
    with open_local(workers=1) as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        executor.submit(time.sleep, 600).result()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_workers_do_not_outlive_their_parent(tmp_path: Path, sign: signal.Signals) -> None:
    (tmp_path / "crew.py").write_text(CREW)
    with subprocess.Popen([sys.executable, str(tmp_path / "crew.py")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(sign)
        parent.wait(30)
    until = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


def test_what_cannot_travel_is_said_and_harms_nobody(tmp_path: Path) -> None:
    with opened("local", tmp_path, workers=1) as executor:
        with pytest.raises(KleiberError, match="what open gave cannot leave its process"):
            executor.submit(open, os.devnull).result()
        with pytest.raises((AttributeError, TypeError, Exception), match="lambda"):
            executor.submit(lambda: 1).result()
        assert executor.submit(divmod, 7, 2).result() == (3, 1)


def test_workers_fit_into_cores_and_memory() -> None:
    assert 1 <= most_workers() <= (os.cpu_count() or 1)
    assert most_workers(1 << 60) == 1


def test_refusals_survive_the_journey(tmp_path: Path) -> None:
    import pickle

    refusal = pickle.loads(pickle.dumps(Refusal("too few runs", remedy="train more")))
    assert (refusal.message, refusal.remedy) == ("too few runs", "train more")
    error = pickle.loads(pickle.dumps(InputError("bad", found=1, where="x.csv")))
    assert str(error) == "x.csv: bad (found 1)"


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_what_is_not_installed_is_named_with_its_remedy(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(wanted: str, *rest: object) -> object:
        if wanted == package:
            raise ImportError(wanted)
        return real(wanted, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=rf"not installed.*kleiber\[{name}\]"):
        open_executor(name)


def test_no_slurm_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no Slurm here"):
        open_executor("slurm", folder=tmp_path)


@pytest.mark.slow
def test_no_ray_there_is_said() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="no Ray cluster answers there"):
        open_executor("ray", address="127.0.0.1:1", workers=1)


@pytest.mark.parametrize(("name", "hint"), [("ryay", "did you mean 'ray'"), ("x", "there are: local, ray, slurm")])
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        open_executor(name)


def test_no_workers() -> None:
    with pytest.raises(InputError, match="1 or more workers"):
        open_executor("local", workers=0)
