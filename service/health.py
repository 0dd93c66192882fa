"""Checks a version before it gets requests: settings, database and schema.

A deployment invokes the new version with `{"source": "health"}` and moves the alias only when this
check passes. Settings that are wrong have already failed the start of the function.
"""

from typing import Any

from psycopg2 import errors as pg

from service.database.connection import Database
from service.errors import ServiceError
from service.migration_files import head, migrations
from service.settings import Settings


class HealthCheckError(Exception):
    """The version must not get requests. The message says why and holds no secret."""


def check(database: Database, settings: Settings) -> dict[str, Any]:
    """Return `{"healthy": true, "version", "revision"}`. Raises `HealthCheckError` otherwise.

    A schema that is ahead of this version is healthy: migrations expand first, and a rollback
    keeps the schema.
    """
    revisions = migrations()
    found = _revision(database)
    needed = head(revisions)
    if found != needed and found in revisions:
        raise HealthCheckError(
            f"the database is at migration {found}, and this version needs {needed}"
        )
    return {"healthy": True, "version": settings.version, "revision": found}


def _revision(database: Database) -> str:
    try:
        rows = database.read("SELECT version_num FROM alembic_version", {})
    except ServiceError as error:
        raise HealthCheckError(error.detail) from None
    except pg.UndefinedTable:
        raise HealthCheckError("the database has no schema: no migration has run on it") from None
    if len(rows) != 1:
        raise HealthCheckError(f"the database has {len(rows)} migration heads instead of one")
    return str(rows[0][0])
