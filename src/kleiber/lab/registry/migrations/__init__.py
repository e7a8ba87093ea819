"""How a registry of an earlier version becomes one of today: one file per step, run by Alembic from inside the package."""
