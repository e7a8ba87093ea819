"""Make new runs: a corpus, a model, a ladder of training runs, a table.

    from kleiber.lab.ladder import run              # train what is missing, resume after a kill
    from kleiber.lab.table import table, write_table  # finished runs -> Arrow, Parquet
    from kleiber.lab.description import read_ladder   # the TOML file that describes a ladder
    from kleiber.lab.coordinate_check import coordinate_check   # does a rate tuned small hold large?

Importing this package loads no PyTorch: it is needed, and imported, where a model is built or trained
(`kleiber.lab.models`, `train`, `coordinate_check`). Install it with the extra `lab`.
"""

FAMILIES = ("dense", "experts", "ssm", "hybrid")
