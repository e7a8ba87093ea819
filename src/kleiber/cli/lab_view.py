"""A ladder on the terminal: a pure function from how it stands to what is drawn.

The one idea: what fits is decided by the width at hand. At 120 columns every figure has its column; at 80 the bar, the speed and
the limit give way, and a band is said by its half. The last that ended come first, then those underway, then the next.
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
NARROW_HEADS = ("run", "done", "left", "loss now", "final loss")
WIDE_HEADS = ("run", "done", "tokens/s", "left", "loss now", "final loss", "limit")
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
    from rich.table import Table
    from rich.text import Text

    heads = WIDE_HEADS if wide else NARROW_HEADS
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=False, header_style="dim")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True, overflow="ellipsis")
    for run in _shown(standing):
        cells = _cells(run, wide=wide)
        table.add_row(*(Text(clean(cells[head])) for head in heads), style=STYLES[run.state])
    return table


def _shown(standing: Standing) -> list[RunStanding]:
    runs = standing.runs
    ended = [run for run in runs if run.state in ("done", "stopped", "failed")]
    running = [run for run in runs if run.state == "running"]
    queued = [run for run in runs if run.state == "queued"]
    return [*ended[-SHOWN_ENDED:], *running, *queued[:SHOWN_QUEUED]]


def _cells(run: RunStanding, *, wide: bool) -> dict[str, str]:
    """Every column's text for one run."""
    return {
        "run": f"{SIGNS[run.state]} {run.label}",
        "done": _done(run, wide=wide) if run.state == "running" else run.state,
        "tokens/s": "" if run.tokens_per_second is None else _amount(run.tokens_per_second),
        "left": "" if run.left_seconds is None else duration(run.left_seconds),
        "loss now": "" if run.loss_now is None else f"{run.loss_now:.3f}",
        "final loss": _end(run, wide=wide),
        "limit": "" if run.allowed is None else f"{run.allowed:.3f}",
    }


def _done(run: RunStanding, *, wide: bool) -> str:
    share = run.tokens_done / run.tokens
    full = round(BAR * share)
    return f"{'━' * full}{'╌' * (BAR - full)} {share:4.0%}" if wide else f"{share:.0%}"


def _end(run: RunStanding, *, wide: bool) -> str:
    """The loss that was measured, or the one that is foretold with its band."""
    if run.loss is not None:
        return f"{run.loss:.4f}"
    if run.outlook is None:
        return ""
    low, high = run.outlook.band()
    return (
        f"{run.outlook.loss:.3f} ({low:.3f} - {high:.3f})"
        if wide
        else f"{run.outlook.loss:.3f} ±{(high - low) / 2:.3f}"
    )


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
