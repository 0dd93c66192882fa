"""The health event, by which a deployment checks a version before it gets requests."""

from pathlib import Path

import pytest
from psycopg2.extensions import connection

from service import health
from service.health import HealthCheckError
from tests.service.lambda_api import Api, api

EVENT = {"source": "health"}


def test_a_version_on_a_migrated_database_is_healthy(service: Api) -> None:
    result = service.handler(EVENT, None)
    assert result == {
        "healthy": True,
        "version": "abc123",
        "revision": health.head(health.migrations()),
    }


def test_a_version_without_a_database_is_not_healthy() -> None:
    with pytest.raises(HealthCheckError, match="no database"):
        api().handler(EVENT, None)


def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    service = api("postgresql://role:hunter2@127.0.0.1:1/name?connect_timeout=1")
    with pytest.raises(HealthCheckError, match="cannot be reached") as raised:
        service.handler(EVENT, None)
    assert "hunter2" not in str(raised.value)


def test_a_schema_behind_the_version_is_not_healthy(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '0001'")
    needed = health.head(health.migrations())
    with pytest.raises(HealthCheckError, match=f"at migration 0001, and .* needs {needed}"):
        service.handler(EVENT, None)


def test_a_schema_ahead_of_the_version_is_healthy(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
    assert service.handler(EVENT, None)["revision"] == "9999"


def test_a_database_without_a_schema_is_not_healthy(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("DROP TABLE alembic_version")
    with pytest.raises(HealthCheckError, match="no schema"):
        service.handler(EVENT, None)


def test_the_revisions_are_those_that_alembic_finds() -> None:
    from alembic.script import ScriptDirectory

    from service.migrate import SCRIPTS

    scripts = ScriptDirectory(str(SCRIPTS))
    expected = {script.revision: script.down_revision for script in scripts.walk_revisions()}
    assert health.migrations() == expected
    assert health.head(health.migrations()) == scripts.get_current_head()


def test_annotated_and_quoted_revisions_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("revision: str = 'a1'\ndown_revision: str | None = None\n")
    (tmp_path / "b.py").write_text('revision = "b2"\ndown_revision = "a1"\n')
    (tmp_path / "c.py").write_text("NOTHING = 1\n")
    assert health.migrations(tmp_path) == {"a1": None, "b2": "a1"}
    assert health.head({"a": None, "b": "a", "c": "a"}) is None
