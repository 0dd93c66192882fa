"""API keys: missing, wrong, revoked, of too small a scope; and that nothing tells more than it should."""

import hashlib
import hmac
import json
from collections.abc import Iterator

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
    "an unknown id": {"x-api-key": "nobody.w-secret"},
    "no secret": {"x-api-key": "old"},
    "an empty secret": {"x-api-key": "old."},
    "the secret of another": {"x-api-key": "old.n-secret"},
    "the hash for the secret": {"x-api-key": f"old.{hashlib.sha256(b'w-secret').hexdigest()}"},
    "bytes beyond ASCII": {"x-api-key": "öld.w-secret"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_a_write_without_a_right_key_is_refused_with_one_and_the_same_answer(
    writes_protected: Api, headers: dict[str, str]
):
    path, query = SAMPLE
    answer = writes_protected.post(
        path, {**headers, "x-request-id": "same", "origin": ORIGIN}, **query
    )
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "ApiKey"
    assert answer.headers["access-control-allow-origin"] == ORIGIN, "the site can read why"
    assert answer.text == writes_protected.post(path, {"x-request-id": "same"}, **query).text
    assert writes_protected.get("/accounts").json["total"] == 0, "nothing was written"


def test_a_key_in_the_query_is_no_key(writes_protected: Api):
    path, query = SAMPLE
    assert writes_protected.post(path, **query, **{"X-API-Key": "old.w-secret"}).status == 401


def test_both_keys_of_a_rotating_pair_write(writes_protected: Api):
    for seed, key in enumerate(("old.w-secret", "new.n-secret")):
        assert (
            writes_protected.post(
                "/ingest/generate-mock", {"x-api-key": key}, count=1, seed=seed
            ).status
            == 200
        )


def test_a_key_that_may_read_may_not_write(all_protected: Api):
    path, query = SAMPLE
    assert all_protected.get("/accounts", {"x-api-key": "reader.r-secret"}).status == 200
    answer = all_protected.post(path, {"x-api-key": "reader.r-secret"}, **query)
    assert answer.status == 403
    assert answer.json["type"].endswith(":forbidden")


def test_reads_are_open_unless_they_are_protected(writes_protected: Api, all_protected: Api):
    assert writes_protected.get("/accounts").status == 200
    assert all_protected.get("/accounts").status == 401
    assert all_protected.get("/accounts", {"x-api-key": "old.w-secret"}).status == 200, (
        "write includes read"
    )


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready"])
def test_what_watches_the_service_needs_no_key(all_protected: Api, path: str):
    assert all_protected.get(path).status == 200


def test_preflights_need_no_key_and_admit_its_header(all_protected: Api):
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    answer = all_protected("OPTIONS", "/accounts", asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_an_unknown_id_takes_a_comparison_as_a_known_one_does(
    writes_protected: Api, monkeypatch: pytest.MonkeyPatch
):
    compared: list[int] = []
    original = hmac.compare_digest

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(len(left) + len(right))
        return original(left, right)

    monkeypatch.setattr(api_keys.hmac, "compare_digest", compare)
    path, query = SAMPLE
    for headers in ({"x-api-key": "nobody.w-secret"}, {"x-api-key": "old.wrong"}, {}):
        writes_protected.post(path, headers, **query)
    assert compared == [64, 64, 64]


def test_no_key_reaches_the_log(writes_protected: Api, capfd: pytest.CaptureFixture[str]):
    path, query = SAMPLE
    writes_protected.post(path, {"x-api-key": "old.w-secret"}, **query)
    writes_protected.post(path, {"x-api-key": "old.n-secret"}, **query)
    text = "".join(capfd.readouterr())
    assert json.loads(text.splitlines()[-1])["status"] == 401
    assert "secret" not in text
    assert API_KEYS.split(":")[2][:64] not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reader:read:w-secret", "entry 1 that is not id:scope:sha256"),
        (f"{entry('a', 'read', 's')},{entry('b', 'admin', 's')}", "entry 2"),
        (f"{entry('a', 'read', 's')},{entry('a', 'write', 't')}", "'a' was used before"),
    ],
)
def test_keys_that_are_set_wrongly_are_named_by_their_place_and_never_shown(text: str, said: str):
    with pytest.raises(SettingsError, match=said) as raised:
        Settings.from_environment({"API_KEYS": text})
    assert "w-secret" not in str(raised.value)
    with pytest.raises(SettingsError, match="API_KEYS_PROTECT_READS"):
        Settings.from_environment({"API_KEYS_PROTECT_READS": "yes"})
