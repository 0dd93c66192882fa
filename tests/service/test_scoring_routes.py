"""`GET /scoring` and `POST /scoring/what-if`."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.schema.requests import WhatIf
from service.schema.responses.scoring import Scoring, WhatIfScore
from service.scoring import rules
from service.scoring.score import rounded_score
from tests.service.lambda_api import Api, Response, api

TODAY = datetime.now(UTC).date()
WORKED: dict[str, Any] = {
    "arr": 120_000,
    "seats_purchased": 100,
    "active_users": 80,
    "feature_x_adoption": 0.5,
    "weekly_active_pct": 0.6,
    "time_to_value_days": 30,
    "tickets_last_30d": 3,
    "critical_tickets_90d": 1,
    "sla_breaches_90d": 0,
    "nps": 40,
    "qbr_last_date": (TODAY - timedelta(days=30)).isoformat(),
    "onboarding_phase": False,
}
"""The example by hand that the interface gives: 75.6432."""


def what_if(body: Any) -> Response:
    return api().post("/scoring/what-if", body=body if isinstance(body, str) else json.dumps(body))


def supposed(body: Any) -> WhatIfScore:
    response = what_if(body)
    assert response.status == 200, response.text
    return WhatIfScore.model_validate_json(response.text, strict=True, extra="forbid")


def test_the_scheme_is_the_table_of_constants() -> None:
    response = api().get("/scoring")
    found = Scoring.model_validate_json(response.text, strict=True, extra="forbid")
    assert [(group.name, group.max) for group in found.groups] == [
        ("Adoption", 35), ("Engagement", 20), ("Support", 20), ("Advocacy", 15), ("Process", 10),
    ]  # fmt: skip
    components = [
        (group.name, component.code, component.best, component.worst)
        for group in found.groups
        for component in group.components
    ]
    assert components == [
        (component.group, component.code, component.best, component.worst)
        for component in rules.COMPONENTS
    ]
    assert [adjustment.code for adjustment in found.adjustments] == [
        adjustment.code for adjustment in rules.ADJUSTMENTS
    ]
    assert [(bucket.name, bucket.min) for bucket in found.buckets] == [
        ("Green", 75),
        ("Amber", 50),
        ("Red", 0),
    ]
    assert found.coverage_min == 0.3


def test_the_worked_example_has_its_score_and_factors_that_sum_to_it() -> None:
    found = supposed(WORKED)
    assert (found.score, found.bucket, found.coverage) == (75.6, "Green", 0.9)
    assert sum(factor.contribution for factor in found.factors) == pytest.approx(75.6432, abs=1e-4)
    assert len(found.factors) == 11


def test_nothing_known_gives_no_score() -> None:
    found = supposed({})
    assert (found.score, found.bucket, found.coverage) == (None, None, 0)
    assert supposed({**dict.fromkeys(WORKED), "arr": 0}) == found


def test_days_count_from_today() -> None:
    idle = {**WORKED, "active_users": 40, "expansion_oppty_dollar": 60_000}
    near = supposed({**idle, "renewal_date": (TODAY + timedelta(days=60)).isoformat()})
    later = supposed({**idle, "renewal_date": (TODAY + timedelta(days=61)).isoformat()})
    assert near.score == pytest.approx((later.score or 0) - 5)
    assert {factor.code for factor in near.factors} - {factor.code for factor in later.factors} == {
        "renewal_pressure"
    }
    ahead = supposed({"qbr_last_date": "9999-12-31", "avg_session_min": 40, "nps": 100})
    assert ahead.score == 100, "a review that is planned counts as one of today"


def test_a_stored_account_would_be_scored_as_it_is(sampled: Api, sampled_sql: connection) -> None:
    compared = 0
    for listed in sampled.get("/accounts", page_size=60).json["accounts"]:
        account = sampled.get(f"/accounts/{listed['id']}").json
        with sampled_sql.cursor() as cursor:
            cursor.execute(
                "SELECT avg(avg_session_min) FROM (SELECT avg_session_min"
                " FROM account_metrics_daily WHERE account_id = %s"
                " ORDER BY date DESC LIMIT 30) d",
                (listed["id"],),
            )
            (minutes,) = cursor.fetchone() or (None,)
        body = {name: account[name] for name in WhatIf.model_fields if name != "avg_session_min"}
        found = supposed({**body, "avg_session_min": minutes})
        assert (found.score, found.bucket) == (account["health_score"], account["health_bucket"])
        stored = {
            factor["code"]: factor["contribution"] for factor in account["latest_health_factors"]
        }
        assert {factor.code: factor.contribution for factor in found.factors} == pytest.approx(
            stored, abs=1e-9
        )
        compared += 1
    assert compared == 60


def test_one_decimal_is_rounded_as_the_database_rounds_it(sampled_sql: connection) -> None:
    values = [
        75.25,
        74.95,
        0.05,
        0.15,
        61.349999999999994,
        99.95,
        1e-300,
        100.0,
        *[number / 40 for number in range(4000)],
    ]
    with sampled_sql.cursor() as cursor:
        cursor.execute(
            "SELECT round(value::numeric, 1)::double precision FROM unnest(%s::double precision[])"
            " value",
            (values,),
        )
        assert [rounded_score(value) for value in values] == [
            rounded for (rounded,) in cursor.fetchall()
        ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arr", -0.01),
        ("arr", 10**12 + 1),
        ("arr", None),
        ("arr", True),
        ("arr", "1000"),
        ("expansion_oppty_dollar", -1),
        ("seats_purchased", 0),
        ("seats_purchased", 2**31),
        ("seats_purchased", 1.5),
        ("active_users", -1),
        ("active_users", 10**400),
        ("active_users", True),
        ("feature_x_adoption", 1.01),
        ("feature_x_adoption", -0.01),
        ("weekly_active_pct", 45),
        ("avg_session_min", -1),
        ("avg_session_min", 1441),
        ("time_to_value_days", -1),
        ("tickets_last_30d", 2**63),
        ("critical_tickets_90d", -1),
        ("sla_breaches_90d", "2"),
        ("nps", 101),
        ("nps", -101),
        ("onboarding_phase", "yes"),
        ("onboarding_phase", 1),
        ("renewal_date", "31/12/2026"),
        ("renewal_date", "10000-01-01"),
        ("renewal_date", 20000),
        ("qbr_last_date", "hunter2"),
        ("qbr_last_date", "\u0000"),
        ("health_score", 90),
        ("days_to_renewal", 3),
    ],
)
def test_what_is_out_of_bounds_or_unknown_is_refused_by_its_name(field: str, value: Any) -> None:
    response = what_if({**WORKED, field: value})
    assert response.status == 422, response.text
    assert {tuple(error["loc"]) for error in response.json["errors"]} == {("body", field)}
    assert "hunter2" not in response.text


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert supposed('{"nps": 40.0, "tickets_last_30d": 3e0}') == supposed(
        {"nps": 40, "tickets_last_30d": 3}
    )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", ["arr", "feature_x_adoption", "avg_session_min", "nps"])
def test_what_is_no_finite_number_is_refused_and_not_repeated(field: str, number: str) -> None:
    response = what_if(f'{{"{field}": {number}}}')
    assert response.status == 422, response.text
    assert number not in response.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "nothing",
        '{"nps": 1',
        '{"nps": "\\ud800"}',
        '{"a":' * 3000,
        '{"\\ud800": 1}',
        "{}{}",
    ],
)
def test_what_is_no_object_is_refused(body: str) -> None:
    response = what_if(body)
    assert response.status == 422, response.text
    assert response.json["errors"][0]["loc"][0] == "body"


def test_of_many_errors_a_hundred_are_listed() -> None:
    response = what_if({f"field_{number}": 1 for number in range(5000)})
    assert (response.status, len(response.json["errors"])) == (422, 100)


def test_nothing_is_stored_and_no_scope_to_write_is_needed(sampled_url: str) -> None:
    import hashlib

    from service.settings import ApiKey

    reader = {"reader": ApiKey(scope="read", digest=hashlib.sha256(b"secret").digest())}
    function = api(sampled_url, api_keys=reader, api_keys_protect_reads=True)
    key = {"x-api-key": "reader.secret"}
    for path, body in (("/scoring/what-if", "{}"), ("/actions/recommend", '["nps"]')):
        assert function.post(path, body=body).status == 401
        assert function.post(path, key, body=body).status == 200
    assert function.post("/insights/portfolio", key).status == 403, "this one costs money"
    function.close()
