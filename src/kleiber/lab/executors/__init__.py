"""Where the workers of a ladder run: each executor has the shape of `concurrent.futures`, `submit` and `shutdown`.

with open_executor("local", workers=4) as executor:
    futures = [executor.submit(work, ...) for _ in range(4)]
"""

from __future__ import annotations

from concurrent.futures import Executor

from kleiber.errors import InputError, did_you_mean

EXECUTORS = ("local",)


def open_executor(name: str, *, workers: int) -> Executor:
    """The executor of that name, for so many jobs at once. Raises `InputError` for a name that is none."""
    if name != "local":
        raise InputError(
            "there is no such place to run", found=name, remedy=did_you_mean(name, EXECUTORS), where="--on"
        )
    from kleiber.lab.executors.local import LocalExecutor

    return LocalExecutor(workers=workers)
