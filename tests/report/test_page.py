"""The page: complete, valid, readable without a network, without scripts and by a screen reader."""

from __future__ import annotations

import base64
import itertools
import json
import re

import pytest

from kleiber.figures.files import library
from tests.report.conftest import HOSTILE
from tests.report.markup import Page, parse

SECTIONS = [
    "fitted",
    "charts",
    "trust",
    "backtest",
    "allocation",
    "ceiling",
    "sensitivity",
    "limits",
    "audit",
    "checklist",
    "provenance",
]
FIGURES = [
    "compute", "slices", "plane", "forecast", "residuals-flops", "residuals-params", "cloud", "optimum", "hidden", "drift",
    "rules", "limits",
]  # fmt: skip


@pytest.fixture(scope="module")
def good(page: str) -> Page:
    return parse(page)


def test_all_sections_and_figures_are_there(good: Page) -> None:
    assert [element.attributes["id"] for element in good.all("section")] == SECTIONS
    assert [element.attributes["data-chart"] for element in good.all("figure")] == FIGURES


def test_the_decision_comes_first_and_says_everything(good: Page) -> None:
    headline = next(element for element in good.all("p") if element.attributes.get("class") == "headline")
    assert re.fullmatch(
        r"With 1e16 FLOP, train [\d.]+M params on [\d.]+M tokens: loss 0\.\d{3} \(95 % interval 0\.\d{3} to 0\.\d{3}\), "
        r"2\.\d decades of compute beyond the largest run\.",
        headline.text,
    )
    words = [element.tag for element in good.elements]
    assert words.index("p") < words.index("section")


def test_nothing_is_fetched(page: str, good: Page) -> None:
    for element in good.elements:
        for name in ("src", "href", "data", "action", "srcset", "poster"):
            value = element.attributes.get(name) or ""
            assert not value or value.startswith(("data:", "#")), f"<{element.tag} {name}={value[:60]}>"
        assert element.tag not in ("link", "iframe", "object", "embed", "base")
    style = "".join(element.text for element in good.all("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in page


def test_the_library_is_inlined_once(page: str) -> None:
    assert page.count(library()) == 1


def test_it_is_html_with_one_title_language_and_unique_names(page: str, good: Page) -> None:
    assert page.startswith("<!DOCTYPE html>\n")
    assert good.all("html")[0].attributes["lang"] == "en"
    assert len(good.all("title")) == len(good.all("h1")) == len(good.all("main")) == 1
    names = [element.attributes["id"] for element in good.elements if element.attributes.get("id")]
    assert len(names) == len(set(names))
    links = {(element.attributes["href"] or "").removeprefix("#") for element in good.all("a")}
    assert links <= set(names)


def test_it_can_be_heard(good: Page) -> None:
    levels = [int(element.tag[1]) for element in good.elements if re.fullmatch(r"h\d", element.tag)]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert all(len(element.attributes["alt"] or "") > 20 for element in good.all("img"))
    assert all(element.attributes.get("scope") in ("col", "row") for element in good.all("th"))
    assert len(good.all("caption")) == len(good.all("table"))


def test_every_chart_has_a_still_picture_and_a_specification(good: Page) -> None:
    pictures = [element.attributes["src"] or "" for element in good.all("img")]
    assert len(pictures) == len(FIGURES)
    for picture in pictures:
        kind, _, content = picture.partition(";base64,")
        begins = {"data:image/svg+xml": b"<svg", "data:image/png": b"\x89PNG"}[kind]
        assert base64.b64decode(content, validate=True).startswith(begins)
    specifications = [
        element.text for element in good.all("script") if element.attributes.get("type") == "application/json"
    ]
    assert len(specifications) == len(FIGURES)
    # Layers, or panels of them.
    assert all(json.loads(text).keys() & {"layer", "concat", "vconcat"} for text in specifications)


def test_what_was_fitted_is_told_in_numbers(small, good: Page) -> None:
    table = next(element for element in good.all("table") if element.text.startswith("Fitted parameters"))
    for name, value in small.parameters.items():
        assert name in table.text
        assert f"{value:.5g}" in table.text


def test_provenance_is_complete(small, good: Page) -> None:
    said = next(element for element in good.all("section") if element.attributes["id"] == "provenance").text
    for fact in (
        small.runs.hash,
        "ladder.csv",
        "huber_log",
        "delta 0.001",
        "non_embedding",
        "nats_per_byte",
        "60 (pairs)",
    ):
        assert fact in said
    assert "kleiber report ladder.csv --conventions" in said


def test_a_refusal_is_said_first_with_its_remedy_and_the_runs_are_shown(refused_page: str) -> None:
    page = parse(refused_page)
    headline = next(element for element in page.all("p") if element.attributes.get("class") == "headline")
    assert headline.text.startswith("These runs do not support a decision: 5 runs for 5 free parameters")
    box = next(element for element in page.all("div") if "refused" in (element.attributes.get("class") or ""))
    assert "What would change it: train more runs" in box.text
    assert [element.attributes["data-chart"] for element in page.all("figure")] == ["compute", "slices"]
    assert "nan" not in " ".join(element.text for element in page.all("main")).lower().split()
    for sentence in ("Train ", "With "):
        assert not headline.text.startswith(sentence)


def test_hostile_names_stay_text(hostile_page: str) -> None:
    page = parse(hostile_page)
    scripts = page.all("script")
    assert not [script for script in scripts if script.text.startswith("alert")]
    data = [script for script in scripts if script.attributes.get("type") == "application/json"]
    assert len(scripts) == len(data) + 2
    for script in data:
        json.loads(script.text)
    assert page.all("h1")[0].text == HOSTILE
    assert page.all("title")[0].text == HOSTILE
    assert HOSTILE in next(element for element in page.all("section") if element.attributes["id"] == "provenance").text
    assert HOSTILE not in hostile_page.replace(library(), "")
