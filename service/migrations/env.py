"""Runs the migrations for Alembic.

On the connection of `service.migrate`, or for a developer's `alembic` command on DATABASE_URL.
"""

import os

from alembic import context
from sqlalchemy import Connection

from service.migrate import engine
from service.schema.tables import METADATA


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=METADATA, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with engine(os.environ["DATABASE_URL"]).connect() as own:
        _run(own)
