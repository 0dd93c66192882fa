"""For any portfolio, days that pass and writes between them: all that is shown is of today."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from service.clock import midnight
from service.queries import upkeep
from service.queries.scores import DRIFT, rescore
from service.scoring import Score
from service.scoring.score import rounded_score
from tests.service.lambda_api import Api, api
from tests.service.moved_clock import MovedClock, stored, what_if
from tests.service.uploads import upload

ZONES: Final = ("UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata")
BUCKETS: Final = ("Green", "Amber", "Red", "Unscored")
WINDOWS: Final = (1, 7, 30, 365)

columns = st.fixed_dictionaries({
    "arr": st.sampled_from([0, 1000, 250_000]),
    "nps": st.none() | st.integers(-100, 100),
    "active_users": st.none() | st.integers(0, 100),
    "tickets_last_30d": st.none() | st.integers(0, 40),
    "weekly_active_pct": st.none() | st.sampled_from([0, 0.5, 1]),
    "feature_x_adoption": st.none() | st.sampled_from([0, 0.5, 1]),
    "renewal_in": st.none() | st.integers(-5, 130),
    "reviewed_ago": st.none() | st.integers(-20, 150),
})  # fmt: skip
steps = st.one_of(
    st.tuples(st.just("days"), st.integers(1, 130)),
    st.tuples(st.just("hours"), st.integers(1, 30)),
    st.tuples(st.just("add"), columns),
    st.tuples(st.just("change"), st.integers(0, 9), columns),
    st.tuples(st.just("session"), st.integers(0, 9), st.sampled_from([5, 20, 40])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("read")),
    st.tuples(st.just("upkeep")),
)


class Portfolio:
    """A service in a time zone, and what a test does with it."""

    def __init__(self, url: str, zone: str, sql: connection, clock: MovedClock) -> None:
        self.zone = ZoneInfo(zone)
        self.service = api(url, time_zone=self.zone)
        self.sql, self.clock = sql, clock
        with sql.cursor() as statements:
            statements.execute("TRUNCATE accounts CASCADE")

    def today(self) -> date:
        return self.clock.today(self.zone)

    def ids(self) -> list[int]:
        return [one for (one,) in stored(self.sql, "SELECT id FROM accounts ORDER BY id")]

    def do(self, name: str, *given: Any) -> None:
        ids = self.ids()
        match name:
            case "days":
                self.clock.move(days=given[0])
            case "hours":
                self.clock.move(hours=given[0])
            case "add":
                self._add(given[0])
            case "read":
                assert self.service.get("/portfolio/metrics").status == 200
            case "upkeep":
                upkeep.run(self.service.database.write, self.zone, ends=float("inf"), wait=None)
            case _ if not ids:
                pass
            case "change":
                account = ids[given[0] % len(ids)]
                changed = self.service.patch(f"/accounts/{account}", self._dated(given[1]))
                assert changed.status == 200
            case "session":
                name = f"a{ids[given[0] % len(ids)]}"
                row = f"{name},7,SMB,{self.today()},{given[1]}"
                file = f"name,arr,segment,date,avg_session_min\n{row}\n"
                assert upload(self.service, file).status == 200
            case "delete":
                self.service("DELETE", f"/accounts/{ids[given[0] % len(ids)]}")

    def _dated(self, values: dict[str, Any]) -> dict[str, Any]:
        values = dict(values)
        renewal, review = values.pop("renewal_in"), values.pop("reviewed_ago")
        today = self.today()
        return values | {
            "renewal_date": None if renewal is None else f"{today + timedelta(days=renewal)}",
            "qbr_last_date": None if review is None else f"{today - timedelta(days=review)}",
        }

    def _add(self, values: dict[str, Any]) -> None:
        given = self._dated(values) | {"seats_purchased": 100, "segment": "SMB"}
        with self.sql.cursor() as statements:
            marks = ", ".join(["%s"] * len(given))
            statements.execute(
                f"BEGIN; INSERT INTO accounts ({', '.join(given)}, name) VALUES ({marks},"
                " 'a' || currval(pg_get_serial_sequence('accounts', 'id'))) RETURNING id",
                [*given.values()],
            )
            rescore(statements, [statements.fetchall()[0][0]], self.today())
            statements.execute("COMMIT")


@pytest.fixture(scope="module")
def clock(module_sql: connection) -> Iterator[MovedClock]:
    with pytest.MonkeyPatch.context() as patch:
        yield MovedClock(module_sql, patch)


@pytest.fixture(scope="module")
def module_sql(module_url: str) -> Iterator[connection]:
    with closing(psycopg2.connect(module_url)) as opened:
        opened.autocommit = True
        yield opened


KNOWN: Final[dict[str, Any]] = {
    "arr": 1000, "nps": 30, "active_users": 30, "tickets_last_30d": 2, "weekly_active_pct": 1,
    "feature_x_adoption": 1, "renewal_in": 62, "reviewed_ago": 0,
}  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(zone=st.sampled_from(ZONES), done=st.lists(steps, max_size=14), by_read=st.booleans())
@example(zone="UTC", done=[("add", KNOWN), ("days", 3)], by_read=True)
@example(
    zone="Asia/Kolkata",
    done=[("add", KNOWN), ("days", 39), ("change", 0, {**KNOWN, "nps": -100}), ("hours", 1)],
    by_read=False,
)
def test_everything_is_of_today(
    module_url: str, module_sql: connection, clock: MovedClock,
    zone: str, done: list[Any], by_read: bool,
) -> None:  # fmt: skip
    portfolio = Portfolio(module_url, zone, module_sql, clock)
    with closing(portfolio.service):
        for name, *given_values in done:
            portfolio.do(name, *given_values)
        portfolio.do("read" if by_read else "upkeep")
        today = portfolio.today()
        scores = {one: what_if(module_sql, one, today) for one in portfolio.ids()}
        check_stored(module_sql, scores)
        check_history(module_sql)
        check_shown(portfolio.service, module_sql, scores, today)
        for days in WINDOWS:
            check_movers(portfolio, days)


def check_stored(sql: connection, scores: dict[int, Score]) -> None:
    rows = stored(
        sql,
        "SELECT account_id, score, bucket, coverage, component_points, adjustments"
        " FROM account_health",
    )
    assert {row[0] for row in rows} == scores.keys()
    for account_id, score, bucket, coverage, points, adjustments in rows:
        expected = scores[account_id]
        assert (score, bucket, coverage, points, adjustments) == (
            pytest.approx(expected.value, abs=1e-9),
            expected.bucket,
            pytest.approx(expected.coverage),
            pytest.approx(list(expected.points)),
            pytest.approx(list(expected.adjustments), abs=1e-9),
        )


def check_history(sql: connection) -> None:
    """The newest snapshot is in the bucket of the score and near it, and each follows another."""
    for account_id, score, bucket, newest in stored(
        sql, "SELECT account_id, score, bucket, snapshot_score FROM account_health"
    ):
        snapshots = stored(
            sql,
            "SELECT score, risk_label, score_before FROM health_snapshots WHERE account_id = %s"
            " ORDER BY calculated_at, id",
            account_id,
        )
        assert snapshots[-1][:2] == (newest, bucket)
        assert score is None or abs(score - newest) < DRIFT
        for (earlier, *_), (_, _, in_force) in pairwise(snapshots):
            assert earlier in (None, in_force)


def check_shown(service: Api, sql: connection, scores: dict[int, Score], today: date) -> None:
    accounts = {
        one: (float(arr), due)
        for one, arr, due in stored(sql, "SELECT id, arr, renewal_date FROM accounts")
    }
    shown = {
        one: found.value if found.value is None else rounded_score(found.value)
        for one, found in scores.items()
    }
    page = service.get("/accounts", page_size=100, sort="-health_score").json
    assert {one["id"]: one["health_score"] for one in page["accounts"]} == shown
    listed = [one["health_score"] for one in page["accounts"] if one["health_score"] is not None]
    assert listed == sorted(listed, reverse=True)
    metrics = service.get("/portfolio/metrics").json
    attention = service.get("/portfolio/attention", limit=50).json
    renewals = service.get("/portfolio/renewals", days=730).json
    assert {one["scores_as_of"] for one in (page, metrics, attention, renewals)} == {f"{today}"}
    upcoming = timedelta()
    for bucket in BUCKETS:
        among = [one for one, found in scores.items() if (found.bucket or "Unscored") == bucket]
        assert service.get("/accounts", bucket=bucket).json["total"] == len(among)
        assert metrics["accounts_by_risk"][bucket] == len(among)
        assert metrics["arr_by_bucket"][bucket] == sum(accounts[one][0] for one in among)
        renewing = [
            one
            for one in among
            if (due := accounts[one][1]) and upcoming <= due - today <= timedelta(days=730)
        ]
        assert len(renewing) == sum(
            month["by_bucket"][bucket]["accounts"] for month in renewals["months"]
        )
    values = [found.value for found in scores.values() if found.value is not None]
    assert metrics["avg_health_score"] == (
        pytest.approx(sum(values) / len(values), abs=1e-5) if values else None
    )
    assert {one["id"]: one["health_score"] for one in attention["accounts"]} == {
        one: shown[one] for one, found in scores.items() if found.bucket in ("Amber", "Red")
    }


def check_movers(portfolio: Portfolio, days: int) -> None:
    since = midnight(portfolio.today() - timedelta(days=days), portfolio.zone)
    in_force: dict[int, float | None] = {}
    for account_id, at, score, first in stored(
        portfolio.sql,
        "SELECT account_id, calculated_at, score, score_before FROM health_snapshots"
        " ORDER BY calculated_at, id",
    ):
        if at <= since:
            in_force[account_id] = score
        elif in_force.get(account_id) is None:
            in_force[account_id] = first  # of its day, where that snapshot was thinned
    moves = {
        account_id: score - earlier
        for account_id, score in stored(
            portfolio.sql, "SELECT account_id, score FROM account_health"
        )
        if score is not None and (earlier := in_force[account_id]) is not None
    }
    found = portfolio.service.get("/portfolio/movers", days=days, limit=50).json
    changes = {one["id"]: one["change"] for one in (*found["down"], *found["up"])}
    expected = {one: change for one, change in moves.items() if abs(change) >= 0.05}
    assert {one: change for one, change in changes.items() if abs(change) >= 0.1} == {
        one: pytest.approx(change, abs=0.051)
        for one, change in expected.items()
        if one in changes and abs(changes[one]) >= 0.1
    }
    assert expected.keys() <= changes.keys()
