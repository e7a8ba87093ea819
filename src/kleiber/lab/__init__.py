"""Make new runs: a corpus, a model, a ladder of training runs, a registry that keeps them, a table.

A ladder (`description`) is a list of cells (`cell`), each one run to do. The registry (`registry`) knows how each stands. Workers
(`worker`), put somewhere by an executor (`executors`) and watched (`crew`), take one after the other and train it (`one_run`).
Rows, checkpoints and weights lie in a results folder (`folder`).

    from kleiber.lab.ladder import run              # train what is missing, resume after a kill
    from kleiber.lab.registry import open_registry    # which runs there are, and how each stands
    from kleiber.lab.table import table, write_table  # finished runs -> Arrow, Parquet
    from kleiber.lab.description import read_ladder   # the TOML file that describes a ladder
    from kleiber.lab.coordinate_check import coordinate_check   # does a rate tuned small hold large?

Importing this package loads no PyTorch: it is needed, and imported, where a model is built or trained
(`kleiber.lab.models`, `train`, `coordinate_check`). Install it with the extra `lab`.
"""

FAMILIES = ("dense", "experts", "ssm", "hybrid")
