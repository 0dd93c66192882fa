"""Values that the database itself refuses, whoever writes them."""

from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service.schema.responses import Account
from tests.service.lambda_api import Api

NOT_FINITE = ["NaN", "Infinity", "-Infinity"]

REFUSED: dict[str, list[Any]] = {
    "name": ["", "a\nb", "a\x7fb", "a\u0085b", "x" * 256, None],
    "arr": ["NaN", -0.01, "1000000000000.01", None],
    "segment": ["smb", "", None],
    "industry": ["", "\t", "x" * 101],
    "region": ["", "a\x01", "x" * 51],
    "cs_owner": ["", "\r", "x" * 101],
    "renewal_date": ["infinity", "-infinity", "10000-01-01", "0001-01-01 BC"],
    "qbr_last_date": ["infinity", "10000-01-01"],
    "active_users": [-1, 2**31],
    "seats_purchased": [0, -1, 2**31],
    "feature_x_adoption": [*NOT_FINITE, -0.01, 1.01],
    "weekly_active_pct": [*NOT_FINITE, -0.01, 1.01],
    "time_to_value_days": [-1],
    "tickets_last_30d": [-1],
    "critical_tickets_90d": [-1],
    "sla_breaches_90d": [-1],
    "nps": [-101, 101],
    "expansion_oppty_dollar": ["NaN", -1, "1000000000000.01", None],
    "renewal_risk": ["high", ""],
}

LIMITS: dict[str, list[Any]] = {
    "name": ["x" * 255, "\u00a0", "\u2028", "💡"],
    "arr": [0, 10**12],
    "renewal_date": ["0001-01-01", "9999-12-31", None],
    "qbr_last_date": ["0001-01-01", "9999-12-31", None],
    "active_users": [0, 2**31 - 1, None],
    "seats_purchased": [1, 2**31 - 1, None],
    "feature_x_adoption": [0, 5e-324, 1, None],
    "nps": [-100, 100, None],
    "expansion_oppty_dollar": [0, 10**12],
    "renewal_risk": ["Low", "Medium", "High", None],
    "onboarding_phase": [True, False, None],
}


def insert(sql: connection, table: str, **values: Any) -> None:
    with sql.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


@pytest.mark.parametrize("column", REFUSED)
def test_the_database_refuses_a_value_that_could_break_a_read(sql: connection, column: str) -> None:
    for value in REFUSED[column]:
        with pytest.raises(psycopg2.Error) as refused:
            insert(sql, "accounts", **{"name": "a", "arr": 1, "segment": "SMB", column: value})
        assert refused.value.pgcode in {"23514", "23502", "22001", "22003", "22008"}, (
            value,
            refused.value,
        )


@pytest.mark.parametrize("column", LIMITS)
def test_a_value_at_the_limit_of_its_range_can_be_read(
    service: Api, sql: connection, column: str
) -> None:
    for number, value in enumerate(LIMITS[column]):
        insert(sql, "accounts", **{"name": f"a{number}", "arr": 1, "segment": "SMB", column: value})
    response = service.get("/accounts")
    assert response.json["total"] == len(LIMITS[column])
    for account in response.json["accounts"]:
        Account.model_validate(account)
    assert service.get("/portfolio/metrics").status == 200


def test_account_names_are_unique(sql: connection) -> None:
    insert(sql, "accounts", name="a", arr=1, segment="SMB")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        insert(sql, "accounts", name="a", arr=2, segment="SMB")


def test_an_account_is_inserted_with_a_health_row_and_deleted_with_all_its_rows(
    sql: connection,
) -> None:
    insert(sql, "accounts", name="a", arr=1, segment="SMB")
    with sql.cursor() as cursor:
        cursor.execute(
            "INSERT INTO account_metrics_daily (account_id, date)"
            " SELECT id, '2026-11-23' FROM accounts"
        )
        cursor.execute(
            "INSERT INTO health_snapshots"
            " (account_id, coverage, component_values, component_points, adjustments)"
            " SELECT id, 0, '{}', '{}', '{}' FROM accounts"
        )
        cursor.execute("SELECT score, bucket, coverage FROM account_health")
        assert cursor.fetchall() == [(None, None, 0)]
        cursor.execute("DELETE FROM accounts")
        for table in ("account_health", "account_metrics_daily", "health_snapshots"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,)


HEALTH: list[dict[str, Any]] = [
    {"score": "NaN", "bucket": "Red"},
    {"score": -0.1, "bucket": "Red"},
    {"score": 100.1, "bucket": "Green"},
    {"score": 50, "bucket": None},
    {"score": None, "bucket": "Red"},
    {"score": 50, "bucket": "Blue"},
    {"coverage": "NaN"},
    {"coverage": 1.1},
    {"component_points": [1.0]},
    {"component_points": ["NaN"], "component_values": [1.0]},
    {"component_points": [1.0], "component_values": ["Infinity"]},
    {"adjustments": ["-Infinity"]},
]


@pytest.mark.parametrize("values", HEALTH, ids=str)
def test_the_database_refuses_an_invalid_score(sql: connection, values: dict[str, Any]) -> None:
    insert(sql, "accounts", name="a", arr=1, segment="SMB")
    assignments = ", ".join(
        f"{name} = %s{'::float8[]' if isinstance(value, list) else ''}"
        for name, value in values.items()
    )
    with sql.cursor() as cursor, pytest.raises(psycopg2.errors.CheckViolation):
        cursor.execute(f"UPDATE account_health SET {assignments}", list(values.values()))


DAILY: list[dict[str, Any]] = [
    *({"avg_session_min": value} for value in (*NOT_FINITE, -0.1)),
    *({name: -1} for name in ("logins", "events", "feature_x_events", "errors", "ticket_backlog")),
    {"date": "infinity"},
]


@pytest.mark.parametrize("values", DAILY, ids=str)
def test_the_database_refuses_invalid_daily_metrics(
    sql: connection, values: dict[str, Any]
) -> None:
    insert(sql, "accounts", name="a", arr=1, segment="SMB")
    with sql.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts")
        (account_id,) = cursor.fetchone() or (0,)
    with pytest.raises(psycopg2.errors.CheckViolation):
        insert(
            sql,
            "account_metrics_daily",
            **{"account_id": account_id, "date": "2026-11-23", **values},
        )


def test_an_account_has_one_row_per_day(sql: connection) -> None:
    insert(sql, "accounts", name="a", arr=1, segment="SMB")
    day = (
        "INSERT INTO account_metrics_daily (account_id, date) SELECT id, '2026-11-23' FROM accounts"
    )
    with sql.cursor() as cursor:
        cursor.execute(day)
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(day)
