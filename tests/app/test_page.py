"""The page as a visitor meets it, in a headless Chromium: upload, map, fit, plan, share; by keyboard; for all eyes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.app.browser import WAIT_MS, Visitor, browsing, chromium, serving
from tests.app.conftest import MAP, write_ladder

FAST = "&draws=200"
HEADLINE = "#decision .headline"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    chromium()
    with serving() as found:
        yield found


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Visitor]:
    found = Visitor(browser, address)
    yield found
    shown = found.page.inner_text("body")
    found.close()
    assert "[object" not in shown
    assert "undefined" not in shown
    # A 4xx that a test provoked is logged by the browser as well; anything else is a fault of the page.
    assert [line for line in found.wrong if "status of 4" not in line] == []


def mapped(visitor: Visitor, ladder: Path) -> None:
    """Bring the ladder and say which columns are which."""
    visitor.open()
    visitor.drop(ladder)
    visitor.wait_for(".problem")  # the columns have names of their own
    for label, name in (("Params", "params"), ("Tokens", "tokens"), ("Loss", "loss")):
        visitor.page.get_by_label(label, exact=True).select_option(MAP[name])
    visitor.wait_for("section[aria-label=Findings] summary")
    # The findings of the mapping before may stand there a moment longer.
    visitor.page.get_by_text("18 runs").first.wait_for()


def changed(visitor: Visitor, said: str) -> None:
    """Wait until the decision says something else; by the page's locators, as its policy forbids evaluated conditions."""
    from playwright.sync_api import expect

    expect(visitor.page.locator(HEADLINE)).not_to_have_text(said, timeout=WAIT_MS)


def planned(visitor: Visitor, flops: str) -> str:
    """Plan with a budget; the first sentence of the decision."""
    visitor.page.evaluate(f"location.hash = location.hash.replace('#/runs', '#/plan') + '{FAST}&flops={flops}'")
    return visitor.wait_for(HEADLINE).inner_text()


def test_from_a_file_to_a_plan_to_a_link_that_shows_the_same_plan(
    visitor: Visitor, browser: Any, address: str, ladder_csv: Path
) -> None:
    mapped(visitor, ladder_csv)
    said = planned(visitor, "1e24")
    assert re.match(r"Train .*B params on .*T tokens: loss ", said)
    moved = visitor.page.get_by_label("Budget (training FLOP), slider")
    moved.press("PageUp")
    changed(visitor, said)
    said = visitor.wait_for(HEADLINE).inner_text()
    visitor.wait_for("figure[data-chart=contours][data-drawn]")

    visitor.page.get_by_role("button", name="Copy as command").first.click()
    command = visitor.page.get_by_label("Copied text").first.input_value()
    assert command.startswith("kleiber plan 'my ladder.csv' --map")
    link = link_of(visitor, keys=1)

    for again in (visitor, Visitor(browser, address)):  # the same visitor later, and a friend
        again.page.goto("about:blank")
        again.page.goto(link)
        assert again.wait_for(HEADLINE).inner_text() == said
    again.close()

    stranger = Visitor(browser, address)
    stranger.page.goto(link.split("&key=")[0])
    assert "my ladder.csv" in stranger.wait_for("h1:has-text('Which table?') ~ p").inner_text()
    stranger.drop(ladder_csv)
    assert stranger.wait_for(HEADLINE).inner_text() == said
    stranger.close()


def link_of(visitor: Visitor, keys: int) -> str:
    """What *Copy link* gives, once it has so many keys."""
    from playwright.sync_api import expect

    visitor.page.get_by_role("button", name="Copy link").first.click()
    shown = visitor.page.get_by_label("Copied text").first
    expect(shown).to_have_value(re.compile("key=[^&]+" + "%2C[^&]+" * (keys - 1) + "$"), timeout=WAIT_MS)
    return shown.input_value()


