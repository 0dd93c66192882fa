"""Recomputing scores: they equal those of the pure function, and only changes are written."""

import random
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg2
import pytest
from psycopg2.extensions import connection

from service import deadline
from service.database.connection import Database
from service.queries import scores
from service.queries.numbers import parse_numbers
from service.queries.scores import Recomputed, recompute, rescore
from service.schema.responses import Recomputed as RecomputeResponse
from service.scoring import Inputs, score
from service.scoring.rules import SESSION_ROWS
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()
RANDOM: Final = 10_000
COLUMNS = (
    "arr", "seats_purchased", "active_users", "feature_x_adoption", "weekly_active_pct",
    "time_to_value_days", "tickets_last_30d", "critical_tickets_90d", "sla_breaches_90d", "nps",
    "qbr_last_date", "onboarding_phase", "renewal_date", "expansion_oppty_dollar",
)  # fmt: skip


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def maybe(draw: random.Random, value: Any) -> Any:
    return None if draw.random() < 0.25 else value


def invented(draw: random.Random) -> tuple[Any, ...]:
    seats = draw.randrange(1, 400)
    return (
        draw.choice((0, draw.randrange(10**8) / 100)),
        maybe(draw, seats),
        maybe(draw, draw.randrange(2 * seats)),
        maybe(draw, draw.random()),
        maybe(draw, draw.random()),
        maybe(draw, draw.randrange(120)),
        maybe(draw, draw.randrange(40)),
        maybe(draw, draw.randrange(8)),
        maybe(draw, draw.randrange(5)),
        maybe(draw, draw.randrange(-100, 101)),
        maybe(draw, TODAY - timedelta(draw.randrange(-20, 200))),
        maybe(draw, draw.random() < 0.5),
        maybe(draw, TODAY + timedelta(draw.randrange(-30, 120))),
        draw.choice((0, draw.randrange(10**7) / 100)),
    )


def test_sql_and_python_agree_on_ten_thousand_random_accounts(
    database: Database, sql: connection
) -> None:
    draw = random.Random(4)
    accounts = [invented(draw) for _ in range(RANDOM)]
    minutes = {
        number: [draw.random() * 60 for _ in range(draw.randrange(3))]
        for number in range(1, RANDOM + 1, 3)
    }
    with sql.cursor() as cursor:
        for start in range(0, RANDOM, 1000):
            values = [
                cursor.mogrify(
                    f"(%s, %s, 'SMB'{', %s' * len(COLUMNS)})",
                    (start + index + 1, f"a{start + index}", *account),
                ).decode()
                for index, account in enumerate(accounts[start : start + 1000])
            ]
            cursor.execute(
                f"INSERT INTO accounts (id, name, segment, {', '.join(COLUMNS)})"
                f" VALUES {', '.join(values)}"
            )
        days = [
            cursor.mogrify("(%s, %s, %s)", (number, TODAY - timedelta(day), value)).decode()
            for number, found in minutes.items()
            for day, value in enumerate(found)
        ]
        cursor.execute(
            f"INSERT INTO account_metrics_daily (account_id, date, avg_session_min)"
            f" VALUES {', '.join(days)}"
        )
    done = database.write(
        lambda statements: recompute(statements, after=0, limit=10 * RANDOM, today=TODAY)
    )
    assert done == Recomputed(RANDOM, RANDOM, None)
    with sql.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, score, bucket, coverage, component_values::text,"
            " component_points::text, adjustments::text"
            " FROM account_health ORDER BY account_id"
        )
        stored = cursor.fetchall()
    unscored = 0
    for (number, value, bucket, coverage, *arrays), account in zip(stored, accounts, strict=True):
        known = dict(zip(COLUMNS, account, strict=True))
        reviewed, renewal = known.pop("qbr_last_date"), known.pop("renewal_date")
        found = minutes.get(number)
        expected = score(Inputs(
            **known,
            session_minutes=sum(found) / len(found) if found else None,
            days_since_review=reviewed and (TODAY - reviewed).days,
            days_to_renewal=renewal and (renewal - TODAY).days,
        ))  # fmt: skip
        assert (bucket, coverage) == (expected.bucket, pytest.approx(expected.coverage)), account
        assert value == (
            None if expected.value is None else pytest.approx(expected.value, abs=1e-9)
        ), account
        for array, right in zip(
            arrays, (expected.values, expected.points, expected.adjustments), strict=True
        ):
            assert parse_numbers(array) == [
                None if number is None else pytest.approx(number, abs=1e-9) for number in right
            ], account
        unscored += value is None
    assert 0 < unscored < RANDOM / 2


