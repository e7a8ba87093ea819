"""docs/cost.md says what is so: its code runs, its figures follow, its lists are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kleiber.cost import CALIBRATED, COUNTINGS, MODEL_TYPES, Counting, model, models, params, read_hardware
from tests.cli import examples
from tests.cost import steps

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")


def test_its_python_runs_and_prints_what_it_says() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "cost.md", "exec"), names)
        for said, value in re.findall(r"^(\w+\(.*\)\.\w+) +# ([\d.]+)$", block, re.MULTILINE):
            assert str(eval(said, names)) == value
    assert names["hybrid"].family == "hybrid"


def test_its_device_can_be_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(block, encoding="utf-8")
    (row,) = read_hardware(path)
    assert row.ridge("bf16") == pytest.approx(989 / 4)


def test_its_lists_are_complete() -> None:
    assert all(f"`{kind}`" in PAGE for kind in MODEL_TYPES)
    assert all(f"| `{counting.name}`" in PAGE for counting in COUNTINGS)
    assert f"hold {len(models())} reference models" in PAGE


def test_its_figures() -> None:
    shape = model("deepseek-v3")
    with_it, without = params(shape).active, params(shape, Counting(input_embedding=False)).active
    assert f"{with_it / 1e9:.2f}B active parameters with it" in PAGE
    assert f"{without / 1e9:.2f}B without" in PAGE


def test_its_errors() -> None:
    """The table and the means of the step time, from the model as it is."""
    assert steps.table() in PAGE
    assert steps.means() in PAGE
    everything = steps.errors("held out")
    assert f"bring all {len(everything)} together to {100 * sum(everything) / len(everything):.1f} %" in PAGE
    dense = steps.errors("held out", sparse=False) + steps.errors("named")
    assert f"the {len(dense)} dense ones together come to {100 * sum(dense) / len(dense):.1f} %" in PAGE


def test_its_efficiencies() -> None:
    used = CALIBRATED
    assert f"reach {used.matmul:.2f} of the device's best" in PAGE
    assert f"fused attention {used.attention:g} of it" in PAGE
    assert f"go through memory {used.traffic:g} times" in PAGE
    assert f"the link gives {used.link:g} of" in PAGE
    assert f"the network {used.network:g}" in PAGE
    assert f"overlap hides {used.hidden:g} of" in PAGE
    assert f"takes {1e6 * used.latency:.0f} µs for each doubling" in PAGE


def test_the_examples_of_its_command() -> None:
    shown = [example for example in examples.examples("docs/commands.md") if example.command.startswith("kleiber cost")]
    assert shown
    for example in shown:
        code, printed = examples.output(example.command)
        assert code == examples.expected_code(example)
        assert examples.agrees(example.printed, [line for line in printed if line])
