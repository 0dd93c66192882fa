"""Reads what an import wrote to the database, and the counts of its response."""

from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import connection

from service.queries.scores import rescore
from service.schema.responses import ImportedFile
from tests.service.lambda_api import Response

TODAY = datetime.now(UTC).date()
TABLES = ("accounts", "account_health", "account_metrics_daily", "health_snapshots")


def fetch(sql: connection, statement: str) -> list[Any]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def everything(sql: connection) -> dict[str, list[Any]]:
    """Every row and the transaction that wrote it, which differs after any write."""
    return {
        table: fetch(sql, f"SELECT t::text, xmin::text FROM {table} t ORDER BY 1")
        for table in TABLES
    }


def counts(response: Response) -> tuple[int, ...]:
    """Accounts created, updated, unchanged; days created, updated."""
    assert response.status == 200, response.text
    found = ImportedFile.model_validate_json(response.text, strict=True, extra="forbid")
    return (
        found.accounts_created,
        found.accounts_updated,
        found.accounts_unchanged,
        found.metrics_created,
        found.metrics_updated,
    )


def stale(sql: connection) -> list[int]:
    """Accounts whose stored score is not that of their stored data."""
    before = fetch(sql, "SELECT account_id, score, component_points FROM account_health ORDER BY 1")
    with sql.cursor() as cursor:
        cursor.execute("BEGIN")
        rescore(cursor, [row[0] for row in before], TODAY)
        cursor.execute("SELECT account_id, score, component_points FROM account_health ORDER BY 1")
        after = cursor.fetchall()
        cursor.execute("ROLLBACK")
    return [old[0] for old, new in zip(before, after, strict=True) if old != new]
