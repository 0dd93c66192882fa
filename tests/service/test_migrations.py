"""The migration function: its results, its effects, and what its errors reveal."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection

from service import migrate as migrations
from service.migrate import Result, handler, migrate
from service.schema.tables import METADATA
from stack.local.neon.postgres.server import Postgres
from tests.conftest import Database

REVISIONS = [
    script.revision for script in ScriptDirectory(str(migrations.SCRIPTS)).walk_revisions()
][::-1]
HEAD = REVISIONS[-1]
SECOND = '''"""Second."""

from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.execute("CREATE TABLE second (id integer)")
    {more}
'''

CATALOG = {
    "columns": "SELECT table_name, column_name, data_type, character_maximum_length,"
    " numeric_precision, numeric_scale, is_nullable, column_default, is_identity"
    " FROM information_schema.columns WHERE table_schema = 'public'"
    " AND table_name <> 'alembic_version' AND table_name IN (SELECT tablename FROM pg_tables)",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    " FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0"
    " AND conrelid::regclass::text <> 'alembic_version'",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes"
    " WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
}


@pytest.fixture
def sql(database: Database) -> Iterator[connection]:
    with closing(psycopg2.connect(database.url)) as opened:
        opened.autocommit = True
        yield opened


def add(scripts: Path, more: str = "") -> None:
    (scripts / "versions" / "9999_second.py").write_text(
        SECOND.format(head=HEAD, more=more), encoding="utf-8"
    )


def tables(sql: connection) -> set[str]:
    return {
        name
        for (name,) in fetch(sql, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }


def fetch(sql: connection, statement: str) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def execute(sql: connection, statement: str) -> None:
    with sql.cursor() as cursor:
        cursor.execute(statement)


def invoke(monkeypatch: pytest.MonkeyPatch, url: str) -> Result:
    monkeypatch.setenv("DATABASE_URL", url)
    return handler({}, None)


def test_an_empty_database_is_migrated_to_the_head(
    database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke(monkeypatch, database.url) == {
        "revision": HEAD,
        "applied": REVISIONS,
        "ahead": False,
    }
    assert tables(sql) == {"alembic_version", *METADATA.tables}


def test_a_database_at_the_head_is_not_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke(monkeypatch, database.url)
    assert invoke(monkeypatch, database.url) == {"revision": HEAD, "applied": [], "ahead": False}


def test_a_new_migration_keeps_the_data(
    database: Database, sql: connection, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke(monkeypatch, database.url)
    execute(sql, "INSERT INTO accounts (name, arr, segment) VALUES ('a', 1, 'SMB')")
    add(scripts)
    assert invoke(monkeypatch, database.url) == {
        "revision": "9999",
        "applied": ["9999"],
        "ahead": False,
    }
    assert fetch(sql, "SELECT name FROM accounts") == [("a",)]


def test_applied_migrations_are_returned_in_order(
    database: Database, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(scripts)
    assert invoke(monkeypatch, database.url) == {
        "revision": "9999",
        "applied": [*REVISIONS, "9999"],
        "ahead": False,
    }


def test_a_database_ahead_of_the_bundle_is_a_success_with_ahead_true(
    database: Database, sql: connection, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(scripts)
    invoke(monkeypatch, database.url)
    (scripts / "versions" / "9999_second.py").unlink()
    assert invoke(monkeypatch, database.url) == {"revision": "9999", "applied": [], "ahead": True}
    assert "second" in tables(sql)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("op.execute(\"SELECT 'customer Acme' FROM nowhere\")", "UndefinedTable 42P01"),
        ("op.execute('INSERT INTO accounts (name) VALUES (NULL)')", "NotNullViolation 23502"),
        ("raise ValueError('customer Acme')", "ValueError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_failed_migration_is_rolled_back_and_reports_class_and_sqlstate_only(
    database: Database,
    sql: connection,
    scripts: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: str,
    message: str,
) -> None:
    invoke(monkeypatch, database.url)
    add(scripts, more)
    with pytest.raises(migrations.MigrationFailedError) as failed:
        invoke(monkeypatch, database.url)
    assert str(failed.value) == f"{message} in 9999_second.py, line 11"
    assert failed.value.__context__ is None
    assert failed.value.__cause__ is None
    assert "second" not in tables(sql)
    assert fetch(sql, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    add(scripts)
    assert invoke(monkeypatch, database.url)["applied"] == ["9999"]


def test_migrations_before_a_failed_one_stay_applied(
    database: Database, sql: connection, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(scripts, "1 / 0")
    with pytest.raises(migrations.MigrationFailedError):
        invoke(monkeypatch, database.url)
    assert fetch(sql, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert "accounts" in tables(sql)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:hunter2@localhost:1/nowhere", "OperationalError without SQLSTATE"),
        ("hunter2", "ArgumentError"),
        ("postgresql://user:hunter2@localhost:port/x", "ValueError"),
    ],
)
def test_neither_error_nor_log_contains_the_url(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, message: str
) -> None:
    with pytest.raises(migrations.MigrationFailedError) as failed:
        invoke(monkeypatch, url)
    assert str(failed.value) == message
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["message"] == "the migration failed"
    assert "hunter2" not in out


def test_the_log_has_the_servers_message(
    database: Database,
    scripts: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add(scripts, "op.execute('SELECT 1 FROM nowhere')")
    with pytest.raises(migrations.MigrationFailedError):
        invoke(monkeypatch, database.url)
    assert (
        json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]
        == 'relation "nowhere" does not exist'
    )


def test_two_concurrent_migrations_apply_each_revision_once(
    database: Database, scripts: Path
) -> None:
    add(scripts, "op.execute('SELECT pg_sleep(0.2)')")
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(migrate(database.url))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [result["revision"] for result in results] == ["9999", "9999"]
    assert sorted(revision for result in results for revision in result["applied"]) == [
        *REVISIONS,
        "9999",
    ]


def test_a_migration_is_retried_while_a_table_is_locked(
    database: Database,
    scripts: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    invoke(monkeypatch, database.url)
    add(scripts, "op.execute('ALTER TABLE accounts ADD COLUMN more integer')")
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    with closing(psycopg2.connect(database.url)) as reader:
        fetch(reader, "SELECT count(*) FROM accounts")
        released = threading.Timer(1.5, reader.rollback)
        released.start()
        assert invoke(monkeypatch, database.url)["applied"] == ["9999"]
        released.join()
    assert '"a table is in use"' in capsys.readouterr().out


def test_a_migration_fails_when_a_table_stays_locked(
    database: Database, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke(monkeypatch, database.url)
    add(scripts, "op.execute('ALTER TABLE accounts ADD COLUMN more integer')")
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrations.time, "sleep", lambda seconds: None)
    with closing(psycopg2.connect(database.url)) as reader:
        fetch(reader, "SELECT count(*) FROM accounts")
        with pytest.raises(migrations.MigrationFailedError, match="LockNotAvailable 55P03"):
            invoke(monkeypatch, database.url)


def test_the_declared_tables_match_the_migrations(database: Database, postgres: Postgres) -> None:
    migrate(database.url)
    with migrations.engine(database.url).connect() as migrated:
        assert (
            compare_metadata(
                MigrationContext.configure(migrated, opts={"compare_server_default": True}),
                METADATA,
            )
            == []
        )
    name = f"{database.name}_declared"
    postgres.create_database(name, database.role)
    declared_url = postgres.url(database.role, database.password, name)
    with migrations.engine(declared_url).begin() as declared:
        declared.exec_driver_sql("CREATE EXTENSION pg_trgm")
        METADATA.create_all(declared)
    try:
        with (
            closing(psycopg2.connect(database.url)) as one,
            closing(psycopg2.connect(declared_url)) as other,
        ):
            for what, statement in CATALOG.items():
                assert sorted(map(str, fetch(one, statement))) == sorted(
                    map(str, fetch(other, statement))
                ), what
    finally:
        postgres.drop_database(name)


def test_a_downgrade_to_base_removes_everything(database: Database, sql: connection) -> None:
    migrate(database.url)
    with migrations.engine(database.url).begin() as bound:
        migrations.command.downgrade(migrations._config(bound), "base")
    assert tables(sql) == {"alembic_version"}
    assert (
        fetch(sql, "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []
    )
    assert migrate(database.url)["applied"] == REVISIONS
