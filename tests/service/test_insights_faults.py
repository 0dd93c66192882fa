"""With a model that is down, slow or wrong, every insight is by rule and in time.

A circuit breaker protects the endpoint.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.insights import breaker as breaker_module
from service.insights.breaker import FAILURES, OPEN_SECONDS, Breaker
from service.insights.failure import InsightError
from service.insights.model import RESERVE_SECONDS, Model
from service.insights.subject import Subject
from tests.service.insights import KEY, add, asking, insight, reasons
from tests.service.lambda_api import Api
from tests.support.stand_in_openai import ACCOUNT, StandInOpenAI, says, stand_in_openai

SHORT = 1.0
"""Seconds for a model that never finishes; far below the guard of the whole test."""


@pytest.fixture
def openai() -> Iterator[StandInOpenAI]:
    with stand_in_openai() as started:
        yield started


@pytest.fixture
def account_id(sql: connection) -> int:
    return add(sql, "Kestrel")


def ask(function: Api, account_id: int, source: str) -> Any:
    return insight(function.post(f"/insights/account/{account_id}"), source)


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, {"error": {"message": "Unknown parameter"}}, "application/json", "refused_request"),
        (
            401,
            {"error": {"message": f"Incorrect API key provided: {KEY}"}},
            "application/json",
            "unauthorized",
        ),
        (403, {}, "application/json", "unauthorized"),
        (404, "<html>", "text/html", "refused_request"),
        (429, {"error": {"message": "Rate limit"}}, "application/json", "rate_limited"),
        (500, "", "text/plain", "server_error"),
        (503, {"error": None}, "application/json", "server_error"),
        (200, '{"choices": [', "application/json", "invalid_response"),
        (200, "<html>", "text/html", "invalid_response"),
        (200, "", "application/json", "invalid_response"),
        (200, "null", "application/json", "invalid_response"),
        (200, "[]", "application/json", "invalid_response"),
        (200, {"choices": []}, "application/json", "invalid_response"),
        (200, {"choices": [{"message": "text"}]}, "application/json", "invalid_response"),
        (200, {"error": {"message": "no"}}, "application/json", "invalid_response"),
    ],
)
def test_a_failure_gives_an_insight_by_rule_and_one_log_line_with_its_reason(
    url: str, account_id: int, openai: StandInOpenAI, capsys: pytest.CaptureFixture[str],
    status: int, body: Any, kind: str, reason: str,
) -> None:  # fmt: skip
    openai.status, openai.body, openai.kind = status, body, kind
    with asking(url, openai) as function:
        response = function.post(f"/insights/account/{account_id}", {"x-request-id": "mine"})
    insight(response, "rules")
    assert len(openai.requests) == 1, "no hidden second try"
    output = capsys.readouterr()
    (line,) = (
        parsed
        for parsed in map(json.loads, output.out.splitlines())
        if parsed["message"] == "insight by rule"
    )
    assert (line["reason"], line["request_id"], line["level"]) == (reason, "mine", "WARNING")
    assert line["status"] == (None if status == 200 else status)
    assert not any(
        secret in text for secret in (KEY, "Kestrel") for text in (output.out, output.err)
    )
    assert KEY not in response.text


@pytest.mark.parametrize("fault", ["drip", "silent"])
def test_neither_a_slow_drip_nor_silence_outlasts_the_deadline(
    url: str, account_id: int, openai: StandInOpenAI, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    setattr(openai, fault, True)
    with asking(url, openai, openai_seconds=SHORT) as function:
        ask(function, account_id, "rules")
    assert reasons(capsys) == ["timeout"]
    assert len(openai.requests) == 1
    assert not openai.closed.is_set(), "it would have gone on"
    if fault == "drip":
        assert openai.disconnected.wait(30), "the connection is let go"


def test_an_endpoint_that_does_not_exist_gives_an_insight_by_rule(
    url: str, account_id: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_in_openai() as gone:
        pass
    with asking(url, gone) as function:
        ask(function, account_id, "rules")
    assert reasons(capsys) == ["unreachable"]


def test_fifty_requests_to_an_endpoint_that_is_down_reach_it_at_most_five_times(
    url: str, account_id: int, openai: StandInOpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    openai.status = 503
    with asking(url, openai) as function:
        for number in range(50):
            path = f"/insights/account/{account_id}" if number % 2 else "/insights/portfolio"
            insight(function.post(path), "rules")
    assert len(openai.requests) == FAILURES <= 5
    assert reasons(capsys) == ["server_error"] * FAILURES + ["circuit_open"] * (50 - FAILURES)


def test_another_environment_has_a_breaker_of_its_own(
    url: str, account_id: int, openai: StandInOpenAI
) -> None:
    openai.status = 503
    with asking(url, openai) as function:
        for _ in range(FAILURES + 1):
            ask(function, account_id, "rules")
    openai.status = 200
    with asking(url, openai) as other:
        ask(other, account_id, "model")


def test_the_breaker_tries_once_after_a_while_and_closes_when_that_succeeds() -> None:
    now = 1000.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    now += OPEN_SECONDS - 0.01
    assert not breaker.allows()
    now += 0.02
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now += OPEN_SECONDS
    assert breaker.allows()
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(10))
    breaker.failed()
    assert breaker.allows(), "only failures in a row count"


@pytest.mark.parametrize("takes", [0.0, 10.0])
def test_in_any_thirty_seconds_at_most_five_questions_reach_an_endpoint_that_is_down(
    takes: float,
) -> None:
    now, asked = 0.0, list[float]()
    breaker = Breaker(lambda: now)
    while now < 300:
        if breaker.allows():
            asked.append(now)
            now += takes
            breaker.failed()
        now += 0.5
    assert len(asked) > 8, "it is tried again and again"
    assert max(sum(start <= then < start + 30 for then in asked) for start in asked) <= 5


def test_a_clock_that_is_set_back_does_not_keep_the_breaker_open() -> None:
    now = 1e9
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES):
        breaker.failed()
    now -= 3600
    assert breaker.allows()


def test_no_connection_is_held_and_no_transaction_is_open_while_the_model_is_asked(
    url: str, account_id: int, sql: connection, openai: StandInOpenAI
) -> None:
    seen = list[list[Any]]()

    def look() -> None:
        with sql.cursor() as cursor:
            cursor.execute(
                "SELECT state, xact_start, (SELECT count(*) FROM pg_locks l"
                " WHERE l.pid = a.pid) FROM pg_stat_activity a"
                " WHERE application_name = 'ai-success-insights' AND datname = current_database()"
            )
            seen.append(cursor.fetchall())

    openai.on_request = look
    with asking(url, openai) as function:
        ask(function, account_id, "model")
        openai.body = says({**ACCOUNT, "summary": 1})
        insight(function.post("/insights/portfolio"), "rules")
    assert seen == [[("idle", None, 0)]] * 2, "one connection, which a pooler may give to others"


def test_a_request_that_is_late_already_does_not_ask(
    url: str, account_id: int, openai: StandInOpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    with asking(url, openai) as function:
        insight(
            function("POST", f"/insights/account/{account_id}", age=25 - RESERVE_SECONDS + 0.5),
            "rules",
        )
    assert (openai.requests, reasons(capsys)) == ([], ["no_time"])


SUBJECT = Subject(
    kind="account",
    head={},
    instructions="",
    data="{}",
    placeholders={"account_name": "a", "health_score": "1", "known_share": "1%", "arr": "$1"},
    account_texts=(),
    rules={},
)


def test_the_model_gets_no_more_time_than_the_request_has(openai: StandInOpenAI) -> None:
    openai.silent = True
    model = Model(key=KEY, name="gpt-5-mini", base_url=openai.url, seconds=300)
    with asyncio.Runner() as runner, pytest.raises(InsightError, match="timeout"):
        runner.run(model.ask(SUBJECT, remaining=RESERVE_SECONDS + SHORT))


class SlowImport:
    """Delays the import of the model's client, as a small function does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def find_spec(self, name: str, *_: object) -> None:
        if name == "service.insights.client":
            time.sleep(self._seconds)


