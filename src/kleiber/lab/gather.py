"""Where finished runs are found: a results folder, the registry of a ladder, or a registry with many ladders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kleiber.errors import InputError
from kleiber.lab.description import read_ladder
from kleiber.lab.table import folder_rows


def finished_rows(place: str | None, registry_url: str | None) -> list[dict[str, Any]]:
    """The rows of a results folder, of a ladder's runs (a TOML file; in its own registry unless one is named), or of a registry.

    Raises `InputError` where a folder and a registry are named, or nothing is.
    """
    from kleiber.lab.ladder import registry_url as usual

    if place is not None and Path(place).suffix != ".toml":
        if registry_url is not None:
            raise InputError("a folder and a registry are two places", found=place, remedy="name one of them")
        return folder_rows(place)
    if place is None and registry_url is None:
        raise InputError("nothing to gather", expected="a results folder, a LADDER.toml or a --registry")
    names = [cell.run for cell in read_ladder(place).cells] if place else None
    from kleiber.lab.registry import open_registry

    url = registry_url or usual(Path(place or "").parent / "results")
    entries = open_registry(url, make=False).entries(names)
    return [entry.result for entry in entries if entry.state == "done" and entry.result is not None]
