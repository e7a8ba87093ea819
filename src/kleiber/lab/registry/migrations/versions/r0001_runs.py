"""The first registry: a table of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "runs",
        sa.Column("run", sa.String(64), primary_key=True),
        sa.Column("trunk", sa.String(128), nullable=False),
        sa.Column("ladder", sa.String(256), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("result", sa.JSON),
        sa.Column("lost", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("host", sa.String(256)),
        sa.Column("pid", sa.Integer),
        sa.Column("queued_seconds", sa.Float(53), nullable=False),
        sa.Column("started_seconds", sa.Float(53)),
        sa.Column("alive_seconds", sa.Float(53)),
        sa.Column("ended_seconds", sa.Float(53)),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_runs_state")),
    )
    op.create_index("ix_runs_state", "runs", ["state"])
    running = sa.text("state = 'running'")
    op.create_index(
        "uq_runs_trunk_running", "runs", ["trunk"], unique=True, sqlite_where=running, postgresql_where=running
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("runs")