@pytest.fixture
def slow_import(monkeypatch: pytest.MonkeyPatch) -> None:
    import service.insights
    import service.insights.client

    monkeypatch.delattr(service.insights, "client")
    monkeypatch.delitem(sys.modules, "service.insights.client")
    monkeypatch.setattr(sys, "meta_path", [SlowImport(1.5 * SHORT), *sys.meta_path])


@pytest.mark.usefixtures("slow_import")
def test_the_models_own_seconds_begin_after_the_import_of_its_client(openai: StandInOpenAI) -> None:
    model = Model(key=KEY, name="gpt-5-mini", base_url=openai.url, seconds=SHORT)
    with asyncio.Runner() as runner:
        content = runner.run(model.ask(SUBJECT, remaining=30))
    assert content["summary"] == "a stands at 1."


@pytest.mark.usefixtures("slow_import")
@pytest.mark.parametrize(("left", "reason"), [(SHORT, "no_time"), (2 * SHORT, "timeout")])
def test_an_import_that_takes_the_models_time_does_not_count_for_the_breaker(
    openai: StandInOpenAI, monkeypatch: pytest.MonkeyPatch, left: float, reason: str
) -> None:
    monkeypatch.setattr(breaker_module, "FAILURES", 1)
    openai.silent = True
    model = Model(key=KEY, name="gpt-5-mini", base_url=openai.url, seconds=60)
    with asyncio.Runner() as runner:
        with pytest.raises(InsightError, match=reason):
            runner.run(model.ask(SUBJECT, remaining=RESERVE_SECONDS + left))
        for expected in ("timeout", "circuit_open"):  # now the client is imported
            with pytest.raises(InsightError, match=expected):
                runner.run(model.ask(SUBJECT, remaining=RESERVE_SECONDS + SHORT))
