"""Whatever the pages show is what Kleiber prints."""

from __future__ import annotations

import re

import pytest

from tests.cli import examples

pytestmark = pytest.mark.skipif(not examples.LADDER.exists(), reason="ladders/sotu-dense/runs.parquet is not there yet")


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * page.startswith(examples.SLOW)) for page in examples.PAGES]
)
def test_commands_of(page: str) -> None:
    if table := examples.missing(page):
        pytest.skip(f"the public table ../shared/data/{table} is not beside this checkout")
    listed = examples.examples(page)
    assert listed, f"{page} shows no command"
    with examples.workplace():
        for example in listed:
            code, printed = examples.output(example.command)
            printed = [line for line in printed if line]
            assert code == examples.expected_code(example), (example.command, printed)
            assert examples.agrees(example.printed, printed), (
                f"{page}: `{example.command}` prints otherwise; run: python -m tests.cli.examples\n"
                + "\n".join(printed)
            )


def test_the_example_table_is_the_shipped_ladder() -> None:
    import kleiber

    shown = kleiber.read(examples.RUNS, params="size", tokens="bytes seen", loss="val")
    shipped = kleiber.read(examples.LADDER)
    assert shown.column("loss") == pytest.approx(shipped.column("loss"), rel=1e-9)
    assert shown.column("params") == pytest.approx(shipped.column("params"))


def test_every_command_has_its_section() -> None:
    from kleiber.cli.app import COMMANDS

    page = (examples.ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        name = f"{command.group} {command.name}".strip()
        assert f"## `kleiber {name}" in page, f"docs/commands.md has no section on kleiber {name}"
        assert command.speaks_json == (command.schema is not None), (
            f"kleiber {name} has a schema without --json, or none with it"
        )
        if command.schema is not None:
            assert command.schema in page, f"docs/commands.md does not name {command.schema}"


def test_links_lead_somewhere() -> None:
    for page in [*examples.ROOT.glob("*.md"), *(examples.ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8")):
            made = (
                "/reference/" in target
            )  # written when the manual is built; tests/docs/test_reference.py has its pages
            assert made or (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_alike() -> None:
    assert examples.alike("loss 1.974 (1.95 - 2.00)", "loss 1.973 (1.951 - 2.00)")
    assert not examples.alike("loss 1.974", "loss 1.90")
    assert not examples.alike("loss 1.974", "error 1.974")
    assert examples.agrees(("a", "...", "d 1"), ["a", "b", "c", "d 1.001"])
    assert not examples.agrees(("a", "d"), ["a", "b", "d"])
