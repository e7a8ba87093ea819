"""How quickly the page answers a slider, and how it fares when fifty people plan at once.

`slider`: one visitor moves the budget of a plan with 4,000 draws; the time from the request to the answer, and the processor time
that the answer took. `load`: visitors, each with a budget of their own, ask for plan after plan without a pause; errors, the
times, and the memory of the server with its processes at the start, the middle and the end. `kill`: a registry is written to
while the server that shows it is killed in the middle of its answers; what was stored must still be there.

Run: python benchmarks/app_load.py [slider|load|kill] [--visitors 50] [--seconds 60]
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS = Path(__file__).resolve().parents[1] / "ladders" / "sotu-dense" / "runs.parquet"
DRAWS, MOVES = 4000, 60


@contextmanager
def server(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The page with two processes, and its address."""
    command = [sys.executable, "-m", "kleiber", "app", "--port", "0", "--workers", "2", "--runs", str(RUNS), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1].rstrip("/"), process
        finally:
            process.kill()
            process.wait()


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for line in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = line.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(line.parent.name))
    return found


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children."""
    pages = [int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(pid)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children."""
    ticks = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def planner(client, table: str, flops: float, until: float, times: list[float], wrong: list[str]) -> None:
    """One visitor, who asks for one plan after another."""
    while time.monotonic() < until:
        flops *= 1.01
        began = time.monotonic()
        body = {"table": table, "flops": f"{flops:.4g}", "fitting": {"bootstrap": DRAWS}}
        answer = await client.post("/api/plan", json=body, timeout=120)
        times.append(time.monotonic() - began)
        if answer.status_code != 200 or not answer.json()["sentences"][0].startswith("Train "):
            wrong.append(f"{answer.status_code} {answer.text[:200]}")


async def opened(client) -> str:
    """The server's table, fitted, and every process warm."""
    table = (await client.get("/api/uploads", timeout=120)).json()[0]["id"]
    body = {"table": table, "fitting": {"bootstrap": DRAWS}}
    assert (await client.post("/api/fit", json=body, timeout=240)).status_code == 200
    plans = [client.post("/api/plan", json=body | {"flops": "1e20"}, timeout=240) for _ in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*plans)} == {200}
    return table


async def slider(visitors: int, seconds: float) -> None:
    import httpx2

    with server() as (address, process):
        async with httpx2.AsyncClient(base_url=address) as client:
            table = await opened(client)
            times: list[float] = []
            before = cpu_seconds(process.pid)
            for move in range(MOVES):
                began = time.monotonic()
                body = {"table": table, "flops": f"{1e20 * 1.03**move:.4g}", "fitting": {"bootstrap": DRAWS}}
                assert (await client.post("/api/plan", json=body, timeout=120)).status_code == 200
                times.append(time.monotonic() - began)
            spent = (cpu_seconds(process.pid) - before) / MOVES
    shown = (
        f"median {1e3 * statistics.median(times):.0f} ms, 95 % within {1e3 * sorted(times)[int(0.95 * MOVES)]:.0f} ms"
    )
    print(f"slider: {MOVES} moves, {DRAWS:,} draws: {shown}; processor time {1e3 * spent:.0f} ms a move")


async def load(visitors: int, seconds: float) -> None:
    import httpx2

    times: list[float] = []
    wrong: list[str] = []
    with server() as (address, process):
        limits = httpx2.Limits(max_connections=visitors)
        async with httpx2.AsyncClient(base_url=address, limits=limits) as client:
            table = await opened(client)
            memory = [memory_mb(process.pid)]
            until = time.monotonic() + seconds
            before = cpu_seconds(process.pid)
            crowd = [planner(client, table, 1e18 * 1.3**at, until, times, wrong) for at in range(visitors)]
            tasks = asyncio.gather(*crowd)
            await asyncio.sleep(seconds / 2)
            memory.append(memory_mb(process.pid))
            await tasks
            memory.append(memory_mb(process.pid))
            spent = (cpu_seconds(process.pid) - before) / len(times)
    ordered = sorted(times)
    most = ordered[int(0.95 * len(ordered))]
    print(
        f"load: {visitors} visitors for {seconds:g} s: {len(times)} plans, {len(wrong)} errors; median "
        f"{statistics.median(times):.2f} s, 95 % within {most:.2f} s, longest {ordered[-1]:.2f} s"
    )
    print(f"      processor time {1e3 * spent:.0f} ms a plan; memory {', '.join(f'{each:.0f} MB' for each in memory)}")
    for line in wrong[:3]:
        print("      ", line)


async def kill(visitors: int, seconds: float) -> None:
    import httpx2

    from kleiber.lab.description import read_ladder
    from kleiber.lab.registry import open_registry

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/registry.sqlite"
        registry = open_registry(url)
        registry.enrol(read_ladder(RUNS.parent / "ladder.toml"))
        names = [entry.run for entry in registry.entries()]
        kept = 0
        for name in names:
            with server("--registry", url) as (address, process):
                async with httpx2.AsyncClient(base_url=address) as client:
                    asked = [asyncio.create_task(client.get("/api/ladder", timeout=60)) for _ in range(4)]
                    await asyncio.sleep(0.5)
                    registry.finish({"run": name, "params": 1e6, "tokens": 1e8, "loss": 1.5})
                    process.kill()
                    await asyncio.gather(*asked, return_exceptions=True)
            entry = next(entry for entry in open_registry(url).entries() if entry.run == name)
            kept += entry.state == "done" and entry.result is not None and entry.result["loss"] == 1.5
            if kept >= 10:
                break
        print(
            f"kill: the server killed in the middle of its answers {kept} times; {kept} of {kept} results are in the registry"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=("slider", "load", "kill"))
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    for name, part in (("slider", slider), ("load", load), ("kill", kill)):
        if asked.part in (None, name):
            asyncio.run(part(asked.visitors, asked.seconds))


if __name__ == "__main__":
    main()
