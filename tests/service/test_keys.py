"""API keys: missing, invalid, revoked, or without the scope; and what responses reveal."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from service.http import api_keys
from service.settings import Settings, SettingsError
from tests.service.lambda_api import ORIGIN, Api, api


def entry(name: str, scope: str, secret: str) -> str:
    return f"{name}:{scope}:{hashlib.sha256(secret.encode()).hexdigest()}"


API_KEYS = ",".join(
    [
        entry("reader", "read", "r-secret"),
        entry("old", "write", "w-secret"),
        entry("new", "write", "n-secret"),
    ]
)
SAMPLE = ("/ingest/generate-mock", {"count": 1, "seed": 1})


def protected(url: str, *, reads: bool = False) -> Iterator[Api]:
    found = Settings.from_environment(
        {"API_KEYS": API_KEYS, "API_KEYS_PROTECT_READS": "true" if reads else ""}
    )
    service = api(url, api_keys=found.api_keys, api_keys_protect_reads=found.api_keys_protect_reads)
    try:
        yield service
    finally:
        service.close()


@pytest.fixture
def writes_protected(url: str) -> Iterator[Api]:
    yield from protected(url)


@pytest.fixture
def all_protected(url: str) -> Iterator[Api]:
    yield from protected(url, reads=True)


WRONG = {
    "no key": {},
    "another secret": {"x-api-key": "old.wrong"},
    "an unknown id": {"x-api-key": "unknown.w-secret"},
    "no secret": {"x-api-key": "old"},
    "an empty secret": {"x-api-key": "old."},
    "the secret of another": {"x-api-key": "old.n-secret"},
    "the hash for the secret": {"x-api-key": f"old.{hashlib.sha256(b'w-secret').hexdigest()}"},
    "bytes beyond ASCII": {"x-api-key": "öld.w-secret"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_a_write_without_a_valid_key_always_gets_the_same_response(
    writes_protected: Api, headers: dict[str, str]
):
    path, query = SAMPLE
    response = writes_protected.post(
        path, {**headers, "x-request-id": "same", "origin": ORIGIN}, **query
    )
    assert response.status == 401
    assert response.headers["www-authenticate"] == "ApiKey"
    assert response.headers["access-control-allow-origin"] == ORIGIN, "the site can read the error"
    assert response.text == writes_protected.post(path, {"x-request-id": "same"}, **query).text
    assert writes_protected.get("/accounts").json["total"] == 0, "nothing was written"


def test_a_key_in_the_query_is_ignored(writes_protected: Api):
    path, sample = SAMPLE
    query: dict[str, Any] = {**sample, "X-API-Key": "old.w-secret"}
    assert writes_protected.post(path, **query).status == 401


def test_old_and_new_key_are_valid_during_a_rotation(writes_protected: Api):
    for seed, key in enumerate(("old.w-secret", "new.n-secret")):
        assert (
            writes_protected.post(
                "/ingest/generate-mock", {"x-api-key": key}, count=1, seed=seed
            ).status
            == 200
        )


def test_a_key_with_the_scope_read_cannot_write(all_protected: Api):
    path, query = SAMPLE
    assert all_protected.get("/accounts", {"x-api-key": "reader.r-secret"}).status == 200
    response = all_protected.post(path, {"x-api-key": "reader.r-secret"}, **query)
    assert response.status == 403
    assert response.json["type"].endswith(":forbidden")


def test_reads_are_open_unless_they_are_protected(writes_protected: Api, all_protected: Api):
    assert writes_protected.get("/accounts").status == 200
    assert all_protected.get("/accounts").status == 401
    assert all_protected.get("/accounts", {"x-api-key": "old.w-secret"}).status == 200, (
        "write includes read"
    )


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready"])
def test_health_checks_need_no_key(all_protected: Api, path: str):
    assert all_protected.get(path).status == 200


def test_preflights_need_no_key_and_allow_its_header(all_protected: Api):
    headers = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    response = all_protected("OPTIONS", "/accounts", headers)
    assert response.status == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_an_unknown_key_id_takes_the_same_comparison_as_a_known_one(
    writes_protected: Api, monkeypatch: pytest.MonkeyPatch
):
    compared: list[int] = []
    original = hmac.compare_digest

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(len(left) + len(right))
        return original(left, right)

    monkeypatch.setattr(api_keys.hmac, "compare_digest", compare)
    path, query = SAMPLE
    for headers in ({"x-api-key": "unknown.w-secret"}, {"x-api-key": "old.wrong"}, {}):
        writes_protected.post(path, headers, **query)
    assert compared == [64, 64, 64]


def test_no_key_is_logged(writes_protected: Api, capfd: pytest.CaptureFixture[str]):
    path, query = SAMPLE
    writes_protected.post(path, {"x-api-key": "old.w-secret"}, **query)
    writes_protected.post(path, {"x-api-key": "old.n-secret"}, **query)
    text = "".join(capfd.readouterr())
    assert json.loads(text.splitlines()[-1])["status"] == 401
    assert "secret" not in text
    assert API_KEYS.split(":")[2][:64] not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader:read:w-secret", "entry 1 that is not id:scope:sha256"),
        (f"{entry('a', 'read', 's')},{entry('b', 'admin', 's')}", "entry 2"),
        (
            f"{entry('a', 'read', 's')},{entry('a', 'write', 't')}",
            "entry 2 with the id of an earlier one",
        ),
    ],
)
def test_an_invalid_entry_of_api_keys_is_named_by_position_and_not_shown(text: str, message: str):
    with pytest.raises(SettingsError, match=message) as raised:
        Settings.from_environment({"API_KEYS": text})
    assert "w-secret" not in str(raised.value)
    with pytest.raises(SettingsError, match="API_KEYS_PROTECT_READS"):
        Settings.from_environment({"API_KEYS_PROTECT_READS": "yes"})
