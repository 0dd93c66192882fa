"""Conditional requests: If-None-Match for reads, If-Match for updates."""

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
    """The path of an account."""
    assert service.post("/ingest/generate-mock", count=3, seed=1).status == 200
    return f"/accounts/{service.get('/accounts').json['accounts'][0]['id']}"


@pytest.fixture(params=["an account", *PORTFOLIO])
def read(request: pytest.FixtureRequest, path: str) -> str:
    return path if request.param == "an account" else request.param


def assert_not_modified(response: Response, etag: str) -> None:
    assert (response.status, response.text, response.headers["etag"]) == (304, "", etag)
    assert response.headers["x-request-id"]


def test_an_unchanged_representation_is_a_304(service: Api, read: str) -> None:
    first = service.get(read)
    etag = first.headers["etag"]
    assert etag.startswith('"' if read.startswith("/accounts") else 'W/"'), (
        "strong for an account, whose updates take If-Match"
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
        response = service.get(read, {"if-none-match": other})
        assert (response.status, response.headers["etag"]) == (200, etag)
        assert {**response.json, "as_of": ""} == {**first.json, "as_of": ""}


def test_a_changed_representation_has_a_new_etag(service: Api, read: str) -> None:
    etag = service.get(read).headers["etag"]
    for account in service.get("/accounts").json["accounts"]:
        change = {
            "arr": account["arr"] + 1000,
            "nps": -100,
            "active_users": 0,
            "renewal_date": (TODAY + timedelta(30)).isoformat(),
        }
        assert service.patch(f"/accounts/{account['id']}", change).status == 200
    response = service.get(read, {"if-none-match": etag})
    assert response.status == 200
    assert response.headers["etag"] != etag


def test_cors_allows_the_site_to_read_etags_and_send_conditions(service: Api, path: str) -> None:
    etag = service.get(path).headers["etag"]
    not_modified = service.get(path, {"origin": ORIGIN, "if-none-match": etag})
    assert not_modified.headers["access-control-allow-origin"] == ORIGIN
    preflight_headers = {"origin": ORIGIN, "access-control-request-method": "PATCH"}
    for wanted in (
        "content-type, idempotency-key, if-match, x-api-key, x-request-id",
        "If-Match",
        "if-none-match",
    ):
        preflight = service(
            "OPTIONS", path, {**preflight_headers, "access-control-request-headers": wanted}
        )
        assert preflight.status == 200, wanted
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert "PATCH" in preflight.headers["access-control-allow-methods"].split(", ")
        allowed = {
            name.lower() for name in preflight.headers["access-control-allow-headers"].split(", ")
        }
        assert {name.strip().lower() for name in wanted.split(",")} <= allowed
    for status in (200, 412):
        response = service.patch(path, {"nps": 1}, {"origin": ORIGIN, "if-match": etag})
        assert response.status == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert {"ETag", "Idempotent-Replayed", "Retry-After"} <= set(
            response.headers["access-control-expose-headers"].split(", ")
        )


def test_an_update_with_a_matching_if_match_succeeds_and_returns_the_new_etag(
    service: Api, path: str
) -> None:
    etag = service.get(path).headers["etag"]
    for nps, given in enumerate(("{}", '"other", {}', '"other",{} , W/"third"', "*")):
        response = service.patch(path, {"nps": nps}, {"if-match": given.format(etag)})
        assert (response.status, response.json["nps"]) == (200, nps)
        assert response.headers["etag"] != etag
        etag = response.headers["etag"]
        assert service.get(path).headers["etag"] == etag


@pytest.mark.parametrize("given", ['"other"', "W/{}", '"other", W/{}', "", "other", "{}x", "**"])
def test_an_update_with_another_if_match_is_a_412_and_changes_nothing(
    service: Api, path: str, given: str
) -> None:
    """If-Match compares strongly (RFC 9110, 13.1.1): a weak tag never matches."""
    before = service.get(path)
    response = service.patch(path, {"nps": 1}, {"if-match": given.format(before.headers["etag"])})
    assert (response.status, response.headers["content-type"]) == (412, "application/problem+json")
    assert "read it again" in response.json["detail"]
    after = service.get(path)
    assert (after.text, after.headers["etag"]) == (before.text, before.headers["etag"])


def test_a_condition_on_an_unknown_account_is_a_404(service: Api) -> None:
    for given in ("*", '"any"'):
        assert service.patch("/accounts/4711", {"nps": 1}, {"if-match": given}).status == 404


def test_of_two_concurrent_updates_with_the_same_etag_one_is_refused(
    service: Api, path: str, url: str, sql: connection
) -> None:
    seen = {"if-match": service.get(path).headers["etag"]}
    with (
        ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as environments,
        locked(url) as holder,
    ):
        changes = [environments.submit(update, url, path, nps, seen) for nps in (1, 2)]
        until_waiting(sql, 2)
        holder.rollback()
        responses = [change.result() for change in changes]
    assert sorted(response.status for response in responses) == [200, 412]
    (done,) = [response for response in responses if response.status == 200]
    assert service.get(path).text == done.text
    assert run(sql, "SELECT count(*) FROM accounts") == [(3,)]


def update(url: str, path: str, nps: int, headers: dict[str, str]) -> Response:
    service = api(url)
    response = service.patch(path, {"nps": nps}, headers)
    service.close()
    return response
