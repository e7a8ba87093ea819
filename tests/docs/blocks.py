"""The blocks of Python in README.md and docs/, run: `python -m tests.docs.blocks` writes their output anew, the tests compare.

The blocks of a page run one after the other in one namespace, in the folder that its commands run in too
(`tests.cli.examples.workplace`). A ```text block right below one is what it prints. A block below a line
`<!-- not run: reason -->` is left alone.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from dataclasses import dataclass

from tests.cli import examples

BLOCK = re.compile(r"```python\n(?P<code>.*?)```(?P<below>\n\n```text\n(?P<printed>.*?)```)?", re.DOTALL)
# Pages that take long: `make test-slow` runs them.
SLOW = ("docs/claims/", "docs/gallery.md", "docs/how/")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of Python with the lines that the page says it prints (None: the page does not say)."""

    code: str
    printed: tuple[str, ...] | None


def blocks(page: str) -> list[Block]:
    """The blocks of a page that are run, in order."""
    return [
        Block(code=found["code"], printed=tuple(found["printed"].rstrip("\n").split("\n")) if found["below"] else None)
        for found in BLOCK.finditer(examples.source(page))
    ]


PAGES = tuple(page for page in examples.texts() if blocks(page))


def run(code: str, page: str, names: dict[str, object]) -> list[str]:
    """What a block prints, without empty lines at the end."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, page, "exec"), names)
    return said.getvalue().rstrip().split("\n")


def refresh(page: str) -> None:
    """Write what the blocks of a page print anew."""
    path = examples.ROOT / page
    text = path.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "__page__"}

    def renew(found: re.Match[str]) -> str:
        printed = run(found["code"], page, names)
        said = (found["printed"] or "").rstrip("\n").split("\n")
        if not found["below"]:
            return found.group(0)
        shown = said if "..." in said and examples.agrees(tuple(said), printed) else printed
        return f"```python\n{found['code']}```\n\n```text\n" + "\n".join(shown) + "\n```"

    with examples.workplace():
        pieces = [BLOCK.sub(renew, piece) for piece in examples.SKIPPED.split(text)]
    left = [*examples.SKIPPED.findall(text), ""]
    path.write_text("".join(piece + kept for piece, kept in zip(pieces, left, strict=True)), encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or PAGES:
        if not examples.missing(each):
            refresh(each)
