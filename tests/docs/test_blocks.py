"""Whatever Python the pages show runs as it stands and prints what they say."""

from __future__ import annotations

import re

import pytest

from tests.cli import examples
from tests.docs import blocks

SAID_WHY = re.compile(r"<!-- not run: ")


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * page.startswith(blocks.SLOW)) for page in blocks.PAGES]
)
def test_python_of(page: str) -> None:
    if table := examples.missing(page):
        pytest.skip(f"the public table ../shared/data/{table} is not beside this checkout")
    names: dict[str, object] = {"__name__": "__page__"}
    with examples.workplace():
        for block in blocks.blocks(page):
            printed = blocks.run(block.code, page, names)
            assert block.printed is None or examples.agrees(block.printed, printed), (
                f"{page} prints otherwise; run: python -m tests.docs.blocks {page}\n" + "\n".join(printed)
            )


def test_every_block_is_run_or_says_why_not() -> None:
    """No fenced command or code is passed over in silence."""
    for page in examples.texts():
        text = (examples.ROOT / page).read_text(encoding="utf-8")
        assert len(SAID_WHY.findall(text)) == len(examples.SKIPPED.findall(text)), f"{page}: a reason without a block"
        languages = set(re.findall(r"^```(\w*)\n", examples.source(page), re.MULTILINE)) - {""}
        assert languages <= {"console", "python", "text", "toml"}, (
            f"{page} has blocks that no test runs: {sorted(languages)}; write commands as ```console"
        )


def test_a_wrong_page_is_seen(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that prints otherwise than its page says does not pass."""
    found = blocks.BLOCK.search("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert found is not None
    printed = blocks.run(found["code"], "nowhere", {})
    assert printed == ["2"]
    assert not examples.agrees(tuple(found["printed"].rstrip("\n").split("\n")), printed)
