"""Moves the clock of the service and of its database, and says what a score is on a day."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import pytest
from psycopg2.extensions import connection

from service import clock
from service.schema.requests import WhatIf
from service.scoring import Score, score

_SHADOW_NOW: Final = """
    CREATE SCHEMA moved;
    CREATE TABLE moved.shift AS SELECT interval '0' AS by;
    CREATE FUNCTION moved.now() RETURNS timestamptz STABLE LANGUAGE sql
        AS 'SELECT pg_catalog.now() + by FROM moved.shift';
    DO $$ BEGIN EXECUTE format(
        'ALTER DATABASE %I SET search_path = moved, pg_catalog, public', current_database()
    ); END $$;
    SET search_path = moved, pg_catalog, public
"""
"""This connection and all new ones find this `now()` before PostgreSQL's own."""


class MovedClock:
    """The service's clock, which runs as the real one does, and is moved by `shift`."""

    def __init__(self, sql: connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sql = sql
        self.shift = timedelta()
        monkeypatch.setattr(clock, "utc_now", lambda: datetime.now(UTC) + self.shift)
        with sql.cursor() as statements:
            statements.execute(_SHADOW_NOW)

    def today(self, zone: tzinfo = UTC) -> date:
        return clock.today(zone)

    def move(self, **by: float) -> None:
        self.shift += timedelta(**by)
        with self._sql.cursor() as statements:
            statements.execute("UPDATE moved.shift SET by = %s", (self.shift,))


def what_if(sql: connection, account_id: int, day: date) -> Score:
    """Return the score that the account's columns have on a day, by `POST /scoring/what-if`."""
    names = [name for name in WhatIf.model_fields if name != "avg_session_min"]
    with sql.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM accounts WHERE id = %s", (account_id,))
        values = dict(zip(names, cursor.fetchall()[0], strict=True))
        cursor.execute(
            "SELECT avg(avg_session_min) FROM (SELECT avg_session_min FROM account_metrics_daily"
            " WHERE account_id = %s ORDER BY date DESC LIMIT 30) newest",
            (account_id,),
        )
        values["avg_session_min"] = cursor.fetchall()[0][0]
    return score(WhatIf.model_validate(values).inputs(day))


def stored(sql: connection, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
