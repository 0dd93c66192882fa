"""Migration 0006: what the service before it has stored, and how it works on the schema after."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg2
import pytest
from psycopg2.extensions import connection

from service import migrate as migrations
from service.migrate import MigrationFailedError, handler, migrate
from tests.conftest import Database
from tests.service.lambda_api import api

SNAPSHOT_BEFORE: Final = """
    INSERT INTO health_snapshots (
        account_id, calculated_at, score, risk_label, coverage,
        component_values, component_points, adjustments
    ) VALUES (%s, now() - make_interval(days => %s), %s, %s, 0.5, '{}', '{}', '{}')
"""
"""As the version before writes it."""
HISTORY: Final = {1: (80.0, None, 40.0, 60.0), 2: (30.0,), 3: (None,), 4: ()}


def run(sql: connection, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def snapshot(sql: connection, account: int, days_ago: int, score: float | None) -> None:
    run(sql, SNAPSHOT_BEFORE, account, days_ago, score, None if score is None else "Red")


@pytest.fixture
def sql(database: Database) -> Iterator[connection]:
    """A database at revision 0005 with snapshots."""
    with migrations.engine(database.url).begin() as bound:
        migrations.command.upgrade(migrations._config(bound), "0005")
    with closing(psycopg2.connect(database.url)) as opened:
        opened.autocommit = True
        for account, scores in HISTORY.items():
            run(opened, "INSERT INTO accounts (id, name, arr, segment) VALUES (%s, %s, 1, 'SMB')",
                account, f"a{account}")  # fmt: skip
            for index, score in enumerate(scores):
                snapshot(opened, account, 50 - index, score)
        run(opened, "UPDATE account_health SET calculated_at = now() - make_interval(days => 3)")
        yield opened


def filled(sql: connection) -> tuple[Any, ...]:
    return (
        run(sql, "SELECT account_id, score_before FROM health_snapshots"
                 " ORDER BY account_id, calculated_at"),
        run(sql, "SELECT account_id, snapshot_score FROM account_health ORDER BY account_id"),
        run(sql, "SELECT scores_as_of = current_date - 3 AND day = scores_as_of FROM upkeep"),
    )  # fmt: skip


FILLED: Final = (
    [(1, 80.0), (1, 80.0), (1, 40.0), (1, 40.0), (2, 30.0), (3, None)],
    [(1, 60.0), (2, 30.0), (3, None), (4, None)],
    [(True,)],
)


def test_what_was_stored_before_is_known_of_every_snapshot(
    database: Database, sql: connection
) -> None:
    assert "0006" in migrate(database.url)["applied"]
    assert filled(sql) == FILLED


def test_an_attempt_that_was_interrupted_is_repeated(
    database: Database, sql: connection, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scripts / "versions" / "0006_upkeep.py"
    complete = path.read_text(encoding="utf-8")
    path.write_text(complete.replace("BATCH = 10_000", "BATCH = 1").replace(
        "for statement in FILL:", "assert after < 2; \n            for statement in FILL:"
    ), encoding="utf-8")  # fmt: skip
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(MigrationFailedError):
        handler({}, None)
    path.write_text(complete.replace("BATCH = 10_000", "BATCH = 1"), encoding="utf-8")
    assert "0006" in handler({}, None)["applied"]
    assert filled(sql) == FILLED


def test_a_snapshot_of_the_version_before_keeps_the_score_in_force(
    database: Database, sql: connection
) -> None:
    migrate(database.url)
    run(sql, "UPDATE account_health SET score = 10, bucket = 'Red' WHERE account_id = 2")
    snapshot(sql, 2, 1, 10.0)
    function = api(database.url)
    function.app.state.daily_scores.refresh = lambda _: None
    (one,) = function.get("/portfolio/movers", days=7).json["down"]
    assert (one["id"], one["from"], one["to"]) == (2, 30, 10)
    function.close()
