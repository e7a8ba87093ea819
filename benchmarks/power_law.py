"""Is it a power law, and of which form: ladders and public tables, each with its top rungs hidden and predicted.

For every table the runs of most compute are hidden (three cuts) and predicted by laws of params and tokens fitted to the
rest: log-RMSE over all hidden runs. `kaplan` has no floor; `chinchilla-coupled` and `gadre` are narrower forms of the sum.

- Of Step Law's sweep only the best learning rate and batch of every (params, tokens) is kept: the others are badly tuned runs.
- Of the data-constrained table only runs that repeat no text are kept, of Hoffmann's digitised figure those below a loss of 3.44.
- Public tables are read from ../shared/data and left out, by name, where they are not there.

Run: python benchmarks/power_law.py [--folds 3]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import kleiber
from kleiber.errors import KleiberError
from kleiber.fit import backtest
from kleiber.runs import RunTable

ROOT = Path(__file__).resolve().parents[1]
LADDERS, PUBLIC = ROOT / "ladders", ROOT.parent / "shared" / "data"
LAWS = ("chinchilla", "chinchilla-coupled", "gadre", "kaplan")
GADRE = "loss:eval_data/c4_val/shard-{0000000..0000010}.tar"


def own() -> Iterator[tuple[str, RunTable]]:
    """The shipped ladders whose runs differ in params and tokens alone."""
    yield "sotu-dense", kleiber.read(LADDERS / "sotu-dense" / "runs.parquet")
    for family in ("dense", "ssm", "hybrid"):
        yield (
            f"sotu-families, {family}",
            kleiber.read(LADDERS / "sotu-families" / "runs.parquet", where=f"family == '{family}'"),
        )


def public(folder: Path) -> Iterator[tuple[str, RunTable]]:
    """The public tables that are there."""
    hoffmann = {"params": "Model Size", "flops": "Training FLOP"}
    gadre = {"params": "params_no_embed", "loss": GADRE}
    for name, path, options in (
        ("Hoffmann et al., digitised", "epoch/svg_extracted_data.csv", {"map": hoffmann, "where": "loss < 3.44"}),
        ("chinchilla's example", "kyo/df.csv", {}),
        ("Gadre et al., C4", "gadre/models_losses.csv", {"map": gadre, "where": "dataset == 'c4_original'"}),
        ("Step Law, best of each cell", "steplaw/dense_lr_bs_loss.csv", {"map": {"params": "N", "tokens": "D"}}),
        ("Muennighoff et al., one pass", "datablations/runs.csv", {"where": "tokens <= unique_tokens"}),
    ):
        if not (folder / path).exists():
            print(f"left out: {path} is not there")
            continue
        table = kleiber.read(folder / path, **options)
        yield name, best_of_cells(table) if name.startswith("Step Law") else table


def best_of_cells(table: RunTable) -> RunTable:
    """The run of least loss of every (params, tokens)."""
    params, tokens, loss = (np.asarray(table.column(name), dtype=float) for name in ("params", "tokens", "loss"))
    order = np.argsort(loss, kind="stable")
    _, first = np.unique(np.stack([params, tokens], axis=1)[order], axis=0, return_index=True)
    kept = np.sort(order[first])
    return RunTable.of({"params": params[kept], "tokens": tokens[kept], "loss": loss[kept]}, source=table.source)


def errors(table: RunTable, folds: int) -> dict[str, float]:
    """Log-RMSE of every law over all hidden runs of all cuts."""
    found = backtest(table, LAWS, folds=folds, bootstrap=0).to_json()["folds"]
    pooled = {}
    for law in LAWS:
        mine = [fold for fold in found if fold["law"] == law]
        runs = sum(fold["test_runs"] for fold in mine)
        pooled[law] = float(np.sqrt(sum(fold["test_runs"] * fold["log_rmse"] ** 2 for fold in mine) / runs))
    return pooled | {"hidden": sum(fold["test_runs"] for fold in found if fold["law"] == LAWS[0])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=PUBLIC)
    asked = parser.parse_args()
    print(f"{'log-RMSE of hidden top rungs, %':32s}  runs hidden" + "".join(f"{law:>20s}" for law in LAWS))
    for name, table in (*own(), *public(asked.data)):
        try:
            found = errors(table, asked.folds)
        except KleiberError as error:
            print(f"{name:32s} {len(table):5d}  {error}")
            continue
        print(
            f"{name:32s} {len(table):5d} {found['hidden']:6.0f}" + "".join(f"{100 * found[law]:20.2f}" for law in LAWS),
            flush=True,
        )


if __name__ == "__main__":
    main()
