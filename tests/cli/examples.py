"""The commands of README.md and docs/, run: `python -m tests.cli.examples` writes their output anew, the tests compare.

A ```console block holds commands (`$ kleiber ...`) with their output. A line `...` among others stands for output left
out; alone it is filled in. `# exits with 1` names the exit code. The commands of a page run one after the other in one
folder that holds `runs.csv`, the shipped ladder under column names of its own, `ladders/`, `examples/`, and the public tables
of `NEEDS`. A block below a line `<!-- not run: reason -->` is left alone. Blocks of Python are in `tests/docs`.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.conftest import invoke

ROOT = Path(__file__).resolve().parents[2]
LADDER = ROOT / "ladders" / "sotu-dense" / "runs.parquet"
RUNS = ROOT / "examples" / "runs.csv"
PUBLIC = ROOT.parent / "shared" / "data"
# Public tables that a page starts from; it is left alone where they are not beside the checkout.
NEEDS = {
    "docs/one-decision.md": "epoch/svg_extracted_data.csv",
    "docs/claims/undertrained.md": "epoch/svg_extracted_data.csv",
    "docs/claims/data-or-size.md": "epoch/svg_extracted_data.csv",
    "docs/claims/power-law.md": "revisiting_nsl/benchmark.lang.csv",
}
# Their commands take long together: `make test-slow` runs them.
SLOW = ("docs/claims/", "docs/start.md")
SKIPPED = re.compile(r"<!-- not run: [^>]{10,} -->\n+```\w+\n.*?```", re.DOTALL)
IMAGES = {"loss-against-compute.svg": "compute", "equal-loss.svg": "contours"}
COLUMNS = {"run": "name", "params": "size", "tokens": "bytes seen", "loss": "val", "seed": "seed", "trunk": "trunk"}
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
ELLIPSIS = "..."


@dataclass(frozen=True, kw_only=True)
class Example:
    """One command of a page with the lines that the page says it prints."""

    page: str
    command: str
    printed: tuple[str, ...]


def texts() -> list[str]:
    """README.md and every page of docs/."""
    return ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


def source(page: str) -> str:
    """What a page says, without the blocks that are not run."""
    return SKIPPED.sub("", (ROOT / page).read_text(encoding="utf-8"))


PAGES = tuple(page for page in texts() if BLOCK.search(source(page)))


def examples(page: str) -> list[Example]:
    """The commands of a page, in order."""
    found = []
    for block in BLOCK.findall(source(page)):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *printed = piece.rstrip("\n").split("\n")
            found.append(Example(page=page, command=command, printed=tuple(printed)))
    return found


def missing(page: str) -> str:
    """The public table that a page needs and that is not there, or nothing."""
    name = NEEDS.get(page, "")
    return name if name and not (PUBLIC / name).exists() else ""


@contextmanager
def workplace() -> Iterator[None]:
    """A folder as the pages assume it, to stand in while their commands run."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runs.csv").write_bytes(RUNS.read_bytes())
        for name in ("ladders", "examples"):
            (Path(folder) / name).symlink_to(ROOT / name)
        for name in set(NEEDS.values()):
            (Path(folder) / Path(name).name).symlink_to(PUBLIC / name)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def output(command: str) -> tuple[int, list[str]]:
    """What a command prints, and its exit code."""
    words = shlex.split(command, comments=True)
    assert words[0] == "kleiber", command
    result = invoke(*words[1:])
    return result.exit_code, result.output.rstrip("\n").split("\n")


def alike(said: str, printed: str) -> bool:
    """Whether two lines say the same: equal words, and numbers within two units in a hundred (other machines round otherwise)."""
    if NUMBER.sub("#", said) != NUMBER.sub("#", printed):
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(
        abs(float(one) - float(other)) <= 0.02 * max(abs(float(one)), abs(float(other)), 0.05) for one, other in pairs
    )


def agrees(said: tuple[str, ...], printed: list[str]) -> bool:
    """Whether the lines of a page are those printed, `...` standing for any number of them."""
    if not said:
        return not printed
    if said[0] == ELLIPSIS:
        return any(agrees(said[1:], printed[skip:]) for skip in range(len(printed) + 1))
    return bool(printed) and alike(said[0], printed[0]) and agrees(said[1:], printed[1:])


def expected_code(example: Example) -> int:
    """The exit code that the page promises."""
    match = re.search(r"# exits with (\d+)", example.command)
    return int(match.group(1)) if match else 0


def write_runs() -> None:
    """examples/runs.csv: the shipped ladder under the column names of somebody else's export."""
    import csv

    import kleiber

    table = kleiber.read(LADDER)
    RUNS.parent.mkdir(exist_ok=True)
    with RUNS.open("w", newline="", encoding="utf-8") as handle:
        rows = csv.writer(handle, lineterminator="\n")
        rows.writerow(COLUMNS.values())
        columns = [[f"{value:.12g}" for value in table.column(name)] if table.is_numeric(name) else table.labels(name)
                   for name in COLUMNS]  # fmt: skip
        rows.writerows(zip(*columns, strict=True))


def refresh(page: str) -> None:
    """Write the outputs of a page anew; where a person has left lines out (`...`) and the rest has changed, say so."""
    path = ROOT / page

    def renew(block: re.Match[str]) -> str:
        pieces = re.split(r"^\$ ", block.group(1), flags=re.MULTILINE)[1:]
        renewed = []
        for piece in pieces:
            command, *said = piece.rstrip("\n").split("\n")
            _, printed = output(command)
            said = [] if said == [ELLIPSIS] else said
            if ELLIPSIS in said and not agrees(tuple(said), printed):
                print(f"{page}: left as it is, look at it: {command}")
                printed = said
            elif ELLIPSIS in said:
                printed = said
            renewed.append("\n".join([f"$ {command}", *filter(None, printed)]))
        return "```console\n" + "\n".join(renewed) + "\n```"

    with workplace():
        text = path.read_text(encoding="utf-8")
        kept = SKIPPED.findall(text)
        pieces = [BLOCK.sub(renew, piece) for piece in SKIPPED.split(text)]
    whole = "".join(piece + left for piece, left in zip(pieces, [*kept, ""], strict=True))
    path.write_text(whole, encoding="utf-8")


def draw() -> None:
    """The pictures of the pages, from the shipped ladder."""
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in IMAGES.items():
        result = invoke("chart", LADDER, kind, "--cluster", "trunk", "--flops", "100x", "-o", folder / name)
        assert result.exit_code == 0, result.output


if __name__ == "__main__":
    import sys

    chosen = sys.argv[1:]  # these pages only
    if not chosen:
        write_runs()
        draw()
    for each in chosen or PAGES:
        if not missing(each):
            refresh(each)
