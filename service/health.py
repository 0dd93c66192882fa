"""Checks a version before it gets requests: settings, database and schema.

A deployment invokes the new version with `{"source": "health"}` and moves the alias only when this
check passes. Settings that are wrong have already failed the start of the function.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from psycopg2 import errors as pg

from service.database.connection import Database
from service.errors import ServiceError
from service.settings import Settings

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"
_ASSIGNMENT: Final = re.compile(
    r"^(revision|down_revision)\s*(?::[^=]*)?=\s*[\"']?([\w.-]+)", re.MULTILINE
)


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


def migrations(directory: Path = VERSIONS) -> dict[str, str | None]:
    """Return this version's migrations, revision to down revision, without importing Alembic."""
    found: dict[str, str | None] = {}
    for path in sorted(directory.glob("*.py")):
        values = dict(_ASSIGNMENT.findall(path.read_text(encoding="utf-8")))
        if "revision" in values:
            down = values.get("down_revision")
            found[values["revision"]] = None if down == "None" else down
    return found


def head(revisions: Mapping[str, str | None]) -> str | None:
    """Return the revision that is no other's down revision; None unless there is exactly one."""
    heads = revisions.keys() - set(revisions.values())
    return heads.pop() if len(heads) == 1 else None


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