def test_the_newest_thirty_days_are_averaged(database: Database, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (id, name, arr, segment) VALUES (1, 'a', 1, 'SMB')")
        cursor.execute(
            "INSERT INTO account_metrics_daily (account_id, date, avg_session_min)"
            " SELECT 1, %s::date - n, CASE WHEN n < %s THEN 10 ELSE 1000 END"
            " FROM generate_series(0, 60) n",
            (TODAY, SESSION_ROWS),
        )
        database.write(lambda statements: rescore(statements, [1], TODAY))
        cursor.execute("SELECT component_values[4] FROM account_health")
        assert cursor.fetchall() == [(10,)]


def test_scored_again_on_the_same_day_nothing_is_written(service: Api, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=10, seed=1)
    state = """
        SELECT array_agg(h ORDER BY account_id), (SELECT count(*) FROM health_snapshots),
            (SELECT max(updated_at) FROM accounts)
    """
    with sql.cursor() as cursor:
        cursor.execute(f"{state} FROM account_health h")
        before = cursor.fetchall()
        response = service.post("/health/recompute")
        assert response.status == 200
        body = RecomputeResponse.model_validate_json(response.text, strict=True, extra="forbid")
        assert (body.accounts_updated, body.snapshots_created, body.next_cursor) == (0, 0, None)
        cursor.execute(f"{state} FROM account_health h")
        assert cursor.fetchall() == before


def test_a_day_later_reviews_are_older_and_small_changes_are_no_snapshots(
    service: Api, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=10, seed=1)
    with sql.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM health_snapshots")
        (before,) = cursor.fetchone() or (0,)
        cursor.execute("SELECT count(*) FROM accounts WHERE qbr_last_date > current_date - 119")
        (aging,) = cursor.fetchone() or (0,)
        done = service.database.write(
            lambda statements: recompute(statements, after=0, limit=100, today=TODAY + timedelta(1))
        )
        assert (done.changed >= aging > 0, done.snapshots) == (True, 0)
        cursor.execute("SELECT count(*) FROM health_snapshots")
        assert cursor.fetchone() == (before,)


def test_a_cursor_leads_through_all_accounts_and_ends(service: Api, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=7, seed=1)
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET nps = 100, seats_purchased = 10, active_users = 10")
    updated, cursor_id, steps = 0, 0, 0
    while cursor_id is not None:
        response = service.post("/health/recompute", limit=3, cursor=cursor_id).json
        updated, cursor_id, steps = (
            updated + response["accounts_updated"],
            response["next_cursor"],
            steps + 1,
        )
    assert (updated, steps) == (7, 3)
    assert service.post("/health/recompute").json["accounts_updated"] == 0


def test_what_there_is_no_time_for_is_left_to_the_next_request(
    service: Api, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=5, seed=1)
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET nps = 100")
    monkeypatch.setattr(scores, "AT_ONCE", 2)
    monkeypatch.setattr(deadline, "REQUEST_SECONDS", scores.RESERVE_SECONDS - 0.1)
    response = service.post("/health/recompute").json
    assert response["accounts_updated"] == 2
    assert response["next_cursor"] is not None


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 100_001},
        {"cursor": -1},
        {"cursor": "x"},
        {"cursor": 2**63},
        {"limits": 1},
    ],
)
def test_what_is_out_of_bounds_is_refused(service: Api, query: dict[str, Any]) -> None:
    assert service.post("/health/recompute", **query).status == 422


def test_one_that_scores_does_not_overwrite_what_another_changed_meanwhile(
    url: str, service: Api, sql: connection
) -> None:
    """Whoever scores waits for the one who changes, and then looks."""
    service.post("/ingest/generate-mock", count=1, seed=1)
    (account,) = service.get("/accounts").json["accounts"]
    with closing(psycopg2.connect(url)) as other, other.cursor() as changing:
        changing.execute(
            "UPDATE accounts SET arr = arr + 1, nps = 100 WHERE id = %s", (account["id"],)
        )  # takes the health row as well
        scorer = threading.Thread(
            target=lambda: Database(url).write(
                lambda s: recompute(s, after=0, limit=10, today=TODAY)
            )
        )
        scorer.start()
        while True:
            with sql.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock'"
                )
                if cursor.fetchone() == (1,):
                    break
        other.commit()
        scorer.join()
    with sql.cursor() as cursor:
        cursor.execute("SELECT component_points[9] FROM account_health")
        assert cursor.fetchall() == [(15,)]
