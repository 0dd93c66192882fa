"""The Lambda handler and the outer middleware: events, headers, logs, deadline."""

import asyncio
import json
import re
from typing import Any

import pytest
from psycopg2.extensions import connection
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service import handler as lambda_module
from tests.service.lambda_api import Api, api, event

MINIMAL = {
    "version": "2.0",
    "requestContext": {
        "http": {"method": "GET", "path": "/", "sourceIp": "192.0.2.1"},
        "timeEpoch": 0,
    },
}


@pytest.fixture
def alone() -> Api:
    """The function without a database."""
    return api()


def log_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_root_returns_name_version_and_stage_without_a_database(alone: Api) -> None:
    response = alone.get("/")
    assert response.status == 200
    assert response.json == {
        "status": "healthy",
        "service": "ai-success-insights",
        "version": "abc123",
        "stage": "test",
    }


@pytest.mark.parametrize("path", ["/", "/health/live"])
def test_a_head_has_the_headers_of_a_get_and_no_body(alone: Api, path: str) -> None:
    head, get = alone("HEAD", path), alone.get(path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.text))


def test_without_a_database_the_service_is_alive_but_not_ready(alone: Api) -> None:
    assert (alone.get("/health/live").status, alone.get("/health/live").json) == (
        200,
        {"status": "alive"},
    )
    assert alone.get("/health/ready").status == 503


def test_the_service_is_ready_when_the_database_responds(service: Api) -> None:
    assert (service.get("/health/ready").status, service.get("/health/ready").json) == (
        200,
        {"status": "ready"},
    )
    assert service("HEAD", "/health/ready").status == 200


def test_keep_warm_and_the_root_open_no_connection(service: Api, sql: connection) -> None:
    assert service.handler({"source": "keep-warm"}, None) == {"warm": True}
    service.get("/")
    with sql.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    "unknown",
    [
        {},
        [],
        None,
        "text",
        7,
        {"Records": []},
        {"version": "1.0", "requestContext": {}},
        {"source": "aws.events"},
        {"version": "2.0", "requestContext": None},
        {"version": "2.0", "requestContext": []},
        {"version": "2.0", "requestContext": {"http": None}},
        {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
        {"version": "2.0", "requestContext": {"http": {"method": "GET", "path": 1}}},
        {**MINIMAL, "headers": []},
        {**MINIMAL, "body": {}},
    ],
)
def test_an_unsupported_event_fails_the_invocation(alone: Api, unknown: Any) -> None:
    with pytest.raises(
        ValueError, match=r"takes payload-2\.0 events of an HTTP API, keep-warm and health events"
    ):
        alone.handler(unknown, None)


def test_the_handler_works_with_an_empty_environment() -> None:
    assert lambda_module.handler(event("GET", "/"), None)["statusCode"] == 200


@pytest.mark.parametrize(
    "host", ["[::1]:3000", "localhost:port", "a:b:c", "", "é.example", "host:80:90", "\ud800"]
)
def test_a_host_that_mangum_cannot_parse_does_not_fail_the_invocation(
    alone: Api, host: str
) -> None:
    assert alone.get("/", {"host": host}).status == 200


@pytest.mark.parametrize(
    "odd",
    [
        {"x-forwarded-port": "many"},
        {"x-odd": "\ud800"},
        {"\udfff": "value"},
        {"x-unicode": "Zoë Ω"},
        {"cookie": "a=\ud800"},
        {"content-type": "application/json; charset=\ud800"},
    ],
    ids=str,
)
def test_headers_that_cannot_be_encoded_do_not_fail_the_invocation(
    alone: Api, odd: dict[str, str]
) -> None:
    assert alone.get("/", odd).status == 200


@pytest.mark.parametrize(
    "more",
    [
        {"headers": None},
        {"rawQueryString": "\ud800=1"},
        {"cookies": ["\ud800"]},
        {"body": "\ud800"},
        {"body": None},
        {},
    ],
    ids=str,
)
def test_an_event_with_missing_or_odd_fields_does_not_fail_the_invocation(
    alone: Api, more: dict[str, Any]
) -> None:
    assert alone.handler({**MINIMAL, **more}, None)["statusCode"] in {200, 422}


