"""Scores are of today: by the upkeep function, or by the first read of a day."""

import json
import threading
from contextlib import closing
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from psycopg2.extensions import connection

from service import upkeep as function
from service.database.connection import Database
from service.errors import UnavailableError
from service.http import daily_scores
from service.queries import scores_day, upkeep
from service.queries.scores import rescore
from tests.service.insights import add
from tests.service.lambda_api import Api, api
from tests.service.moved_clock import MovedClock, stored, what_if

SCORED_PATHS: Final = (
    "/accounts/1",
    "/portfolio/metrics",
    "/portfolio/summary",
    "/portfolio/attention",
    "/portfolio/renewals",
    "/portfolio/movers",
)
BEST: Final[dict[str, Any]] = {
    "feature_x_adoption": 1, "weekly_active_pct": 1, "time_to_value_days": 7,
    "tickets_last_30d": 0, "critical_tickets_90d": 0, "sla_breaches_90d": 0,
    "onboarding_phase": False, "active_users": 30, "seats_purchased": 100,
}  # fmt: skip


@pytest.fixture
def clock(sql: connection, monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(sql, monkeypatch)


@pytest.fixture
def invoke(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Invokes the upkeep function."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(function, "WAIT_SECONDS", 0.01)
    return lambda: function.handler({"source": "upkeep"}, None)


def shown(service: Api, account_id: int) -> tuple[float, str]:
    account = service.get(f"/accounts/{account_id}").json
    return account["health_score"], account["health_bucket"]


def of_day(service: Api) -> set[str]:
    """The days that all replies with scores say."""
    paths = ("/accounts", *SCORED_PATHS)
    days = {service.get(path).json["scores_as_of"] for path in paths}
    posts = ("/insights/portfolio", "/insights/account/1")
    return days | {service.post(path).json["scores_as_of"] for path in posts}


@pytest.mark.parametrize("by_function", [True, False])
@pytest.mark.parametrize(
    ("columns", "minutes", "days", "before", "after"),
    [
        ({"nps": 24, "renewal_in": 62}, None, 3, (78.1, "Green"), (73.0, "Amber")),
        ({"nps": 24, "renewal_in": 1}, None, 3, (73.1, "Amber"), (78.0, "Green")),
        ({"nps": -14}, 40, 90, (77.5, "Green"), (73.7, "Amber")),
    ],
)
def test_a_score_changes_with_the_date_alone(
    service: Api, sql: connection, clock: MovedClock, invoke: Any, by_function: bool,
    columns: dict[str, Any], minutes: float | None, days: int, before: Any, after: Any,
) -> None:  # fmt: skip
    given = {**BEST, **columns, "qbr_last_date": clock.today()}
    if "renewal_in" in given:
        given["renewal_date"] = clock.today() + timedelta(days=given.pop("renewal_in"))
    account_id = add(sql, "Aged", **given)
    with sql.cursor() as cursor:
        if minutes is not None:
            cursor.execute(
                "INSERT INTO account_metrics_daily (account_id, date, avg_session_min)"
                " VALUES (%s, current_date, %s)",
                (account_id, minutes),
            )
            cursor.execute("BEGIN")
            rescore(cursor, [account_id], clock.today())
            cursor.execute("COMMIT")
    assert shown(service, account_id) == before
    etags = {path: service.get(path).headers["etag"] for path in SCORED_PATHS}
    clock.move(days=days)
    if by_function:
        assert invoke()["finished"]
    for path, etag in etags.items():
        assert service.get(path, {"if-none-match": etag}).status == 200, path
    assert shown(service, account_id) == after
    assert of_day(service) == {clock.today().isoformat()}
    expected = what_if(sql, account_id, clock.today())
    ((value, points, adjustments),) = stored(
        sql, "SELECT score, component_points, adjustments FROM account_health"
    )
    assert value == pytest.approx(expected.value)
    assert (points, adjustments) == (
        pytest.approx(list(expected.points)),
        pytest.approx(list(expected.adjustments)),
    )
    at_risk = after[1] != "Green"
    listed = service.get("/portfolio/attention").json["accounts"]
    assert [account["health_score"] for account in listed] == ([after[0]] if at_risk else [])
    assert service.get("/accounts", bucket=after[1]).json["total"] == 1
    metrics = service.get("/portfolio/metrics").json
    assert metrics["at_risk_arr"] == (50_000 if at_risk else 0)
    assert metrics["median_health_score"] == pytest.approx(expected.value)


@pytest.mark.parametrize("days", [30, 90])
def test_the_sums_of_a_portfolio_are_those_of_the_new_day(
    service: Api, sql: connection, clock: MovedClock, invoke: Any, days: int
) -> None:
    service.post("/ingest/generate-mock", count=80, seed=3)
    clock.move(days=days)
    done = invoke()
    assert (done["accounts"], done["finished"]) == (80, True)
    accounts = stored(sql, "SELECT id, arr::double precision FROM accounts")
    scores = {account_id: what_if(sql, account_id, clock.today()) for account_id, _ in accounts}
    metrics = service.get("/portfolio/metrics").json
    assert metrics["at_risk_arr"] == pytest.approx(
        sum(arr for one, arr in accounts if scores[one].bucket in ("Amber", "Red"))
    )
    known = [found.value for found in scores.values() if found.value is not None]
    assert metrics["avg_health_score"] == pytest.approx(sum(known) / len(known), abs=1e-5)
    assert invoke()["accounts"] == 0


def test_an_upkeep_that_was_killed_is_continued_with_the_next_largest_arr(
    service: Api, sql: connection, clock: MovedClock, invoke: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=10, seed=3)
    clock.move(days=40)
    monkeypatch.setattr(upkeep, "AT_ONCE", 3)
    database = Database(service.app.state.settings.database_url)
    for _ in range(2):
        database.write(lambda statements: upkeep.score_slice(statements, today=clock.today()))
    database.close()
    by_arr = [one for (one,) in stored(sql, "SELECT id FROM accounts ORDER BY arr DESC, id DESC")]
    rescored = stored(
        sql,
        "SELECT account_id FROM account_health WHERE calculated_at > pg_catalog.now() + '1 day'",
    )
    assert set() < {one for (one,) in rescored} <= set(by_arr[:6])
    monkeypatch.setattr(daily_scores, "MAX_ACCOUNTS", 0)
    assert of_day(service) == {(clock.today() - timedelta(days=40)).isoformat()}
    done = invoke()
    assert (done["accounts"], done["finished"]) == (4, True)
    for account_id, value in stored(sql, "SELECT account_id, score FROM account_health"):
        assert value == pytest.approx(what_if(sql, account_id, clock.today()).value)


def test_two_at_once_take_turns(
    service: Api, sql: connection, clock: MovedClock, invoke: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=30, seed=3)
    clock.move(days=40)
    monkeypatch.setattr(upkeep, "AT_ONCE", 4)
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(invoke())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [done["finished"] for done in results] == [True] * 3
    assert sum(done["accounts"] for done in results) == 30
    for account_id, value in stored(sql, "SELECT account_id, score FROM account_health"):
        assert value == pytest.approx(what_if(sql, account_id, clock.today()).value)


def test_others_do_not_wait_for_the_one_that_does_it(
    service: Api, sql: connection, clock: MovedClock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(sql, "One")
    clock.move(days=1)
    before = (clock.today() - timedelta(days=1)).isoformat()
    with closing(psycopg2.connect(url)) as busy, busy.cursor() as cursor:
        upkeep.score_slice(cursor, today=clock.today())
        assert service.get("/portfolio/metrics").json["scores_as_of"] == before
        busy.rollback()
    monkeypatch.setattr(daily_scores, "RETRY_SECONDS", 0)
    other = api(url)
    assert other.get("/portfolio/metrics").json["scores_as_of"] == clock.today().isoformat()
    other.close()


def test_a_read_succeeds_with_the_older_day_while_a_writer_has_the_rows_or_upkeep_fails(
    service: Api, sql: connection, clock: MovedClock, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(sql, "One")
    clock.move(days=1)
    before = (clock.today() - timedelta(days=1)).isoformat()
    with closing(psycopg2.connect(url)) as writer, writer.cursor() as cursor:
        cursor.execute("SELECT FROM account_health FOR NO KEY UPDATE")
        assert service.get("/portfolio/metrics").json["scores_as_of"] == before
        writer.rollback()

    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("no")

    monkeypatch.setattr(daily_scores, "RETRY_SECONDS", 0)
    monkeypatch.setattr(upkeep, "run", fail)
    other = api(url)
    assert other.get("/accounts").json["scores_as_of"] == before
    other.close()


def test_a_portfolio_that_is_too_large_for_a_read_is_left_to_the_function(
    service: Api, sql: connection, clock: MovedClock, invoke: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(sql, "One")
    add(sql, "Two")
    monkeypatch.setattr(daily_scores, "MAX_ACCOUNTS", 1)
    day = clock.today()
    clock.move(days=1)
    assert of_day(service) == {day.isoformat()}
    assert invoke()["finished"]
    assert of_day(service) == {clock.today().isoformat()}


def test_a_read_asks_for_the_day_once_a_day(
    service: Api, sql: connection, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(sql, "One")
    asked: list[int] = []
    ask = scores_day.scores_day
    monkeypatch.setattr(scores_day, "scores_day", lambda db: (asked.append(1), ask(db))[1])
    for _ in range(3):
        of_day(service)
    assert len(asked) == 1
    clock.move(days=1)
    for _ in range(3):
        of_day(service)
    assert len(asked) == 2


def test_a_write_that_began_before_midnight_does_not_bring_yesterday_back(
    service: Api, sql: connection, clock: MovedClock, invoke: Any
) -> None:
    yesterday = clock.today()
    account_id = add(sql, "One", qbr_last_date=yesterday - timedelta(days=10))
    clock.move(days=1)
    invoke()
    with sql.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE accounts SET nps = 50")
        rescore(cursor, [account_id], yesterday)
        cursor.execute("COMMIT")
    ((value,),) = stored(sql, "SELECT score FROM account_health")
    assert value == pytest.approx(what_if(sql, account_id, clock.today()).value)


@pytest.mark.parametrize("by_function", [True, False])
def test_a_time_zone_further_west_brings_the_scores_back_a_day(
    service: Api, sql: connection, clock: MovedClock, url: str, by_function: bool
) -> None:
    add(sql, "One", qbr_last_date=clock.today() - timedelta(days=10), nps=20)
    clock.move(days=1)
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        zone = ZoneInfo(name)
        function_in_zone = api(url, time_zone=zone)
        if by_function:
            write = function_in_zone.database.write
            assert upkeep.run(write, zone, ends=float("inf"), wait=None).finished
        assert of_day(function_in_zone) == {clock.today(zone).isoformat()}
        function_in_zone.close()
        ((account_id, value),) = stored(sql, "SELECT account_id, score FROM account_health")
        assert value == pytest.approx(what_if(sql, account_id, clock.today(zone)).value)


def test_what_is_old_is_forgotten(
    service: Api, sql: connection, clock: MovedClock, invoke: Any
) -> None:
    for number in range(3):
        service.post("/health/recompute", {"idempotency-key": str(number)})
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO imports DEFAULT VALUES")
        cursor.execute(
            "INSERT INTO import_changes (import_id, account_id, after)"
            " SELECT id, 1, '' FROM imports"
        )
    service.get("/portfolio/movers", days=7)
    clock.move(hours=23)
    assert invoke()["forgotten"] == 0
    assert counts(sql)[:2] == (3, 1)
    clock.move(hours=25)
    assert invoke()["forgotten"] == 4
    assert counts(sql) == (0, 0, 0)


def counts(sql: connection) -> tuple[int, int, int]:
    (found,) = stored(
        sql,
        "SELECT (SELECT count(*) FROM idempotency_records), (SELECT count(*) FROM import_changes),"
        " (SELECT count(*) FROM computed_movers)",
    )
    return found


def test_the_summary_is_returned_and_logged(
    invoke: Any, clock: MovedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.move(days=1)
    done = invoke()
    assert done == {
        "day": clock.today().isoformat(), "accounts": 0, "changed": 0, "snapshots": 0,
        "thinned": 0, "forgotten": 0, "scored": True, "finished": True, "seconds": done["seconds"],
    }  # fmt: skip
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line | done == line
    assert (line["message"], line["level"]) == ("upkeep", "INFO")


def test_an_invocation_without_time_is_continued_by_the_next(
    service: Api, clock: MovedClock, invoke: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=10, seed=3)
    clock.move(days=1)
    monkeypatch.setattr(upkeep, "AT_ONCE", 4)
    monkeypatch.setattr(function, "SECONDS", 0)
    done = [invoke() for _ in range(3)]
    assert [one["accounts"] for one in done] == [4, 4, 2]
    monkeypatch.undo()


@pytest.mark.parametrize("event", [{}, {"source": "health"}, [], None])
def test_another_event_is_refused(event: Any) -> None:
    with pytest.raises(ValueError, match="upkeep"):
        function.handler(event, None)


def test_a_database_that_cannot_be_reached_is_an_error_without_the_url(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:secret@localhost:{free_port}/db")
    monkeypatch.setattr(function, "ATTEMPTS", 1)
    with pytest.raises(function.UpkeepFailedError) as raised:
        function.handler({"source": "upkeep"}, None)
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__
