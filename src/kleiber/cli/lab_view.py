"""A ladder on the terminal: a pure function from how it stands to what is drawn.

The one idea: what fits is decided by the width at hand. At 120 columns every figure has its column; at 80 the speed and the limit
give way. Runs that are underway come first, then the last that ended, then the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.cli.screen import clean

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from kleiber.lab.progress import RunStanding, Standing

WIDE = 110
BAR = 10
SHOWN_ENDED, SHOWN_QUEUED, SHOWN_REMARKS = 6, 3, 6
STYLES = {"running": "bold", "done": "green", "stopped": "yellow", "failed": "red", "queued": "dim"}
SIGNS = {"done": "✔", "stopped": "■", "failed": "✘", "queued": "·", "running": "▸"}


def view(standing: Standing, *, width: int) -> RenderableType:
    """The whole screen of a ladder, for a terminal `width` columns wide."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(_headline(standing), style="bold"), _table(standing, wide=width >= WIDE)]
    queued = standing.count("queued")
    if queued > SHOWN_QUEUED:
        parts.append(Text(f"  and {queued - SHOWN_QUEUED} more to come", style="dim"))
    if standing.law:
        parts.append(Text(f"Law so far: {clean(standing.law)}"))
    remarks = [(run, remark) for run in standing.runs for remark in run.remarks]
    for run, remark in remarks[-SHOWN_REMARKS:]:
        parts.append(Text(f"! {clean(run.label)}: {clean(remark)}", style="yellow"))
    return Group(*parts)


def _headline(standing: Standing) -> str:
    counts = [
        f"{standing.count(state)} {state}"
        for state in ("done", "running", "stopped", "failed")
        if standing.count(state)
    ]
    words = [clean(standing.ladder), f"{len(standing.runs)} runs: {', '.join(counts) or 'none begun'}"]
    if standing.tokens_per_second:
        words.append(f"{_amount(standing.tokens_per_second)} tokens/s")
    if standing.left_seconds:
        words.append(f"{duration(standing.left_seconds)} left")
    return " · ".join(words)


def _table(standing: Standing, *, wide: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heads = ["run", "done", "left", "loss now", "will end at"]
    if wide:
        heads = ["run", "done", "tokens/s", "left", "loss now", "will end at", "limit"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True, overflow="ellipsis")
    for run in _shown(standing):
        cells = _cells(run)
        table.add_row(*(Text(clean(cells[head])) for head in heads), style=STYLES[run.state])
    return table


def _shown(standing: Standing) -> list[RunStanding]:
    runs = standing.runs
    ended = [run for run in runs if run.state in ("done", "stopped", "failed")]
    running = [run for run in runs if run.state == "running"]
    queued = [run for run in runs if run.state == "queued"]
    return [*ended[-SHOWN_ENDED:], *running, *queued[:SHOWN_QUEUED]]


def _cells(run: RunStanding) -> dict[str, str]:
    """Every column's text for one run."""
    share = run.tokens_done / run.tokens if run.tokens else 0.0
    end = "" if run.loss is None else f"{run.loss:.4f}"
    if run.outlook is not None:
        low, high = run.outlook.band()
        end = f"{run.outlook.loss:.3f} ({low:.3f} - {high:.3f})"
    full = round(BAR * share)
    return {
        "run": f"{SIGNS[run.state]} {run.label}",
        "done": f"{'━' * full}{'╌' * (BAR - full)} {share:4.0%}" if run.state == "running" else run.state,
        "tokens/s": "" if run.tokens_per_second is None else _amount(run.tokens_per_second),
        "left": "" if run.left_seconds is None else duration(run.left_seconds),
        "loss now": "" if run.loss_now is None else f"{run.loss_now:.3f}",
        "will end at": end,
        "limit": "" if run.allowed is None else f"{run.allowed:.3f}",
    }


def _amount(value: float) -> str:
    from kleiber.quantity import show

    return show(float(f"{value:.3g}"))


def duration(seconds: float) -> str:
    """A stretch of time in its two largest units.

    >>> duration(42.4), duration(95), duration(7384), duration(200_000)
    ('42 s', '1 min 35 s', '2 h 3 min', '2 d 7 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