@pytest.mark.parametrize(
    "path",
    [
        "/\ud800",
        "/a%2Fb",
        "/accounts/../accounts/1",
        "//",
        "/" + "x" * 8000,
        "/accounts/%00",
        "/;p",
    ],
)
def test_odd_paths_are_a_404_or_422_and_never_a_500(alone: Api, path: str) -> None:
    response = alone.get(path)
    assert response.status in {404, 422}
    assert response.json["instance"].isascii()


def test_every_response_has_a_request_id_and_its_duration(alone: Api) -> None:
    for path in ("/", "/nowhere"):
        headers = alone.get(path).headers
        assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])
        assert re.fullmatch(r"\d+\.\d{3}", headers["x-process-time"])


def test_a_valid_request_id_is_used_and_an_invalid_one_replaced(alone: Api) -> None:
    assert (
        alone.get("/", {"X-Request-ID": "abc-123_4.5:6"}).headers["x-request-id"] == "abc-123_4.5:6"
    )
    for invalid in ("", "a b", "x" * 129, "a\r\nSet-Cookie: b", "é", '"', "a,b"):
        assert re.fullmatch(
            r"[0-9a-f]{32}", alone.get("/", {"X-Request-ID": invalid}).headers["x-request-id"]
        )


def test_a_request_is_logged_as_one_json_line_without_names_or_queries(
    sampled: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    sampled.get("/accounts", {"x-request-id": "known"}, q="confidential")
    sampled.get("/accounts/123456")
    sampled.get("/nowhere/confidential")
    lines = log_lines(capsys.readouterr().out)
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/accounts", 200),
        ("GET", "/accounts/{account_id}", 404),
        ("GET", None, 404),
    ]
    assert lines[0]["request_id"] == "known"
    assert lines[0]["cold_start"] is False
    assert lines[0]["duration_ms"] > 0
    assert "confidential" not in json.dumps(lines)


def test_the_first_request_of_an_environment_is_logged_as_a_cold_start(
    alone: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    alone.get("/")
    alone.get("/")
    assert [line["cold_start"] for line in log_lines(capsys.readouterr().out)] == [True, False]


async def linger(request: Request) -> JSONResponse:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return JSONResponse({})


async def fail(request: Request) -> JSONResponse:
    raise RuntimeError("password=hunter2 of customer Acme")


@pytest.fixture
def odd_routes(alone: Api) -> Api:
    """The function with a slow route and one that fails."""
    alone.app.router.routes += [Route("/linger", linger), Route("/fail", fail)]
    return alone


def test_the_deadline_counts_from_when_the_gateway_accepted_the_request(odd_routes: Api) -> None:
    late = odd_routes("GET", "/linger", age=24.8, seconds=5)
    assert late.status == 503
    assert late.headers["retry-after"].isdecimal()
    assert float(late.headers["x-process-time"]) < 2
    assert odd_routes("GET", "/linger", age=10, seconds=0).status == 200


class Context:
    """A Lambda context with this many milliseconds left."""

    def __init__(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def test_the_service_responds_before_the_timeout_of_a_shorter_function(odd_routes: Api) -> None:
    short = odd_routes.handler(event("GET", "/linger", "seconds=3"), Context(700))
    assert (short["statusCode"], short["headers"]["content-type"]) == (
        503,
        "application/problem+json",
    )
    assert (
        odd_routes.handler(event("GET", "/linger", "seconds=0.01"), Context(29_000))["statusCode"]
        == 200
    )


@pytest.mark.parametrize("age", [-3600, 3600, 31])
def test_an_event_with_an_impossible_timestamp_gets_the_full_time(
    odd_routes: Api, age: float
) -> None:
    assert odd_routes("GET", "/linger", age=age, seconds=0.01).status == 200


def test_a_request_after_its_deadline_is_refused_at_once(sampled: Api) -> None:
    assert sampled("GET", "/accounts", age=26).status == 503


def test_an_unhandled_error_is_logged_by_class_and_location_and_hidden_from_the_client(
    odd_routes: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    response = odd_routes.get("/fail")
    assert (response.status, response.headers["content-type"]) == (500, "application/problem+json")
    logged = log_lines(capsys.readouterr().out)
    assert logged[0]["message"] == "unhandled error"
    assert logged[0]["exception"][0] == "builtins.RuntimeError"
    assert any("fail" in line for line in logged[0]["exception"])
    for secret in ("hunter2", "Acme"):
        assert secret not in response.text + json.dumps(logged)
