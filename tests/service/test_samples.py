"""Sample accounts: the same for the same seed, and inserted all or none."""

import threading
from datetime import UTC, date, datetime, timedelta
from functools import partial
from statistics import fmean
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection

from service.database.connection import Database
from service.queries import samples as sample_queries
from service.queries.scores import rescore
from service.samples import generate
from service.samples.generate import DAYS
from service.schema.responses import Generated
from service.scoring import Inputs, score
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()
DAY = date(2026, 11, 23)
TABLES = {
    "accounts": "to_jsonb(t) - '{id,created_at,updated_at}'::text[]",
    "account_health": "to_jsonb(t) - '{account_id,calculated_at}'::text[]",
    "account_metrics_daily": "to_jsonb(t) - '{id,account_id}'::text[]",
    "health_snapshots": "to_jsonb(t) - '{id,account_id}'::text[] ||"
    " jsonb_build_object('calculated_at', calculated_at::date)",
}


def content(sql: connection) -> dict[str, list[str]]:
    """All rows, without what depends on when and where they were written."""
    found: dict[str, list[str]] = {}
    with sql.cursor() as cursor:
        for table, row in TABLES.items():
            cursor.execute(f"SELECT ({row})::text FROM {table} t ORDER BY 1")
            found[table] = [text for (text,) in cursor.fetchall()]
    return found


def counts(sql: connection) -> dict[str, int]:
    return {table: len(rows) for table, rows in content(sql).items()}


def one(sql: connection, statement: str) -> Any:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    return row and row[0]


def test_the_response_counts_what_was_added_and_names_the_seed(
    service: Api, sql: connection
) -> None:
    response = service.post("/ingest/generate-mock", count=3, seed=11)
    assert response.status == 200
    assert Generated.model_validate_json(
        response.text, strict=True, extra="forbid"
    ).model_dump() == {
        "message": "Added 3 sample accounts.",
        "accounts_created": 3,
        "accounts_updated": 0,
        "accounts_unchanged": 0,
        "metrics_created": 3 * DAYS,
        "metrics_updated": 0,
        "errors": [],
        "seed": 11,
    }
    assert counts(sql) == {
        "accounts": 3,
        "account_health": 3,
        "account_metrics_daily": 3 * DAYS,
        "health_snapshots": 3 * 26,
    }


def test_without_parameters_twenty_accounts_of_a_new_seed_are_added(service: Api) -> None:
    first, second = (
        service.post("/ingest/generate-mock").json,
        service.post("/ingest/generate-mock").json,
    )
    assert first["accounts_created"] == second["accounts_created"] == 20
    assert first["seed"] != second["seed"]
    assert service.get("/accounts").json["total"] == 40


def test_the_same_seed_makes_the_same_rows(service: Api, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=4, seed=5)
    first = content(sql)
    service.post("/ingest/generate-mock", count=4, seed=5, replace="true", confirm="replace-all")
    assert content(sql) == first


def test_a_seed_that_is_there_already_changes_nothing(service: Api, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=4, seed=5)
    before = content(sql)
    response = service.post("/ingest/generate-mock", count=4, seed=5).json
    assert (
        response["accounts_created"],
        response["accounts_unchanged"],
        response["metrics_created"],
    ) == (0, 4, 0)
    assert content(sql) == before


def test_an_account_of_the_same_name_is_never_overwritten(service: Api, sql: connection) -> None:
    name = generate(5, 1, TODAY)[0].name
    with sql.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (name, arr, segment) VALUES (%s, 42, 'SMB')", (name,))
    assert service.post("/ingest/generate-mock", count=2, seed=5).json["accounts_created"] == 1
    with sql.cursor() as cursor:
        cursor.execute("SELECT arr, nps FROM accounts WHERE name = %s", (name,))
        assert cursor.fetchall() == [(42, None)]


def test_replacing_needs_its_confirmation(service: Api, sql: connection) -> None:
    service.post("/ingest/generate-mock", count=2, seed=1)
    response = service.post("/ingest/generate-mock", count=1, seed=2, replace="true")
    assert (response.status, response.json["errors"][0]["loc"]) == (422, ["query", "confirm"])
    assert service.post("/ingest/generate-mock", replace="true", confirm="yes").status == 422
    assert counts(sql)["accounts"] == 2
    service.post("/ingest/generate-mock", count=1, seed=2, replace="true", confirm="replace-all")
    assert counts(sql)["accounts"] == 1


