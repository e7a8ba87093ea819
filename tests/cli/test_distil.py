"""`kleiber distil`: its JSON, its exit codes, its sentences; the same bytes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

GIVEN = ("--student", "1B", "--teacher", "7B", "--teacher-tokens", "2T")


def test_json_of_a_teacher_at_hand(as_json, fit_file: Path) -> None:
    found = as_json("distil", fit_file, *GIVEN, "--flops", "1e21")
    assert found["schema"] == "kleiber/distil/1"
    assert found["verdict"] in ("distil", "train from scratch", "cannot tell")
    assert found["student"]["params"] == 1e9
    assert found["student"]["tokens"]["value"] == pytest.approx(1e21 / 6e9)
    assert found["teacher"]["params"]["value"] == 7e9
    assert found["teacher"]["trained"] is False
    assert found["scratch"]["loss"]["value"] - found["student"]["loss"]["value"] == pytest.approx(
        found["gain"]["value"]
    )
    low, high = found["gain"]["ci95"]
    assert low < found["gain"]["value"] < high
    assert 0 <= found["probability"] <= 1
    assert sum(found["costs"].values()) == pytest.approx(1e21)
    assert found["students_to_pay"] is None
    assert found["second_opinion"].keys() >= {"coefficients", "gain"}
    assert found["distillation_law"]["coefficients"] == "busbridge-2025"
    assert found["runs"]["hash"].startswith("sha256:")
    assert found.keys() >= {
        "law",
        "formula",
        "objective",
        "seed",
        "versions",
        "caveats",
        "sentences",
        "extrapolation_decades",
    }


def test_json_of_a_teacher_to_be_trained_and_shared(as_json, fit_file: Path) -> None:
    options = ("--student", "1B", "--flops", "10x", "--train-teacher", "--students", 50, "--logits", "live")
    found = as_json("distil", fit_file, *options, "--serve-tokens", "10B", "--level", "0.9")
    assert found["teacher"]["students"] == 50
    assert found["teacher"]["logits"] == "live"
    low, high = found["teacher"]["params"]["ci90"]
    assert low <= found["teacher"]["params"]["value"] <= high
    assert found["costs"]["serving"] == pytest.approx(2e19)
    assert found["costs"]["teacher_running"] > 0
    assert found["regret"] >= 0
    assert found["flops"] == pytest.approx(10 * 6 * 6e9 * 9e11)


def test_json_without_a_fit(as_json) -> None:
    found = as_json("distil", "--published", *GIVEN, "--flops", "1e21")
    assert found["probability"] is None
    assert found["fit"]["coefficients"] == "busbridge-2025"
    assert found["versions"]["kleiber"]
    assert found["seed"] == 0


def test_the_same_bytes_twice_and_the_sentences_on_the_screen(shell, as_json, fit_file: Path) -> None:
    one, two = (shell("distil", fit_file, *GIVEN, "--flops", "1e21", "--json").stdout for _ in range(2))
    assert one == two
    screen = " ".join(shell("distil", fit_file, *GIVEN, "--flops", "1e21").stdout.split())
    for sentence in as_json("distil", fit_file, *GIVEN, "--flops", "1e21")["sentences"]:
        assert " ".join(sentence.split()) in screen


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--student", "1B", "--flops", "1e21"), "no teacher"),
        ((*GIVEN, "--flops", "1e21", "--students", "3"), "costs nothing to share"),
        ((*GIVEN, "--flops", "1e21", "--logits", "streamed"), "stored"),
        ((*GIVEN, "--flops", "-1"), "--flops"),
        ((*GIVEN, "--flops", "1e21", "--teacher-loss", "x"), "--teacher-loss"),
        ((*GIVEN, "--flops", "1e21", "--published"), "takes the place of a fit"),
        ((*GIVEN, "--flops", "1e21", "--law", "kaplan"), "--law"),
    ],
)
def test_bad_input_is_named(shell, fit_file: Path, options: tuple[str, ...], says: str) -> None:
    result = shell("distil", fit_file, *options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_neither_fit_nor_paper(shell) -> None:
    result = shell("distil", *GIVEN, "--flops", "1e21")
    assert result.exit_code == 2
    assert "--published" in result.stderr
    assert shell("distil", "--published", *GIVEN, "--flops", "1e21", "--bootstrap", "10").exit_code == 2
