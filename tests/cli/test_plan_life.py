"""`kleiber plan` for a model's whole life: the contract of its JSON, its screen, its options, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import invoke

ASKED = (
    "--flops", "1e24", "--serve-tokens", "2T", "--context", "128k", "--family", "dense,experts,ssm,hybrid", "--hardware", "h200",
)  # fmt: skip
SMALL = ("--flops", "1e23", "--family", "dense", "--hardware", "h100")


@pytest.fixture(scope="module")
def answer(fit_file: Path) -> dict:
    result = invoke("plan", fit_file, *ASKED, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_contract(answer) -> None:
    assert answer["schema"] == "kleiber/plan/1"
    assert answer.keys() >= {
        "family", "shape", "costs", "rivals", "probability_best", "expected_regret", "params", "tokens", "loss", "near_optimal",
        "constraints", "next", "caveats", "sentences", "versions", "seed", "brief",
    }  # fmt: skip
    assert answer["family"] in ("dense", "experts", "ssm", "hybrid")
    assert 0 <= answer["probability_best"] <= 1
    assert answer["expected_regret"] >= 0
    low, high = answer["params"]["ci95"]
    assert low <= high


def test_every_family_is_the_plan_or_a_rival(answer) -> None:
    families = [answer["family"], *(rival["family"] for rival in answer["rivals"])]
    assert sorted(families) == ["dense", "experts", "hybrid", "ssm"]
    assert answer["probability_best"] + sum(rival["probability_best"] for rival in answer["rivals"]) == pytest.approx(1)
    regrets = [answer["expected_regret"], *(rival["expected_regret"] for rival in answer["rivals"])]
    assert regrets == sorted(regrets)


def test_rivals_carry_what_the_plan_carries(answer) -> None:
    for rival in answer["rivals"]:
        assert rival.keys() >= {
            "family", "shape", "params", "tokens", "loss", "costs", "excess", "probability_best", "expected_regret",
        }  # fmt: skip
        assert rival["excess"]["value"] == pytest.approx(rival["loss"]["value"] - answer["loss"]["value"])
        assert rival["shape"].keys() == answer["shape"].keys()


def test_the_budget_is_spent_and_the_costs_add_up(answer) -> None:
    training, serving = answer["costs"]["training"], answer["costs"]["serving"]
    assert training["flops"] + serving["flops"] == pytest.approx(1e24, rel=1e-9)
    assert answer["flops"] == {"training": training["flops"], "serving": serving["flops"]}
    # H200: 2.25 USD an hour, 700 W.
    for part in (training, serving):
        assert part["usd"] == pytest.approx(2.25 * part["device_hours"])
        assert part["kwh"] == pytest.approx(0.7 * part["device_hours"])
    assert training["device_hours"] == pytest.approx(training["flops"] / (0.4 * 989e12) / 3600)
    replica = answer["costs"]["replica"]
    assert replica["memory_gb"] <= 0.9 * 141
    assert replica.keys() >= {"devices", "batch", "ttft_ms", "tpot_ms", "usd_per_million_tokens"}


def test_the_shape_is_the_one_counted(answer) -> None:
    shape = answer["shape"]
    assert sum(block["times"] for block in shape["blocks"]) == shape["depth"]
    assert shape["active_params"] == answer["params"]["value"]
    assert shape["active_params"] <= shape["params"]


def test_binding_limits_are_said_with_the_sign_of_their_price(answer) -> None:
    constraints = answer["constraints"]
    assert all(constraint["shadow_price"] <= 0 for constraint in constraints), "more of anything lowers the loss"
    assert all(constraint["binding"] == (constraint["shadow_price"] < -1e-6) for constraint in constraints)
    said = [line for line in answer["sentences"] if "binds: 1 % more buys" in line]
    assert len(said) == sum(constraint["binding"] for constraint in constraints)
    assert any(constraint["binding"] and constraint["name"] == "flops" for constraint in answer["constraints"])
    gains = answer["next"]
    assert 0 < gains["one_percent"]["value"] < gains["doubling"]["value"] < gains["tenfold"]["value"]


def test_one_percent_buys_what_the_shadow_price_says(answer) -> None:
    flops = next(each for each in answer["constraints"] if each["name"] == "flops")
    assert answer["next"]["one_percent"]["value"] == pytest.approx(flops["nats_per_percent"], rel=0.02)


def test_the_same_seed_gives_the_same_bytes(fit_file: Path) -> None:
    one, two = (invoke("plan", fit_file, *SMALL, "--serve-tokens", "1e11..4e11", "--json").stdout for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (("--max-memory-gb", "20"), "max_memory_gb", 20.0),
        (("--max-tpot-ms", "20"), "max_tpot_ms", 20.0),
        (("--max-ttft-ms", "500"), "max_ttft_ms", 500.0),
        (("--max-cost", "1M"), "max_cost", 1e6),
        (("--devices", "1024", "--deadline-days", "30", "--mfu", "0.45"), "deadline_days", 30.0),
        (("--max-gpu-hours", "40k"), "max_gpu_hours", 4e4),
        (("--unique-tokens", "300B"), "unique_tokens", [{"unique_tokens": 3e11, "worth": 1.0}]),
        (("--output-share", "0.5"), "output_share", 0.5),
        (("--price", "2..4", "--serve-tokens", "1T"), "price", [2.0, 4.0]),
        (("--train-context", "2048"), "train_context", 2048),
        (("--vocabulary", "32768"), "vocabulary", 32768),
        (("--precision", "fp8"), "precision", "fp8"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_option_reaches_the_brief(as_json, fit_file: Path, options: tuple[str, ...], field: str, value) -> None:
    found = as_json("plan", fit_file, *SMALL, *options)
    assert found["brief"][field] == value
    assert found["costs"]["replica"]["memory_gb"] <= 20 or field != "max_memory_gb"
    assert found["costs"]["replica"]["tpot_ms"] <= 20 or field != "max_tpot_ms"
    assert found["costs"]["replica"]["ttft_ms"] <= 500 or field != "max_ttft_ms"


@pytest.mark.parametrize(("objective", "unit"), [("money", "USD"), ("energy", "kWh"), ("time", "days")])
def test_least_money_energy_or_time_for_a_loss(as_json, fit_file: Path, objective: str, unit: str) -> None:
    asked = ("--family", "dense", "--hardware", "h100", "--devices", 512, "--mfu", 0.4, "--loss-target", 2.2)
    found = as_json("plan", fit_file, *asked, "--minimise", objective)
    assert found["objective"]["name"] == objective
    assert found["objective"]["unit"] == unit
    assert found["loss"]["value"] == pytest.approx(2.2, abs=1e-6)
    name = {"money": "usd", "energy": "kwh", "time": "days"}[objective]
    assert found["objective"]["value"] == pytest.approx(found["costs"]["training"][name])


def test_devices_of_ones_own(as_json, fit_file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[hardware]]\nname = "mine"\nflops_t = { bf16 = 500 }\nmemory_gb = 48\n'
        "bandwidth_gb_per_s = 1000\nprice_usd_per_hour = 1.0\n"
    )
    found = as_json(
        "plan", fit_file, "--flops", "1e22", "--family", "dense", "--hardware", "mine", "--hardware-file", own
    )
    assert found["brief"]["hardware"] == "mine"
    assert found["costs"]["training"]["usd"] == pytest.approx(found["costs"]["training"]["flops"] / 2e14 / 3600)


def test_a_familys_own_fit(as_json, fit_file: Path) -> None:
    found = as_json("plan", fit_file, "--flops", "1e23", "--family", "dense,ssm", "--family-fit", f"ssm={fit_file}")
    assert not any(caveat.startswith("ssm:") for caveat in found["caveats"])


@pytest.mark.slow
def test_another_law_of_the_same_runs(as_json, ladder: Path) -> None:
    found = as_json("plan", ladder, "--bootstrap", 30, "--flops", "1e23", "--family", "dense", "--also", "kaplan")
    assert found["method"] == "enumerated"


def test_the_screen_says_what_the_json_says(fit_file: Path, answer) -> None:
    result = invoke("plan", fit_file, *ASKED)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert " ".join(answer["sentences"][0].split()) in said
    for family in ("dense", "experts", "ssm", "hybrid"):
        assert family in said


def refusal(fit_file: Path, *options: object) -> str:
    """The error of a command, which is the same in both forms and has exit code 2."""
    plain, as_data = invoke("plan", fit_file, *options), invoke("plan", fit_file, *options, "--json")
    assert plain.exit_code == as_data.exit_code == 2, plain.output
    assert "Traceback" not in plain.output + as_data.output
    assert plain.stdout == ""
    return plain.stderr + as_data.output


def test_limits_that_conflict_are_named_with_what_would_do(fit_file: Path) -> None:
    said = " ".join(
        refusal(fit_file, "--flops", "1e18", "--serve-tokens", "2T", "--family", "dense", "--hardware", "h100").split()
    )
    assert "no shape keeps these limits together" in said
    assert "--flops" in said


def test_unknown_hardware_is_told_its_nearest(fit_file: Path) -> None:
    assert "h100" in refusal(fit_file, "--flops", "1e22", "--hardware", "h1oo")


def test_a_family_that_does_not_exist(fit_file: Path) -> None:
    assert "hybrid" in refusal(fit_file, "--flops", "1e22", "--family", "dense,hybird")


@pytest.mark.parametrize(
    "options",
    [
        ("--hardware", "h100"),
        ("--flops", "1e22", "--max-tpot-ms", "20"),
        ("--flops", "1e22", "--hardware", "h100", "--context", "0"),
        ("--flops", "1e22", "--hardware", "h100", "--serve-tokens", "many"),
        ("--flops", "1e22", "--family-fit", "ssm"),
        ("--flops", "1e22", "--hardware", "h100", "--max-params", "7B"),
        ("--flops", "1e22", "--hardware-file", "none.toml", "--hardware", "x"),
        ("--flops", "1e22", "--hardware", "h100", "--precision", "bf17"),
        ("--flops", "1e22", "--hardware", "h100", "--mfu", "1.2"),
    ],
    ids=" ".join,
)
def test_bad_input_is_an_error_and_never_a_traceback(fit_file: Path, options: tuple[str, ...]) -> None:
    assert refusal(fit_file, *options)
