"""ETags: what a client has already is not sent again, and a change is bound to what was seen."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection

from tests.service.database_faults import locked, run, until_waiting
from tests.service.lambda_api import ORIGIN, Api, Response, api

TODAY = datetime.now(UTC).date()
PORTFOLIO = (
    "/portfolio/metrics",
    "/portfolio/summary",
    "/portfolio/attention",
    "/portfolio/renewals",
    "/portfolio/movers",
)


@pytest.fixture
def path(service: Api) -> str:
    """Of one account."""
    assert service.post("/ingest/generate-mock", count=3, seed=1).status == 200
    return f"/accounts/{service.get('/accounts').json['accounts'][0]['id']}"


@pytest.fixture(params=["an account", *PORTFOLIO])
def read(request: pytest.FixtureRequest, path: str) -> str:
    return path if request.param == "an account" else request.param


def assert_not_modified(answer: Response, etag: str) -> None:
    assert (answer.status, answer.text, answer.headers["etag"]) == (304, "", etag)
    assert answer.headers["x-request-id"]


def test_what_has_not_changed_is_not_sent_again(service: Api, read: str) -> None:
    first = service.get(read)
    etag = first.headers["etag"]
    assert etag.startswith('"' if read.startswith("/accounts") else 'W/"'), (
        "strong for an account, which changes are bound to"
    )
    opaque = etag.removeprefix("W/")
    for given in (
        etag,
        opaque,
        f"W/{opaque}",
        f'"other", {etag}',
        f'W/"other",{opaque} ,"third"',
        "*",
    ):
        assert_not_modified(service.get(read, {"if-none-match": given}), etag)
    for other in ('"other"', opaque.strip('"'), opaque[:-2] + '"', 'W/"other", "third"', ","):
        answer = service.get(read, {"if-none-match": other})
        assert (answer.status, answer.headers["etag"]) == (200, etag)
        assert {**answer.json, "as_of": ""} == {**first.json, "as_of": ""}


def test_what_has_changed_is_sent_with_a_new_etag(service: Api, read: str) -> None:
    etag = service.get(read).headers["etag"]
    for account in service.get("/accounts").json["accounts"]:
        change = {
            "arr": account["arr"] + 1000,
            "nps": -100,
            "active_users": 0,
            "renewal_date": (TODAY + timedelta(30)).isoformat(),
        }
        assert service.patch(f"/accounts/{account['id']}", change).status == 200
    answer = service.get(read, {"if-none-match": etag})
    assert answer.status == 200
    assert answer.headers["etag"] != etag


def test_the_site_can_read_etags_and_sends_them_with_a_change(service: Api, path: str) -> None:
    etag = service.get(path).headers["etag"]
    not_modified = service.get(path, {"origin": ORIGIN, "if-none-match": etag})
    assert not_modified.headers["access-control-allow-origin"] == ORIGIN
    asked = {"origin": ORIGIN, "access-control-request-method": "PATCH"}
    for wanted in (
        "content-type, idempotency-key, if-match, x-api-key, x-request-id",
        "If-Match",
        "if-none-match",
    ):
        preflight = service("OPTIONS", path, {**asked, "access-control-request-headers": wanted})
        assert preflight.status == 200, wanted
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert "PATCH" in preflight.headers["access-control-allow-methods"].split(", ")
        allowed = {
            name.lower() for name in preflight.headers["access-control-allow-headers"].split(", ")
        }
        assert {name.strip().lower() for name in wanted.split(",")} <= allowed
    for status in (200, 412):
        answer = service.patch(path, {"nps": 1}, {"origin": ORIGIN, "if-match": etag})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert {"ETag", "Idempotent-Replayed", "Retry-After"} <= set(
            answer.headers["access-control-expose-headers"].split(", ")
        )


def test_a_change_that_is_bound_to_what_the_account_is_goes_through_and_tells_its_new_etag(
    service: Api, path: str
) -> None:
    etag = service.get(path).headers["etag"]
    for nps, given in enumerate(("{}", '"other", {}', '"other",{} , W/"third"', "*")):
        answer = service.patch(path, {"nps": nps}, {"if-match": given.format(etag)})
        assert (answer.status, answer.json["nps"]) == (200, nps)
        assert answer.headers["etag"] != etag
        etag = answer.headers["etag"]
        assert service.get(path).headers["etag"] == etag


@pytest.mark.parametrize("given", ['"other"', "W/{}", '"other", W/{}', "", "other", "{}x", "**"])
def test_a_change_that_is_bound_to_something_else_is_refused_and_nothing_changes(
    service: Api, path: str, given: str
) -> None:
    """A weak tag matches nothing here: If-Match compares strongly, RFC 9110 13.1.1."""
    before = service.get(path)
    answer = service.patch(path, {"nps": 1}, {"if-match": given.format(before.headers["etag"])})
    assert (answer.status, answer.headers["content-type"]) == (412, "application/problem+json")
    assert "read it again" in answer.json["detail"]
    after = service.get(path)
    assert (after.text, after.headers["etag"]) == (before.text, before.headers["etag"])


def test_a_condition_on_an_account_that_is_not_there_is_a_404(service: Api) -> None:
    for given in ("*", '"any"'):
        assert service.patch("/accounts/4711", {"nps": 1}, {"if-match": given}).status == 404


def test_of_two_changes_at_once_that_saw_the_same_one_is_refused(
    service: Api, path: str, url: str, sql: connection
) -> None:
    seen = {"if-match": service.get(path).headers["etag"]}
    with (
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as environments,
        locked(url) as holder,
    ):
        changes = [environments.submit(changed, url, path, nps, seen) for nps in (1, 2)]
        until_waiting(sql, 2)
        holder.rollback()
        answers = [change.result() for change in changes]
    assert sorted(answer.status for answer in answers) == [200, 412]
    (done,) = [answer for answer in answers if answer.status == 200]
    assert service.get(path).text == done.text
    assert run(sql, "SELECT count(*) FROM accounts") == [(3,)]


def changed(url: str, path: str, nps: int, headers: dict[str, str]) -> Response:
    service = api(url)
    answer = service.patch(path, {"nps": nps}, headers)
    service.close()
    return answer
