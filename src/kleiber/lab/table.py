"""Finished runs -> one Arrow table with its conventions in the schema, and the Parquet file a ladder ships."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError
from kleiber.lab.folder import replacing
from kleiber.lab.tokenizer import BYTES

if TYPE_CHECKING:
    import pyarrow as pa

CONVENTIONS = {
    "kleiber.params_convention": "non_embedding",
    "kleiber.flops_convention": "6nd",
}
COLUMNS = {
    "run": "string",
    "trunk": "string",
    "family": "string",
    "width": "int64",
    "depth": "int64",
    "heads": "int64",
    "context": "int64",
    "params": "int64",
    "params_total": "int64",
    "active_params": "int64",
    "embedding_params": "int64",
    "experts": "int64",
    "chosen": "int64",
    "granularity": "int64",
    "activation_ratio": "double",
    "max_violation": "double",
    "tokens": "int64",
    "unique_tokens": "int64",
    "flops": "double",
    "flops_counted": "double",
    "loss": "double",
    "loss_se": "double",
    "loss_bits_per_byte": "double",
    "loss_bits_per_byte_se": "double",
    "bytes_per_token": "double",
    "tokenizer": "string",
    "batch_tokens": "int64",
    "lr": "double",
    "warmup_tokens": "int64",
    "decay_fraction": "double",
    "schedule": "string",
    "seed": "int64",
    "wall_seconds": "double",
    "hardware": "string",
}

TEACHER_COLUMNS = {
    "teacher": "string",
    "teacher_loss": "double",
    "temperature": "double",
    "mixture": "double",
    "teacher_flops": "double",
    "supervised_loss": "double",
}
"""Of a ladder in which any run has a teacher; a run without one has the empty name, no loss, no settings and 0 FLOPs here.

`supervised_loss` is the loss of the same model on as many tokens without a teacher, the mean over seeds: what the law of
distillation needs; none where no such run is finished.
"""

SAME_TRAINING = (
    *("family", "width", "depth", "heads", "context", "params", "experts", "chosen", "granularity", "tokens"),
    *("batch_tokens", "lr", "warmup_tokens", "decay_fraction", "precision", "rotary_base"),
)
"""Beside how its text was spoilt, what a student and its twin on the text alone share."""

DATA_COLUMNS = {
    "noise": "double",
    "label_noise": "double",
    "duplicated": "double",
    "copies": "int64",
    "shortest": "double",
    "longest": "double",
    "kept": "double",
    "data_mixture": "string",
    "data_seed": "int64",
}
"""Of a ladder in which any run's text was spoilt on purpose; a run on clean text has `CLEAN` here."""

_WHOLE = {"shortest": 1.0, "longest": 1.0, "kept": 1.0, "data_mixture": "", "data_seed": 0}
CLEAN = {"noise": 0.0, "label_noise": 0.0, "duplicated": 0.0, "copies": 1, **_WHOLE}
UNTAUGHT = {
    "teacher": "",
    "teacher_loss": None,
    "temperature": None,
    "mixture": None,
    "teacher_flops": 0.0,
    "supervised_loss": None,
}


def table(results_dir: str | Path, *, source: str = "kleiber lab") -> pa.Table:
    """The finished runs of a results folder as `table_of` gives them."""
    return table_of(folder_rows(results_dir), source=source, where=str(results_dir))


