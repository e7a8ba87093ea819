"""Questions about a table: its columns and how they are understood, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kleiber.app.memory import limited, options, table_of
from kleiber.app.repeat import Repeat

SHOWN_ROWS, SHOWN_COLUMNS = 5, 40


def ready(asked: dict[str, Any]) -> dict[str, Any]:
    """Nothing but the imports that every answer needs."""

    import kleiber.figures
    import kleiber.plan
    import kleiber.runs.audit  # noqa: F401

    return {}


def inspect(asked: dict[str, Any]) -> dict[str, Any]:
    """The header and first rows of a table, what each canonical column was taken from, and what is still missing."""
    from kleiber.errors import ColumnError, InputError

    reader, header, first = opened(asked["sources"][0])
    found: dict[str, Any] = {"format": reader.name, "header": header, "rows": first, "problem": None}
    try:
        table = table_of(asked)
    except (ColumnError, InputError) as error:
        from kleiber.app.worker import of_error

        return found | {"problem": of_error(error, asked), "runs": None}
    from kleiber.cli.check import summary
    from kleiber.cli.provenance import of_runs

    return found | {"runs": {**of_runs(table)["runs"], "summary": summary(table), "columns": list(table.columns)}}


def opened(source: Mapping[str, Any]) -> tuple[Any, list[str], list[list[str]]]:
    """What reads a file, its header and its first rows, as text."""
    from kleiber.runs.read.reading import _head, recognise

    path = Path(source["path"])
    limited(source)
    reader = recognise(path, _head(path))
    return reader, *_first(reader, path)


def _first(reader: Any, path: Path) -> tuple[list[str], list[list[str]]]:
    """The header of a file and its first rows, as text."""
    header: list[str] = []

    def choose(names: tuple[str, ...], size_bytes: int) -> tuple[str, ...]:
        header[:] = names
        return names

    batch = next(iter(reader.read(path, choose)), None)
    if batch is None:
        return header, []
    shown = batch.slice(0, SHOWN_ROWS).to_pylist()
    names = batch.schema.names[:SHOWN_COLUMNS]
    cells = [["" if row[name] is None else str(row[name])[:40] for name in names] for row in shown]
    return [*names, *[name for name in header if name not in names]], cells


def check(asked: dict[str, Any]) -> dict[str, Any]:
    """`kleiber check`."""
    from kleiber.cli.check import SCHEMA, of_fit
    from kleiber.cli.provenance import of_runs, stamped
    from kleiber.laws import find
    from kleiber.runs.audit import audit

    table, fitting = table_of(asked), options(asked["fitting"])
    findings = audit(table, inputs=find(fitting.law).inputs if fitting.law is not None else ())
    if not asked["table_only"]:
        findings += of_fit(table, fitting)
    found = {"schema": SCHEMA, "findings": [finding.to_json() for finding in findings], "seed": fitting.seed}
    repeat = Repeat(asked, "check").say("--table-only" if asked["table_only"] else None)
    return repeat.answer(stamped(found, of_runs(table)), _python(asked))


def _python(asked: dict[str, Any]) -> str:
    alone = "from kleiber.runs.audit import audit\n\nfindings = audit(runs)"
    if asked["table_only"]:
        return alone
    return f"{alone}\n{{fit}}\nfrom kleiber.fit.audit import audit_fit\n\nfindings += audit_fit(fit)"
