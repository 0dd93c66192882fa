"""The portfolio's numbers, against the same ones counted from the accounts one by one."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import fmean, median
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.schema.responses.portfolio import PortfolioMetrics
from tests.service.lambda_api import Api

TODAY = datetime.now(UTC).date()
EMPTY_BY_BUCKET = {"Green": 0, "Amber": 0, "Red": 0, "Unscored": 0}


def rows(sql: connection) -> list[dict[str, Any]]:
    with sql.cursor() as cursor:
        cursor.execute(
            "SELECT a.*, h.score, h.bucket FROM accounts a JOIN account_health h"
            " ON h.account_id = a.id"
        )
        columns = [column.name for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def known(values: list[Any]) -> list[float]:
    return [float(value) for value in values if value is not None]


def naive(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    buckets = {
        name: [account for account in accounts if (account["bucket"] or "Unscored") == name]
        for name in EMPTY_BY_BUCKET
    }
    arr = {
        name: float(sum((account["arr"] for account in found), Decimal()))
        for name, found in buckets.items()
    }
    scores = known([account["score"] for account in accounts])
    uses = [
        min(account["active_users"] / account["seats_purchased"], 1)
        for account in accounts
        if account["active_users"] is not None and account["seats_purchased"] is not None
    ]
    renewals = known(
        [
            (account["renewal_date"] - TODAY).days if account["renewal_date"] else None
            for account in accounts
        ]
    )
    features = known([account["feature_x_adoption"] for account in accounts])
    return {
        "total_accounts": len(accounts),
        "total_arr": sum(arr.values()),
        "arr_by_bucket": arr,
        "arr_by_segment": {
            segment: float(
                sum(
                    (account["arr"] for account in accounts if account["segment"] == segment),
                    Decimal(),
                )
            )
            for segment in ("SMB", "Mid-Market", "Enterprise")
        },
        "accounts_by_risk": {name: len(found) for name, found in buckets.items()},
        "risk_breakdown": {
            name: 100 * len(found) / len(accounts) if accounts else 0
            for name, found in buckets.items()
        },
        "avg_health_score": fmean(scores) if scores else None,
        "median_health_score": median(scores) if scores else None,
        "avg_adoption_ratio": fmean(uses) if uses else None,
        "avg_feature_adoption": fmean(features) if features else None,
        "total_tickets_30d": sum(known([account["tickets_last_30d"] for account in accounts])),
        "total_critical_90d": sum(known([account["critical_tickets_90d"] for account in accounts])),
        "renewals_next_60d": sum(0 <= days <= 60 for days in renewals),
        "at_risk_arr": arr["Amber"] + arr["Red"],
        "red_arr": arr["Red"],
        "amber_arr": arr["Amber"],
    }


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == [*expected, "scores_as_of", "as_of"]
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value, abs=1e-6) if value is not None else None), name


def test_the_numbers_of_samples_are_those_of_a_naive_count(
    sampled: Api, sampled_sql: connection
) -> None:
    response = sampled.get("/portfolio/metrics")
    assert response.status == 200
    PortfolioMetrics.model_validate_json(response.text, strict=True, extra="forbid")
    assert_equal(response.json, naive(rows(sampled_sql)))


def test_an_account_half_known_counts_only_where_it_is_known(service: Api, sql: connection) -> None:
    with sql.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts (name, arr, segment, active_users, seats_purchased,"
            " feature_x_adoption, renewal_date, tickets_last_30d)"
            " VALUES ('a', 0.1, 'SMB', 30, 10, 0.25, %(last)s, 2147483647), ('b', 0.2, 'SMB', 5,"
            " NULL, NULL, %(after)s, 2147483647),"
            " ('c', 1000000000000, 'Enterprise', NULL, 10, 1, %(today)s, NULL), ('d', 7,"
            " 'Mid-Market', 1, 4, NULL, NULL, 0)",
            {"today": TODAY, "last": TODAY + timedelta(60), "after": TODAY + timedelta(61)},
        )
        cursor.execute(
            "UPDATE account_health SET score = 50, bucket = 'Amber' WHERE account_id <>"
            " (SELECT max(id) FROM accounts)"
        )
        cursor.execute(
            "UPDATE account_health SET score = 74.96, bucket = 'Amber' WHERE account_id ="
            " (SELECT min(id) FROM accounts)"
        )
    found = service.get("/portfolio/metrics").json
    assert_equal(found, naive(rows(sql)))
    assert (found["avg_adoption_ratio"], found["total_arr"], found["renewals_next_60d"]) == (
        0.625,
        1_000_000_000_007.3,
        2,
    )


def test_an_empty_portfolio_has_zeros_and_no_averages(service: Api) -> None:
    found = service.get("/portfolio/metrics").json
    assert_equal(found, naive([]))
    assert found["accounts_by_risk"] == EMPTY_BY_BUCKET


def test_the_summary_is_the_same_response_under_another_path(sampled: Api) -> None:
    metrics, summary = (
        sampled.get("/portfolio/metrics").json,
        sampled.get("/portfolio/summary").json,
    )
    assert {**metrics, "as_of": ""} == {**summary, "as_of": ""}


def test_the_timestamp_is_in_utc(sampled: Api) -> None:
    timestamp = sampled.get("/portfolio/metrics").json["as_of"]
    assert timestamp.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(timestamp)) < timedelta(minutes=1)
    assert date.fromisoformat(timestamp[:10]) == datetime.fromisoformat(timestamp).date()
