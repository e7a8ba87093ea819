"""`kleiber cost`: the contract of its JSON, its screen, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kleiber.cost import find_model, models
from tests.cli.conftest import invoke


def answered(*words: object) -> dict[str, Any]:
    result = invoke("cost", *words, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", [entry.name for entry in models()])
def test_contract(name: str) -> None:
    found = answered(name)
    assert found["schema"] == "kleiber/cost/1"
    assert found["params"].keys() >= {"total", "active", "embedding", "non_embedding"}
    assert all(isinstance(count, int) for count in found["params"]["groups"].values())
    assert sum(found["params"]["groups"].values()) == found["params"]["total"]
    assert found["params"]["embedding"] + found["params"]["non_embedding"] == found["params"]["total"]
    assert found["flops"].keys() >= {"train_per_token", "prefill_per_token", "decode_per_token"}
    assert found["cache_bytes_per_token"] >= 0
    assert found["counting"]["name"] == "kleiber"
    assert found["context"] == (2048 if name == "gpt-3" else 4096)
    assert found["versions"].keys() >= {"kleiber"}
    assert found["serving"] is None
    assert found["training_memory"] is None
    assert found["training_step"] is None


def test_exact_numbers() -> None:
    found = answered("llama-3-8b", "--context", 8192)
    assert found["params"]["total"] == 8030261248
    assert found["params"]["embedding"] == 2 * 128256 * 4096
    assert found["cache_bytes_per_token"] == 131072
    assert found["flops"]["decode_per_token"] == 2 * (8030261248 - 128256 * 4096 - 65 * 4096) + 4 * 32 * 4096 * 8192
    assert answered("deepseek-v3")["params"]["active"] == 37552282624


def test_serving() -> None:
    found = answered("llama-3-8b", "--context", 1, "--hardware", "H100")["serving"]
    assert 1e3 * found["decode"]["seconds"] == pytest.approx(4.79, abs=0.005)
    assert found["decode"]["limit"] == "memory"
    assert found["ridge_flops_per_byte"] == pytest.approx(295.2, abs=0.1)
    assert (found["devices_needed"], found["fits"]) == (1, True)
    assert found["hardware"]["source"]
    hourly = found["hardware"]["price"]
    assert found["usd_per_million_tokens"] == pytest.approx(hourly * found["decode"]["seconds"] * 1e6 / 3600)
    assert answered("llama-3-8b", "--hardware", "tpu-v5p")["serving"]["usd_per_million_tokens"] is None
    large = answered("llama-3-405b", "--hardware", "h100", "--devices", 8)["serving"]
    assert (large["devices_needed"], large["fits"]) == (11, False)
    fp8 = answered("llama-3-405b", "--hardware", "h100", "--precision", "fp8", "--batch", 4)["serving"]
    assert fp8["serving"]["precision"] == "fp8"
    assert fp8["serving"]["devices"] == fp8["devices_needed"] == 6


def test_conventions_and_layouts_reach_the_counts() -> None:
    usual, palm = answered("llama-3-8b"), answered("llama-3-8b", "--count", "palm")
    assert palm["flops"]["train_per_token"] > usual["flops"]["train_per_token"]
    assert palm["counting"]["keys"] == "full"
    full = answered("llama-3-8b", "--recompute", "full", "--layout", "data=8,zero=3")
    assert full["flops"]["train_per_token"] > usual["flops"]["train_per_token"]
    assert full["training_memory"]["weights_bytes"] == pytest.approx(2 * 8030261248 / 8)


def test_a_configuration_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict(find_model("dbrx").config)))
    assert answered(path)["params"] == answered("dbrx")["params"]
    rows = tmp_path / "rows.toml"
    rows.write_text('[[hardware]]\nname = "mine"\nflops_t = { bf16 = 1 }\nmemory_gb = 9\nbandwidth_gb_per_s = 10\n')
    assert answered(path, "--hardware-file", rows)["serving"]["hardware"]["name"] == "mine"


def test_screens() -> None:
    listed = invoke("cost").stdout
    assert all(entry.name in listed for entry in models())
    assert "h100" in listed
    assert {entry["name"] for entry in answered()["models"]} == {entry.name for entry in models()}
    shown = invoke("cost", "mixtral-8x7b", "--hardware", "mi300x", "--layout", "data=8,zero=1", "--batch", 2).stdout
    for words in (
        "46,702,792,704",
        "12,879,925,248 active",
        "not every number",
        "memory-bound",
        "optimiser",
        "causal keys",
    ):
        assert words in shown
    assert "does not fit" in invoke("cost", "dbrx", "--hardware", "h100", "--devices", 1).stdout
    assert "of it a state" in invoke("cost", "jamba-v0.1").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("lama-3-8b",), "did you mean 'llama-3-8b'"),
        (("none/config.json",), "no such file"),
        (("llama-3-8b", "--hardware", "h10"), "did you mean 'h100'"),
        (("llama-3-8b", "--context", "0"), "--context"),
        (("llama-3-8b", "--context", "1.5"), "must be a whole number"),
        (("llama-3-8b", "--context", "many"), "not a quantity"),
        (("gpt-3", "--context", "4k"), "at most 2048"),
        (("llama-3-8b", "--context", "1e300"), "at most 1000000000000"),
        (("llama-3-8b", "--batch", "1e300"), "at most 1000000000000"),
        (("llama-3-8b", "--count", "plam"), "did you mean 'palm'"),
        (("llama-3-8b", "--recompute", "some"), "no such recomputation"),
        (("llama-3-8b", "--precision", "bf17"), "no such precision"),
        (("llama-3-8b", "--hardware", "a100", "--precision", "fp8"), "no peak for this precision"),
        (("llama-3-8b", "--layout", "datum=3"), "did you mean 'data'"),
        (("llama-3-8b", "--layout", "tensor"), "expected name=value"),
        (("llama-3-8b", "--layout", "zero=4"), "no such stage"),
        (("llama-3-8b", "--hardware-file", "none.toml"), "none.toml"),
        (("llama-3-8b", "--devices", "-1"), "--devices"),
    ],
)
def test_bad_input(words: tuple[str, ...], says: str) -> None:
    for more in ((), ("--json",)):
        result = invoke("cost", *words, *more)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert says in result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_training_step() -> None:
    words = ("llama-3-70b", "--context", 8192, "--hardware", "h100", "--devices", 256, "--batch-tokens", "4M")
    found = answered(*words)
    step, spread = found["training_step"], found["training_step"]["layout"]
    assert step["devices"] == spread["devices"] == 256
    assert spread["data"] * spread["tensor"] * spread["pipeline"] * spread["context"] == 256
    assert step["searched"]
    assert 0.3 < step["mfu"] <= step["hfu"] < 0.8
    assert step["mfu"] == pytest.approx(
        found["flops"]["train_per_token"] * step["tokens"] / (989e12 * 256 * step["seconds"])
    )
    assert found["training_memory"]["total_bytes"] <= 72e9
    price = found["serving"]["hardware"]["price"]
    assert step["usd_per_billion_tokens"] == pytest.approx(256 * price / 3600 * step["seconds"] / step["tokens"] * 1e9)
    assert answered(*words) == found
    assert step["mean_error"] < 0.05
    fp8 = answered(*words, "--precision", "fp8")["training_step"]
    assert fp8["seconds"] < step["seconds"]


def test_a_training_step_by_a_layout_of_ones_own() -> None:
    words = ("llama-3-8b", "--context", 8192, "--hardware", "h100", "--batch-tokens", 128 * 8192)
    found = answered(*words, "--layout", "data=8,zero=3", "--recompute", "full")["training_step"]
    assert not found["searched"]
    assert (found["devices"], found["layout"]["zero"], found["layout"]["recompute"]) == (8, 3, "full")
    assert (found["micro_batches"], found["tokens"]) == (16, 128 * 8192)
    chunks = answered(*words, "--layout", "pipeline=4,virtual=2")["training_step"]["layout"]
    assert (chunks["schedule"], chunks["virtual"]) == ("interleaved", 2)


def test_what_does_not_fit_is_refused() -> None:
    result = invoke("cost", "llama-3-405b", "--hardware", "h100", "--devices", 16, "--batch-tokens", "4M")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "does not fit on 16 x h100" in said
    assert "times the 72 GB there are" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--batch-tokens", "1M"), "a training step needs a device"),
        (("--batch-tokens", "1M", "--hardware", "h100"), "a training step needs devices"),
        (("--batch-tokens", "1M", "--hardware", "h100", "--devices", 8, "--layout", "data=4"), "for another number"),
        (("--batch-tokens", "much", "--hardware", "h100", "--devices", 8), "--batch-tokens"),
        (("--batch-tokens", "100", "--hardware", "h100", "--devices", 8), "at least one sequence"),
        (("--batch-tokens", "nan", "--hardware", "h100", "--devices", 8), "--batch-tokens"),
        (("--batch-tokens", "28672", "--hardware", "h100", "--layout", "data=4"), "fill the micro-batches evenly"),
    ],
)
def test_bad_training_steps(words: tuple[object, ...], says: str) -> None:
    result = invoke("cost", "llama-3-8b", *words)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
