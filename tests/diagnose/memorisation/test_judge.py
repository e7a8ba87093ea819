"""From a file of token scores to the verdict; every bad value with its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from kleiber.diagnose.memorisation.judge import Run, judge
from kleiber.diagnose.memorisation.tokens import read_tokens
from kleiber.errors import ColumnError, InputError

HEADER = "document,split,logprob\n"


def planted(*, train: float, held_out: float, canary: float = -3.0, seed: int = 0, documents: int = 40) -> pa.Table:
    """Documents of 30 tokens with those mean log-probabilities, under a reference that is at -3 throughout."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[np.ndarray]] = {"document": [], "split": [], "logprob": [], "reference_logprob": []}
    number = 0
    for split, mean, count in (
        ("train", train, documents),
        ("held-out", held_out, documents),
        ("canary", canary, 6),
        ("reference", -3.0, 100),
    ):
        for _ in range(count):
            rows["document"].append(np.full(30, number))
            rows["split"].append(np.full(30, split))
            rows["logprob"].append(mean * random.gamma(20, 1 / 20, size=30))
            rows["reference_logprob"].append(np.full(30, -3.0))
            number += 1
    return pa.table({name: np.concatenate(values) for name, values in rows.items()})


def read(folder: Path, table: pa.Table):
    path = folder / "scores.parquet"
    pq.write_table(table, path)
    return read_tokens(path)


@pytest.mark.parametrize(
    ("train", "held_out", "canary", "word"),
    [
        (-1.0, -3.1, -3.0, "memorising"),
        (-2.0, -2.0, -3.0, "generalising"),
        (-2.0, -2.0, -0.5, "both"),
        (-1.0, -2.0, -3.0, "both"),
        (-3.0, -3.0, -3.0, "cannot tell"),
    ],
)
def test_the_verdict_of_a_file(tmp_path: Path, train: float, held_out: float, canary: float, word: str) -> None:
    findings, found = judge(
        read(tmp_path, planted(train=train, held_out=held_out, canary=canary)), Run(params=1e5, unique_tokens=1e4)
    )
    assert found.word == word
    assert findings[-1] == found.finding
    assert {"canary_exposure", "membership", "does_not_carry_over", "carries_over", "unique_bits_budget"} <= {
        finding.name for finding in findings
    }


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    table = planted(train=-1.0, held_out=-2.0)
    pa.csv.write_csv(table, tmp_path / "scores.csv")
    assert judge(read_tokens(tmp_path / "scores.csv"), Run())[0] == judge(read(tmp_path, table), Run())[0]


def test_rows_may_stand_in_any_order_of_documents(tmp_path: Path) -> None:
    table = planted(train=-1.0, held_out=-2.0)
    back = read(tmp_path, table.take(np.random.default_rng(0).permutation(len(table))))
    one, other = read(tmp_path, table), back
    for split in ("train", "held-out"):
        assert np.sort(one.sums("logprob", split)) == pytest.approx(np.sort(other.sums("logprob", split)))


def test_capacity_and_extraction_from_a_file(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows: list[tuple[int, str, float, float]] = []
    for document in range(120):
        split = ("train", "held-out", "random")[document % 3]
        known = split != "held-out" and document % 2 == 0
        for token in range(10):
            logprob = -0.01 if known else -np.log(64) * random.gamma(50, 1 / 50)
            rows.append((document, split, logprob, float(token >= 5)))
    names = ("document", "split", "logprob", "suffix")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    findings, _ = judge(read(tmp_path, table), Run(vocabulary=64, params=1000))
    found = {finding.name: finding for finding in findings}
    assert found["extraction"].value == 0.5
    assert found["capacity"].value == pytest.approx(20 * 60 / 1000, rel=0.1)


def test_a_probe_from_a_file(tmp_path: Path) -> None:
    right = [1] * 60 + [1, 0] * 15 + [0] * 60
    split = ["probe-train"] * 60 + ["probe-row"] * 30 + ["probe-structure"] * 60
    table = pa.table({"document": list(range(150)), "split": split, "correct": right})
    findings, found = judge(read(tmp_path, table), Run(chance=0.1))
    assert found.word == "memorising"
    assert "architecture" in found.change
    assert {finding.name for finding in findings} == {
        "held_out_structure",
        "structure_gap",
        "memorising_or_generalising",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEADER, "no rows"),
        ("document,split\n1,train\n", "no column logprob"),
        ("document,logprob\n1,-1\n", "no column split"),
        ("split,logprob\ntrain,-1\n", "no column document"),
        (HEADER + "1,train,-1\n1,test,-1\n", r"row 2, split.*'test'"),
        (HEADER + "1,train,-1\n1,train,0.5\n", r"row 2, logprob.*0\.5"),
        (HEADER + "1,train,-1\n1,train,nan\n", "row 2, logprob"),
        (HEADER + "1,train,-1\n1,train,\n", "row 2, logprob"),
        (HEADER + "1,train,-inf\n", "row 1, logprob"),
        (HEADER + "1,train,-1\n1,train,x\n", r"row 2, logprob.*'x'"),
        ("document,split,logprob,sd\n1,train,-1,-2\n", "row 1, sd"),
        ("document,split,logprob,suffix\n1,train,-1,2\n", "row 1, suffix"),
        ("document,split,logprob\n1,probe-train,-1\n", "no column correct"),
        ("document,split,correct\n1,probe-train,0.5\n", "row 1, correct"),
        ("document,split,logprob,logprob\n1,train,-1,-1\n", "twice"),
        ("", "cannot be read"),
    ],
)
def test_every_bad_value_is_named(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises((InputError, ColumnError), match=says):
        read_tokens(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_tokens(tmp_path / "missing.csv")
    (tmp_path / "bytes.parquet").write_bytes(b"\x00\xff" * 50)
    with pytest.raises(InputError, match="cannot be read"):
        read_tokens(tmp_path / "bytes.parquet")
    (tmp_path / "scores.txt").write_text("x")
    with pytest.raises(InputError, match="not read from such files"):
        read_tokens(tmp_path / "scores.txt")


def test_one_class_alone_is_not_enough(tmp_path: Path) -> None:
    table = planted(train=-1.0, held_out=-2.0)
    alone = table.filter(pa.compute.equal(table["split"], "train"))
    with pytest.raises(InputError, match="no diagnostic has what it needs"):
        judge(read(tmp_path, alone), Run())


def test_random_strings_of_different_length_are_refused(tmp_path: Path) -> None:
    table = pa.table({"document": [0, 0, 1], "split": ["random"] * 3, "logprob": [-1.0, -2.0, -1.0]})
    with pytest.raises(InputError, match="different lengths"):
        judge(read(tmp_path, table), Run(vocabulary=64))
