"""Alembic's own entry: runs migrations on the connection it is given."""

from alembic import context

from gateway import casework as _every_table  # noqa: F401
from gateway.db import Base

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # A migration that waits for a lock must not make every caller wait behind it.
    connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
    # Two that migrate at once, one after the other: the second finds nothing to do.
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2430)")
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