@pytest.mark.parametrize(
    "query",
    [{"count": 0}, {"count": 1001}, {"count": "x"}, {"seed": -1}, {"seed": 2**53}, {"sed": 1}],
)
def test_what_is_out_of_bounds_is_refused_before_anything_is_written(
    service: Api, sql: connection, query: dict[str, Any]
) -> None:
    assert service.post("/ingest/generate-mock", **query).status == 422
    assert counts(sql)["accounts"] == 0


def test_a_failure_in_the_last_step_leaves_nothing_behind(
    service: Api, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.post("/ingest/generate-mock", count=2, seed=1)
    before = content(sql)

    def fail(*_: Any) -> int:
        raise RuntimeError("in the last step")

    monkeypatch.setattr(sample_queries, "rescore", fail)
    response = service.post(
        "/ingest/generate-mock", count=3, seed=2, replace="true", confirm="replace-all"
    )
    assert response.status == 500
    assert "last step" not in response.text
    assert content(sql) == before
    monkeypatch.undo()
    assert service.post("/ingest/generate-mock", count=3, seed=2).status == 200


def test_two_at_once_with_one_seed_add_its_accounts_once(url: str, sql: connection) -> None:
    results: list[dict[str, Any]] = []

    def add() -> None:
        database = Database(url)
        results.append(
            database.write(
                partial(sample_queries.add, count=20, seed=9, replace=False, today=TODAY)
            )
        )
        database.close()

    together(add, add)
    assert sorted(result["accounts_created"] for result in results) == [0, 20]
    assert counts(sql) == {
        "accounts": 20,
        "account_health": 20,
        "account_metrics_daily": 20 * DAYS,
        "health_snapshots": 20 * 26,
    }


def test_two_that_replace_at_once_leave_the_accounts_of_one(
    url: str, service: Api, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=20, seed=1)

    def replace(seed: int) -> None:
        database = Database(url)
        database.write(partial(sample_queries.add, count=5, seed=seed, replace=True, today=TODAY))
        database.close()

    together(lambda: replace(2), lambda: replace(3))
    names = (
        {sample.name for sample in generate(2, 5, TODAY)},
        {sample.name for sample in generate(3, 5, TODAY)},
    )
    with sql.cursor() as cursor:
        cursor.execute("SELECT name FROM accounts")
        assert {name for (name,) in cursor.fetchall()} in names


def together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_the_stored_score_is_the_real_score_of_what_is_stored(sampled_sql: connection) -> None:
    with sampled_sql.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.arr, a.seats_purchased, a.active_users, a.feature_x_adoption,"
            " a.weekly_active_pct, a.time_to_value_days,"
            " a.tickets_last_30d, a.critical_tickets_90d, a.sla_breaches_90d, a.nps,"
            " a.qbr_last_date, a.onboarding_phase, a.renewal_date,"
            " a.expansion_oppty_dollar, h.score, h.bucket, h.coverage, h.component_points,"
            " h.adjustments"
            " FROM accounts a JOIN account_health h ON h.account_id = a.id"
        )
        for row in cursor.fetchall():
            (
                account_id,
                arr,
                seats,
                active,
                feature,
                weekly,
                value,
                tickets,
                critical,
                breaches,
                nps,
                reviewed,
                phase,
                renewal,
                offer,
            ) = row[:15]
            cursor.execute(
                "SELECT avg_session_min FROM account_metrics_daily"
                " WHERE account_id = %s ORDER BY date DESC LIMIT 30",
                (account_id,),
            )
            minutes = [daily for (daily,) in cursor.fetchall() if daily is not None]
            expected = score(
                Inputs(
                    arr=float(arr),
                    seats_purchased=seats,
                    active_users=active,
                    feature_x_adoption=feature,
                    weekly_active_pct=weekly,
                    session_minutes=sum(minutes) / len(minutes) if minutes else None,
                    time_to_value_days=value,
                    tickets_last_30d=tickets,
                    critical_tickets_90d=critical,
                    sla_breaches_90d=breaches,
                    nps=nps,
                    days_since_review=reviewed and (TODAY - reviewed).days,
                    onboarding_phase=phase,
                    days_to_renewal=(renewal - TODAY).days,
                    expansion_oppty_dollar=float(offer),
                )
            )
            stored, bucket, coverage, points, adjustments = row[15:]
            assert (bucket, coverage) == (expected.bucket, expected.coverage)
            assert stored == (
                None if expected.value is None else pytest.approx(expected.value, abs=1e-9)
            )
            assert points == [
                None if earned is None else pytest.approx(earned, abs=1e-9)
                for earned in expected.points
            ]
            assert adjustments == pytest.approx(list(expected.adjustments), abs=1e-9)


