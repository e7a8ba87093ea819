"""Which runs there are and how each stands: one table in SQLite, or in PostgreSQL for a team, shared by all workers.

    from kleiber.lab.registry import open_registry

    registry = open_registry("sqlite:///results/registry.sqlite")   # made, or brought up to date
    registry.entries()                                              # every run: its state, its reason, its row

The contents: `schema` says what is kept, `database` opens it, `runs` writes results down, `claims` hands runs to workers and
takes back those of workers that are gone, `migrations` brings an older database up to date.
"""

from kleiber.lab.registry.runs import Registry, open_registry

__all__ = ["Registry", "open_registry"]
