"""Statements that cannot run inside a transaction, and what an interruption of them leaves."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service import migrate as migrations
from service.migrate import MigrationFailedError, handler, migrate
from tests.conftest import Database

INDEX = "CREATE INDEX CONCURRENTLY accounts_industry_idx ON accounts (industry)"
UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY accounts_region_idx ON accounts (region)"
INDEXES = (
    "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
    " WHERE relname LIKE 'accounts_industry_idx%' OR relname LIKE 'accounts_region_idx%'"
)
VERSION = "SELECT version_num FROM alembic_version"
LOCK = "LOCK TABLE accounts IN ROW EXCLUSIVE MODE"
"""What a transaction that writes holds; a build waits for its end."""
BUILDING = (
    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'"
    " AND state = 'active' AND wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
def sql(database: Database) -> Iterator[connection]:
    """A connection to a database at the head, whose migrations are released."""
    migrate(database.url)
    with closing(psycopg2.connect(database.url)) as opened:
        opened.autocommit = True
        yield opened


def fetch(sql: connection, statement: str) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def add(scripts: Path, *inside: str, before: str = "pass", after: str = "pass") -> None:
    """Write the next migration: statements inside an autocommit block, Python around it."""
    head = migrations.migration_files.head(migrations.migration_files.migrations())
    block = "".join(f"        op.execute({statement!r})\n" for statement in inside)
    (scripts / "versions" / "9999_next.py").write_text(
        f'from alembic import op\nrevision, down_revision = "9999", "{head}"\n'
        f"def upgrade() -> None:\n    {before}\n"
        f"    with op.get_context().autocommit_block():\n        pass\n{block}"
        f"    {after}\n",
        encoding="utf-8",
    )


def failure(monkeypatch: pytest.MonkeyPatch, database: Database) -> str:
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(MigrationFailedError) as failed:
        handler({}, None)
    return str(failed.value)


def test_an_autocommit_block_commits_runs_and_resumes_the_transaction(
    scripts: Path, database: Database, sql: connection
) -> None:
    add(
        scripts,
        INDEX,
        before="op.execute('CREATE TABLE before (id integer)')",
        after="op.execute('CREATE TABLE after (id integer)')",
    )
    assert migrate(database.url)["applied"] == ["9999"]
    assert fetch(sql, INDEXES) == [("accounts_industry_idx", True)]
    assert fetch(sql, "SELECT to_regclass('before')::text, to_regclass('after')::text") == [
        ("before", "after")
    ]
    assert fetch(sql, VERSION) == [("9999",)]


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TYPE mood AS ENUM ('sad')", "ALTER TYPE mood ADD VALUE 'happy'",
         "CREATE TABLE moods (mood mood DEFAULT 'happy')"),
        ("VACUUM ANALYZE accounts",),
        (INDEX, "REINDEX INDEX CONCURRENTLY accounts_industry_idx"),
        ("REINDEX TABLE CONCURRENTLY accounts",),
        (INDEX, "DROP INDEX CONCURRENTLY accounts_industry_idx"),
    ],
)  # fmt: skip
def test_statements_that_need_it_run_in_an_autocommit_block(
    scripts: Path, database: Database, sql: connection, statements: tuple[str, ...]
) -> None:
    add(scripts, *statements)
    assert migrate(database.url)["revision"] == "9999"
    assert all(valid for _, valid in fetch(sql, INDEXES))


@pytest.mark.parametrize(
    "statement",
    [
        INDEX,
        "VACUUM accounts",
        "DROP INDEX CONCURRENTLY account_search_names_name_lower_idx",
        "REINDEX TABLE CONCURRENTLY accounts",
    ],
)
def test_without_an_autocommit_block_the_error_says_what_to_write(
    scripts: Path,
    database: Database,
    sql: connection,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:
    add(scripts, before=f"op.execute({statement!r})")
    said = failure(monkeypatch, database)
    assert said.startswith("ActiveSqlTransaction 25001 in 9999_next.py, line 4: ")
    assert "with op.get_context().autocommit_block():" in said
    assert fetch(sql, VERSION) != [("9999",)]


def test_a_new_value_of_an_enum_that_is_used_too_early_says_what_to_write(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(sql, "CREATE TYPE mood AS ENUM ('sad')")
    statements = ("ALTER TYPE mood ADD VALUE 'happy'", "SELECT 'happy'::mood")
    add(scripts, before=f"[op.execute(statement) for statement in {statements!r}]")
    said = failure(monkeypatch, database)
    assert "UnsafeNewEnumValueUsage 55P04" in said
    assert "write its ALTER TYPE within `with op.get_context().autocommit_block():`" in said


def test_an_invalid_index_of_an_interrupted_build_is_dropped_and_built_again(
    scripts: Path, database: Database, sql: connection
) -> None:
    insert = "INSERT INTO accounts (name, arr, segment, region) VALUES ('{0}', 1, 'SMB', 'EMEA')"
    fetch(sql, insert.format("a"))
    fetch(sql, insert.format("b"))
    with pytest.raises(psycopg2.errors.UniqueViolation):
        fetch(sql, UNIQUE)
    assert fetch(sql, INDEXES) == [("accounts_region_idx", False)]
    fetch(sql, "UPDATE accounts SET region = 'APAC' WHERE name = 'b'")
    add(scripts, UNIQUE.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"))
    assert migrate(database.url)["revision"] == "9999"
    assert fetch(sql, INDEXES) == [("accounts_region_idx", True)]


def test_a_build_that_fails_leaves_no_invalid_index_behind(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        fetch(
            sql,
            f"INSERT INTO accounts (name, arr, segment, region) VALUES ('{name}', 1, 'SMB', 'X')",
        )
    add(scripts, UNIQUE)
    assert failure(monkeypatch, database).startswith("UniqueViolation 23505 in 9999_next.py, line")
    assert fetch(sql, INDEXES) == []


def test_a_build_waits_for_an_old_transaction_and_two_migrations_do_not_deadlock(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    add(scripts, INDEX)
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(database.url)["applied"]))
        for _ in range(2)
    ]
    with closing(psycopg2.connect(database.url)) as writer:
        fetch(writer, LOCK)
        for thread in threads:
            thread.start()
        wait_for_build(sql)
        time.sleep(1.5)  # longer than the lock timeout of other statements
        assert fetch(sql, BUILDING)
    for thread in threads:
        thread.join(60)
    assert sorted(applied) == [[], ["9999"]]
    assert fetch(sql, INDEXES) == [("accounts_industry_idx", True)]


def test_a_session_that_is_killed_during_a_build_is_repeated_by_the_next_call(
    scripts: Path, database: Database, sql: connection
) -> None:
    add(scripts, INDEX, before="op.execute('CREATE TABLE IF NOT EXISTS before (id integer)')")

    def interrupted() -> None:
        with suppress(Exception):
            migrate(database.url)

    thread = threading.Thread(target=interrupted)
    with closing(psycopg2.connect(database.url)) as writer:
        fetch(writer, LOCK)
        thread.start()
        fetch(sql, f"SELECT pg_terminate_backend({wait_for_build(sql)})")
    thread.join(60)
    assert fetch(sql, "SELECT to_regclass('before')::text") == [("before",)]
    assert fetch(sql, VERSION) != [("9999",)]
    assert migrate(database.url)["applied"] == ["9999"]
    assert fetch(sql, INDEXES) == [("accounts_industry_idx", True)]


def test_a_migration_that_cannot_be_repeated_says_to_write_if_not_exists(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(sql, "CREATE INDEX accounts_industry_idx ON accounts (industry)")
    add(scripts, INDEX)
    said = failure(monkeypatch, database)
    assert said.startswith("DuplicateTable 42P07 in 9999_next.py, line 7: ")
    assert "IF NOT EXISTS" in said


def test_a_migration_without_a_block_stays_one_transaction_after_one_with_a_block(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(scripts, INDEX)
    (scripts / "versions" / "9999_z.py").write_text(
        'from alembic import op\nrevision, down_revision = "9999z", "9999"\n'
        "def upgrade() -> None:\n    op.execute('CREATE TABLE undone (id integer)')\n    1 / 0\n"
    )
    assert failure(monkeypatch, database) == "ZeroDivisionError in 9999_z.py, line 5"
    assert fetch(sql, "SELECT to_regclass('undone')") == [(None,)]
    assert fetch(sql, VERSION) == [("9999",)]


def test_a_long_wait_for_another_migration_is_named(
    scripts: Path, database: Database, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "ADVISORY_LOCK_SECONDS", 0)
    fetch(sql, f"SELECT pg_advisory_lock({migrations.ADVISORY_KEY})")
    assert "another migration of this database" in failure(monkeypatch, database)


def wait_for_build(sql: connection) -> int:
    ends = time.monotonic() + 30
    while not (found := fetch(sql, BUILDING)):
        assert time.monotonic() < ends, "the build did not start"
        time.sleep(0.05)
    return found[0][0]