def test_scoring_again_on_the_same_day_keeps_no_second_snapshot(
    url: str, service: Api, sql: connection
) -> None:
    service.post("/ingest/generate-mock", count=3, seed=4)
    before = content(sql)
    ids = [account["id"] for account in service.get("/accounts").json["accounts"]]
    database = Database(url)
    assert database.write(lambda statements: rescore(statements, ids, TODAY)) == 0
    with sql.cursor() as cursor:
        cursor.execute("UPDATE accounts SET nps = -100 WHERE id = %s", (ids[0],))
    assert database.write(lambda statements: rescore(statements, ids, TODAY)) == 1
    database.close()
    assert counts(sql)["health_snapshots"] == len(before["health_snapshots"]) + 1


def test_the_newest_snapshot_is_the_present_score(sampled_sql: connection) -> None:
    differing = one(
        sampled_sql,
        "SELECT count(*) FROM account_health h JOIN LATERAL (SELECT *"
        " FROM health_snapshots s WHERE s.account_id = h.account_id"
        " ORDER BY calculated_at DESC LIMIT 1) s ON true WHERE s.score IS DISTINCT FROM h.score"
        " OR s.risk_label IS DISTINCT FROM h.bucket",
    )
    assert differing == 0


def test_a_smaller_count_is_the_beginning_of_a_larger_one() -> None:
    few, many = generate(8, 5, DAY), generate(8, 40, DAY)
    assert [sample.account() for sample in few] == [sample.account() for sample in many[:5]]
    assert few[0].days() == many[0].days()


def test_a_thousand_accounts_have_names_of_their_own_that_another_seed_does_not_use() -> None:
    first = {sample.name for sample in generate(1, 1000, DAY)}
    second = {sample.name for sample in generate(2, 1000, DAY)}
    assert len(first) == len(second) == 1000
    assert len(first & second) <= 2


def test_the_samples_show_every_bucket_and_every_segment() -> None:
    samples = generate(1, 200, DAY)
    buckets = {list(sample.past_scores(sample.days()))[-1][1].bucket for sample in samples}
    assert buckets == {"Green", "Amber", "Red", None}
    assert {sample.size.segment for sample in samples} == {"SMB", "Mid-Market", "Enterprise"}


def test_a_history_is_half_a_year_of_days_busier_in_the_week_than_at_its_end() -> None:
    sample = max(generate(1, 50, DAY), key=lambda sample: sample.seats)
    days = sample.days()
    assert [day.date for day in days] == [DAY - timedelta(days=ago) for ago in range(DAYS, 0, -1)]
    weekend = [day.logins for day in days if day.date.weekday() >= 5]
    week = [day.logins for day in days if day.date.weekday() < 5]
    assert fmean(weekend) < fmean(week) / 2


def test_a_bad_row_makes_the_whole_write_fail(url: str, sql: connection) -> None:
    database = Database(url)

    def work(statements: Any) -> None:
        statements.execute("INSERT INTO accounts (name, arr, segment) VALUES ('good', 1, 'SMB')")
        statements.execute("INSERT INTO accounts (name, arr, segment) VALUES ('bad', 'NaN', 'SMB')")

    with pytest.raises(psycopg2.errors.CheckViolation):
        database.write(work)
    database.close()
    assert counts(sql)["accounts"] == 0
