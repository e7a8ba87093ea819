"""What the registry keeps: one row per run, the same on SQLite and PostgreSQL.

The one idea: what must never happen is refused by the database itself. A run is there once (its name, the hash of its
configuration, is the key), its state is one of four, and a trunk has at most one run that is being trained.
Times are seconds since 1970.
"""

from __future__ import annotations

import sqlalchemy as sa

QUEUED, RUNNING, DONE, FAILED = STATES = ("queued", "running", "done", "failed")

metadata = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s"}
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("trunk", sa.String(128), nullable=False),
    sa.Column("ladder", sa.String(256), nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("lost", sa.Integer, nullable=False),
    sa.Column("worker", sa.String(64)),
    sa.Column("host", sa.String(256)),
    sa.Column("pid", sa.Integer),
    sa.Column("queued_seconds", sa.Float(53), nullable=False),
    sa.Column("started_seconds", sa.Float(53)),
    sa.Column("alive_seconds", sa.Float(53)),
    sa.Column("ended_seconds", sa.Float(53)),
    sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
    sa.Index(
        "uq_runs_trunk_running",
        "trunk",
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
)
