"""Migration 0005: the version of the service before it works on the schema after it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service import migrate as migrations
from service.migrate import migrate
from service.queries import rollups
from tests.conftest import Database

SEARCH_BEFORE = (
    "SELECT count(*), NULL FROM account_names n WHERE n.folded LIKE lower('%CEDAR%')",
    "SELECT count(*), NULL FROM account_names n JOIN account_health h USING (account_id)"
    " WHERE h.segment = 'SMB' AND n.folded LIKE lower('%CEDAR%')",
    "SELECT a.id AS id FROM accounts a"
    " JOIN (SELECT * FROM account_names WHERE folded LIKE lower('%CEDAR%') OFFSET 0) n"
    " ON n.account_id = a.id WHERE n.folded LIKE lower('%CEDAR%') ORDER BY a.arr, a.id",
    "SELECT a.id AS id FROM accounts a JOIN account_names n ON n.account_id = a.id"
    " WHERE n.folded LIKE lower('%CEDAR%') ORDER BY a.arr, a.id LIMIT 10",
)
"""The searches of the version before."""
SEARCH_AFTER = tuple(
    statement.replace("account_names", "account_search_names").replace("folded", "name_lower")
    for statement in SEARCH_BEFORE
)
COMPACT_BEFORE = "SELECT fold_portfolio(2000)"

INSERT = """
    INSERT INTO accounts (name, arr, segment, renewal_date)
    SELECT (ARRAY['Cedar', 'birch', 'CEDAR'])[n % 3 + 1] || ' ' || n, n, 'SMB', DATE '2026-12-31'
    FROM generate_series({first}, {last}) n
"""
TOTALS = "SELECT sum(accounts)::bigint, sum(arr)::bigint FROM portfolio_cells"
DELTAS = "SELECT count(*) FROM portfolio_cells WHERE is_delta"
STALE_NAMES = (
    "SELECT id, lower(name) FROM accounts EXCEPT SELECT account_id, name_lower"
    " FROM account_search_names",
    "SELECT account_id FROM account_search_names EXCEPT SELECT id FROM accounts",
)


def run(sql: connection, statement: str) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def results(sql: connection, statements: tuple[str, ...]) -> list[list[tuple[Any, ...]]]:
    return [run(sql, statement) for statement in statements]


@pytest.fixture
def sql(database: Database) -> Iterator[connection]:
    """A database at revision 0004 that holds accounts."""
    with migrations.engine(database.url).begin() as bound:
        migrations.command.upgrade(migrations._config(bound), "0004")
    with closing(psycopg2.connect(database.url)) as opened:
        opened.autocommit = True
        run(opened, INSERT.format(first=1, last=30))
        yield opened


def test_searches_of_both_versions_find_the_same_accounts(
    database: Database, sql: connection
) -> None:
    before = results(sql, SEARCH_BEFORE)
    assert before[0] == [(20, None)]
    assert "0005" in migrate(database.url)["applied"]
    assert results(sql, SEARCH_BEFORE) == results(sql, SEARCH_AFTER) == before


def test_the_migration_rewrites_neither_table_nor_index(
    database: Database, sql: connection
) -> None:
    files = "SELECT pg_relation_filenode('{}'), pg_relation_filenode('{}')"
    before = run(sql, files.format("account_names", "account_names_folded_idx"))
    migrate(database.url)
    after = files.format("account_search_names", "account_search_names_name_lower_idx")
    assert run(sql, after) == before


def test_a_search_through_the_old_name_uses_the_trigram_index(
    database: Database, sql: connection
) -> None:
    migrate(database.url)
    run(sql, "SET enable_seqscan = off")
    for statement in (SEARCH_BEFORE[0], SEARCH_AFTER[0]):
        plan = str(run(sql, f"EXPLAIN {statement}"))
        assert "account_search_names_name_lower_idx" in plan


def test_both_functions_compact_the_same_rollups(database: Database, sql: connection) -> None:
    migrate(database.url)
    for number, statement in enumerate(("SELECT fold_portfolio(0)", "SELECT compact_rollups(0)")):
        run(sql, INSERT.format(first=100 + number, last=100 + number))
        totals, deltas = run(sql, TOTALS), run(sql, DELTAS)
        assert deltas > [(0,)]
        run(sql, COMPACT_BEFORE)
        assert run(sql, DELTAS) == deltas, "below the threshold nothing is compacted"
        run(sql, statement)
        assert run(sql, DELTAS) == [(0,)]
        assert run(sql, TOTALS) == totals
    with sql.cursor() as statements:
        rollups.compact(statements)


@pytest.mark.parametrize("back", [False, True], ids=["upgraded", "and downgraded"])
def test_names_follow_every_write(database: Database, sql: connection, back: bool) -> None:
    migrate(database.url)
    stale = STALE_NAMES
    if back:
        with migrations.engine(database.url).begin() as bound:
            migrations.command.downgrade(migrations._config(bound), "0004")
        stale = tuple(
            statement.replace("account_search_names", "account_names")
            .replace("name_lower", "folded")
            for statement in STALE_NAMES
        )  # fmt: skip
    for write in (
        INSERT.format(first=40, last=50),
        "UPDATE accounts SET name = name || ' Ltd', region = 'EMEA' WHERE id % 2 = 0",
        "DELETE FROM accounts WHERE id % 3 = 0",
        "SELECT fold_portfolio(0)",
        "TRUNCATE accounts CASCADE",
    ):
        run(sql, write)
        assert results(sql, stale) == [[], []], write
    assert run(sql, "SELECT count(*) FROM portfolio_cells") == [(0,)]
