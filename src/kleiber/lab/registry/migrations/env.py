"""What Alembic runs: the steps that are missing, within the transaction that the caller has opened."""

from alembic import context

from kleiber.lab.registry.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