def folder_rows(results_dir: str | Path) -> list[dict[str, Any]]:
    """The rows of the finished runs of a results folder."""
    paths = sorted((Path(results_dir) / "runs").glob("[!.]*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def table_of(rows: Sequence[dict[str, Any]], *, source: str, where: str) -> pa.Table:
    """Finished runs as a table, smallest model and budget first.

    `params` is non-embedding, `flops` is 6 · active params · tokens, `flops_counted` the matrix products counted one by one,
    `loss` held-out nats per token, which is a byte unless the ladder has a tokenizer, `loss_bits_per_byte` the same whatever
    a token is; where a run had a teacher, `flops` is the student's own and `teacher_flops` what the
    teacher's training and its forward passes took; the schema's metadata says so under `kleiber.*` keys. `balance` is how
    experts were kept even, where there are any; `precision` that of the products, where a recipe named one,
    `rotary_base` that of the positions, where a shape named one. A run whose loss
    is no number is left out. Runs on different corpora or by different tokenizers are refused: their losses cannot be compared.
    """
    import pyarrow as pa

    rows = [row for row in rows if row["loss"] is not None and math.isfinite(row["loss"])]
    if not rows:
        raise InputError("no finished run there", where=where)
    corpora = sorted({row["corpus_sha256"] for row in rows})
    if len(corpora) > 1:
        remedy = "name the ladder whose runs are wanted"
        raise InputError(
            "the runs were trained on different corpora", found=", ".join(corpora), where=where, remedy=remedy
        )
    tokenizers = sorted({row.get("tokenizer", BYTES) for row in rows})
    if len(tokenizers) > 1:
        raise InputError(
            "the runs cut their text by different tokenizers, and their losses per token cannot be compared",
            found=", ".join(tokenizers),
            expected="one",
            remedy="keep each tokenizer's runs in a results folder of their own; `loss_bits_per_byte` compares the tables",
            where=where,
        )
    balances = sorted({row["balance"] for row in rows if "balance" in row})
    # A single expert is even under any balance, and sets no run apart from those of the one balance there is.
    balance = balances[0] if len(balances) == 1 else ""
    unit = "nats_per_byte" if tokenizers == [BYTES] else "nats_per_token"
    rows = sorted(rows, key=lambda row: (row["params"], row["tokens"], row["seed"]))
    columns = {
        **COLUMNS,
        **(TEACHER_COLUMNS if any("teacher" in row for row in rows) else {}),
        **({"balance": "string"} if balances else {}),
        **({"precision": "string"} if any("precision" in row for row in rows) else {}),
        **({"rotary_base": "double"} if any("rotary_base" in row for row in rows) else {}),
        **({"answer_loss": "double"} if any("answer_loss" in row for row in rows) else {}),
        **(DATA_COLUMNS if any("noise" in row for row in rows) else {}),
    }
    schema = pa.schema(
        [pa.field(name, pa.type_for_alias(kind)) for name, kind in columns.items()],
        metadata={
            **CONVENTIONS,
            "kleiber.loss_unit": unit,
            "kleiber.source": source,
            "kleiber.corpus_sha256": corpora[0],
        },
    )
    unsaid = {**UNTAUGHT, **CLEAN, "answer_loss": None, "balance": balance, "precision": "auto"}
    rows = _beside_twins(
        [{**_before_families(row), **_of_bytes(row), **_usual_base(row), **unsaid, **row} for row in rows]
    )
    return pa.table({name: [row[name] for row in rows] for name in columns}, schema=schema)


def _beside_twins(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each student's with the loss of the same training without a teacher."""
    alone: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if not row["teacher"]:
            alone.setdefault(_training(row), []).append(row["loss"])
    return [
        {**row, "supervised_loss": math.fsum(found) / len(found)}
        if row["teacher"] and (found := alone.get(_training(row)))
        else row
        for row in rows
    ]


def _training(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in (*SAME_TRAINING, *DATA_COLUMNS))


def _before_families(row: dict[str, Any]) -> dict[str, Any]:
    """What a run written down when all were dense did not say; its context it never said."""
    dense = {"experts": 1, "chosen": 1, "granularity": 1, "activation_ratio": 1.0, "max_violation": None}
    return {**dense, "active_params": row["params"], "context": None}


def _usual_base(row: dict[str, Any]) -> dict[str, Any]:
    """Rotary positions turn by half the context unless a shape says otherwise; a state space has none."""
    return {"rotary_base": None if row.get("family") == "ssm" or not row.get("context") else row["context"] / 2}


def _of_bytes(row: dict[str, Any]) -> dict[str, Any]:
    """What a run written down when all tokens were bytes did not say."""
    bits = row["loss"] / math.log(2)
    bits_se = None if row["loss_se"] is None else row["loss_se"] / math.log(2)
    said = {"tokenizer": BYTES, "bytes_per_token": 1.0}
    return {**said, "loss_bits_per_byte": bits, "loss_bits_per_byte_se": bits_se}


def write_table(results_dir: str | Path, parquet: str | Path, *, source: str) -> pa.Table:
    """Assemble the table of a results folder and write it as Parquet, atomically."""
    runs = table(results_dir, source=source)
    write(runs, parquet)
    return runs


def write(runs: pa.Table, parquet: str | Path) -> None:
    """Write a table as Parquet, atomically."""
    import pyarrow.parquet as pq

    with replacing(Path(parquet)) as file:
        pq.write_table(runs, file)