def test_a_link_carries_the_tables_of_families(
    visitor: Visitor, browser: Any, address: str, ladder_csv: Path, tmp_path: Path
) -> None:
    visitor.open()
    visitor.drop(write_ladder(tmp_path / "recurrent.csv", seed=1))
    visitor.wait_for(".problem")
    mapped(visitor, ladder_csv)
    planned(visitor, "1e22")
    visitor.page.get_by_text("Laws weighed, families apart").click()
    laws = visitor.page.get_by_role("group", name="Other laws of the same runs")
    assert laws.get_by_label("kaplan", exact=True).is_visible()
    visitor.page.get_by_label("ssm", exact=True).last.select_option(label="recurrent.csv")
    visitor.wait_for("section[aria-label=Rivals]")
    said = visitor.wait_for(HEADLINE).inner_text()

    friend = Visitor(browser, address)
    friend.page.goto(link_of(visitor, keys=2))
    friend.wait_for("section[aria-label=Rivals]")
    assert friend.wait_for(HEADLINE).inner_text() == said
    friend.close()
    assert friend.wrong == []


def test_links_to_a_finding_and_to_a_placement_show_them_again(
    visitor: Visitor, browser: Any, address: str, tmp_path: Path
) -> None:
    series, loads = tmp_path / "series.csv", tmp_path / "loads.npy"
    noise_N = np.random.default_rng(0).standard_normal((4000, 2))
    np.savetxt(series, noise_N, delimiter=",", header="first,second", comments="")
    np.save(loads, np.random.default_rng(1).pareto(2.0, (2, 64)) + 1.0)
    told = []
    for view, path, act, shown in (
        ("diagnose?diagnostic=dfa", series, "Diagnose", "ul.findings"),
        ("experts", loads, None, ".headline"),
    ):
        visitor.page.goto("about:blank")
        visitor.open(f"#/{view}")
        visitor.page.locator("input[type=file]").first.wait_for(state="attached")
        visitor.drop(path)
        if act is not None:
            visitor.page.get_by_label("Column").select_option("second")
            visitor.page.get_by_role("button", name=act, exact=True).click()
        said = visitor.wait_for(shown).inner_text()
        friend = Visitor(browser, address)
        friend.page.goto(link_of(visitor, keys=1))
        assert friend.wait_for(shown).inner_text() == said
        friend.close()
        told += friend.wrong
    assert told == []


def test_a_bad_file_is_told_readably(visitor: Visitor, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("params,tokens,loss\n70x,1e9,3.0\n")
    visitor.open()
    visitor.drop(bad)
    told = visitor.wait_for(".problem").inner_text()
    assert "bad.csv" in told
    assert "row 1" in told
    assert "70x" in told
    pickled = tmp_path / "model.pt"
    pickled.write_bytes(b"\x80\x04K\x01.")
    visitor.open("?")
    visitor.drop(pickled)
    assert "pickles are never loaded" in visitor.wait_for(".problem").inner_text()


def test_the_keyboard_alone_reaches_a_plan(visitor: Visitor, ladder_csv: Path) -> None:
    mapped(visitor, ladder_csv)
    page = visitor.page
    page.evaluate(f"location.hash += '{FAST}'")
    visitor.wait_for("section[aria-label=Findings] summary")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent") == "Plan a run":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", "focus can be seen"
    page.keyboard.press("Enter")
    said = visitor.wait_for(HEADLINE).inner_text()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Budget (training FLOP), slider":
            break
    page.keyboard.press("PageUp")
    changed(visitor, said)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_serious_stands_in_the_way_of_anybody(
    width: int, dark: bool, browser: Any, address: str, ladder_csv: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python").Axe()
    visitor = Visitor(browser, address, width=width, dark=dark)
    mapped(visitor, ladder_csv)
    shared = visitor.page.evaluate("location.hash.split('?')[1]")
    waits = {
        "runs": "section[aria-label=Findings] summary",
        "law": "figure[data-chart=parameters][data-drawn]",
        "plan": "figure[data-chart=forecast][data-drawn]",
        "ladder": "h1",
        "experts": "fieldset",
        "diagnose": "h1",
    }
    for view, selector in waits.items():
        visitor.page.goto("about:blank")
        visitor.open(f"#/{view}?{shared}{FAST}")
        visitor.wait_for(selector)
        # axe comes in as text; the page's policy forbids that to the page, not to the test.
        found = axe.run(visitor.page).response["violations"]
        serious = [
            f"{each['id']}: {each['nodes'][0]['html'][:160]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == [], view
        across = visitor.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across <= 0, f"{view} is wider than the window of {width} px"
    visitor.close()
