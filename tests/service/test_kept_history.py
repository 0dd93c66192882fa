"""Which snapshots are kept, how many there are after years, and that movers stay as they were."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extensions import connection, cursor

from service.database.connection import Database
from service.queries import upkeep
from service.queries.scores import rescore
from service.queries.upkeep import DAILY_DAYS, KEPT_DAYS
from tests.service.insights import add
from tests.service.lambda_api import Api, api
from tests.service.moved_clock import MovedClock, stored

ZONE: Final = ZoneInfo("America/New_York")
YEARS: Final = 2
Snapshot = tuple[int, int, datetime, float | None]
"""Id, account, time and score."""


@pytest.fixture
def clock(sql: connection, monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(sql, monkeypatch)


@pytest.fixture
def database(url: str, clock: MovedClock) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def run(database: Database) -> upkeep.Upkeep:
    return upkeep.run(database.write, ZONE, ends=float("inf"), wait=None)


def thin(database: Database, clock: MovedClock) -> int:
    """Thin all that is due. Returns the number of snapshots deleted."""
    work = partial(upkeep.thin_history, today=clock.today(ZONE), zone=ZONE)
    return sum(iter(lambda: database.write(work), None))  # pyright: ignore[reportArgumentType]


def invent(statements: cursor, clock: MovedClock, days: int) -> None:
    """Snapshots of three accounts at random times, several of some days, none of others."""
    draw = random.Random(8)
    for account in (1, 2, 3):
        statements.execute(
            "INSERT INTO accounts (id, name, arr, segment) VALUES (%s, %s, 1, 'SMB')",
            (account, f"a{account}"),
        )
        ago = sorted((draw.random() * days for _ in range(days)), reverse=True)
        before = None
        for days_ago in ago:
            score = draw.choice((None, *(draw.random() * 100 for _ in range(5))))
            statements.execute(
                "INSERT INTO health_snapshots (account_id, calculated_at, score, risk_label,"
                " coverage, component_values, component_points, adjustments, score_before)"
                " VALUES (%s, now() - make_interval(secs => %s), %s, %s, 0.5, '{}', '{}', '{}',"
                " %s)",
                (account, days_ago * 86400, score, None if score is None else "Red",
                 score if before is None else before),
            )  # fmt: skip
            before = score


def snapshots(sql: connection) -> list[Snapshot]:
    return stored(
        sql,
        "SELECT id, account_id, calculated_at, score FROM health_snapshots"
        " ORDER BY account_id, calculated_at, id",
    )


def kept(before: list[Snapshot], today: date) -> set[int]:
    """The snapshots that are kept: all, the last of a day, or the last of a week."""
    weekly = today - timedelta(days=DAILY_DAYS)
    weekly -= timedelta(days=weekly.weekday())
    last: dict[tuple[int, str], int] = {}
    for number, account, at, _ in before:
        day = at.astimezone(ZONE).date()
        period = f"{day - timedelta(days=day.weekday())} week" if day < weekly else f"{day}"
        own = day >= today - timedelta(days=KEPT_DAYS)
        last[account, str(number) if own else period] = number
    return set(last.values())


@pytest.mark.parametrize("batch", [2, upkeep.BATCH])
def test_a_week_keeps_all_then_days_keep_their_last_and_then_weeks(
    sql: connection, clock: MovedClock, database: Database, batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(upkeep, "BATCH", batch)
    with sql.cursor() as statements:
        invent(statements, clock, 500)
    before = snapshots(sql)
    deleted = 0
    for _ in range(8):
        deleted = thin(database, clock)
        assert {row[0] for row in snapshots(sql)} == kept(before, clock.today(ZONE))
        assert thin(database, clock) == 0
        clock.move(days=3, hours=7)
    assert deleted > 0


def test_thinning_keeps_the_score_in_force_at_every_midnight(
    sql: connection, clock: MovedClock, database: Database
) -> None:
    with sql.cursor() as statements:
        invent(statements, clock, 390)
        statements.execute("UPDATE account_health SET score = 50, bucket = 'Amber'")
    service = api(database._url, time_zone=ZONE)  # pyright: ignore[reportPrivateUsage]
    service.app.state.daily_scores.refresh = lambda _: None

    def moves(days: int) -> list[tuple[int, float]]:
        with sql.cursor() as statements:
            statements.execute("DELETE FROM computed_movers")
        found = service.get("/portfolio/movers", days=days).json
        return [(one["id"], one["change"]) for one in (*found["down"], *found["up"])]

    windows = (1, 7, 8, 9, 30, 39, 100, 364, 365)
    before = {days: moves(days) for days in windows}
    assert thin(database, clock) > 0
    assert {days: moves(days) for days in windows} == before
    assert any(before.values())
    service.close()


def test_time_alone_makes_a_snapshot_of_a_new_bucket_or_of_two_points(
    sql: connection, clock: MovedClock, database: Database
) -> None:
    account_id = add(sql, "Aging", qbr_last_date=clock.today(ZONE), nps=100)
    ((first, bucket),) = stored(sql, "SELECT score, bucket FROM account_health")
    scores, buckets = [first], [bucket]
    for _ in range(125):
        clock.move(days=1)
        run(database)
        ((score, bucket),) = stored(sql, "SELECT score, bucket FROM account_health")
        if abs(score - scores[-1]) >= 2 or bucket != buckets[-1]:
            scores.append(score)
            buckets.append(bucket)
    history = stored(
        sql,
        "SELECT score, risk_label FROM health_snapshots WHERE account_id = %s ORDER BY id",
        account_id,
    )
    assert history == list(zip(scores, buckets, strict=True))
    assert 2 < len(history) < 10


def test_two_years_of_an_account_are_a_bounded_number_of_rows_and_bytes(
    service: Api, sql: connection, clock: MovedClock, database: Database
) -> None:
    """One account is never written, one each week, and one twice a day."""
    quiet, weekly, busy = (
        add(sql, name, qbr_last_date=clock.today(ZONE)) for name in ("quiet", "weekly", "busy")
    )
    with sql.cursor() as statements:
        for day in range(365 * YEARS):
            clock.move(days=1)
            for account_id, writes in ((weekly, day % 7 == 0), (busy, 2)):
                for number in range(writes):
                    statements.execute(
                        "BEGIN; UPDATE accounts SET nps = %s WHERE id = %s",
                        (day % 97 - 3 * number, account_id),
                    )
                    rescore(statements, [account_id], clock.today(ZONE))
                    statements.execute("COMMIT")
            run(database)
        rows = dict(
            stored(sql, "SELECT account_id, count(*) FROM health_snapshots GROUP BY account_id")
        )
        statements.execute("VACUUM FULL health_snapshots")
        ((size,),) = stored(sql, "SELECT pg_total_relation_size('health_snapshots')")
    assert rows[quiet] <= 7
    assert rows[weekly] <= 52 * YEARS + 10
    weeks = (365 * YEARS - DAILY_DAYS) // 7 + 2
    assert rows[busy] <= 3 * KEPT_DAYS + DAILY_DAYS + weeks
    assert size / sum(rows.values()) < 1_000, "bytes of a snapshot with its indexes"


def test_a_fall_of_today_is_first_in_every_window_that_the_account_was_quiet_in(
    service: Api, sql: connection, clock: MovedClock
) -> None:
    healthy: dict[str, Any] = {
        "nps": 74, "active_users": 80, "seats_purchased": 80, "tickets_last_30d": 0,
        "critical_tickets_90d": 0, "weekly_active_pct": 1,
    }  # fmt: skip
    faller, riser = add(sql, "Faller", **healthy), add(sql, "Riser", nps=10)
    taken = service.get(f"/accounts/{faller}/health-history").json[0]
    clock.move(days=39)
    late = add(sql, "Late", nps=20)
    service.patch(f"/accounts/{riser}", {"nps": 40})
    service.patch(f"/accounts/{late}", {"nps": 19})
    service.patch(
        f"/accounts/{faller}",
        {"nps": -100, "active_users": 0, "tickets_last_30d": 30, "critical_tickets_90d": 5,
         "weekly_active_pct": 0.1},
    )  # fmt: skip
    score = service.get(f"/accounts/{faller}").json["health_score"]
    assert (taken["score"], score) == (96.5, 0.9)
    for days in (1, 7, 30, 38, 39, 40):
        found = service.get("/portfolio/movers", days=days).json
        assert [one["id"] for one in found["down"]] == [faller, late]
        assert [one["id"] for one in found["up"]] == [riser]
        fall = found["down"][0]
        assert (fall["from"], fall["to"], fall["change"]) == (96.5, 0.9, -95.6)
        assert fall["since"] == taken["calculated_at"]


def test_an_account_without_a_snapshot_in_the_window_has_moved_by_what_time_did(
    service: Api, sql: connection, clock: MovedClock
) -> None:
    account_id = add(sql, "Aging", qbr_last_date=clock.today())
    first = service.get(f"/accounts/{account_id}").json["health_score"]
    clock.move(days=20)
    now = service.get(f"/accounts/{account_id}").json["health_score"]
    assert 0.1 <= first - now < 2
    for days in (7, 30):
        (one,) = service.get("/portfolio/movers", days=days).json["down"]
        assert (one["from"], one["to"]) == (first, now)
