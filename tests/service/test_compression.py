"""Compressed responses: when, how, and that ETags stay valid."""

import base64
import gzip
import json
from typing import Any

import pytest

from service.http.compression import THRESHOLD_BYTES, accepts_gzip
from tests.service.lambda_api import Api, event

GZIP = {"accept-encoding": "gzip"}


def raw(service: Api, path: str, headers: dict[str, str], query: str = "") -> dict[str, Any]:
    """Return the proxy response, with the body as Lambda has it."""
    return service.handler(event("GET", path, query, headers), None)


def unpacked(response: dict[str, Any]) -> Any:
    assert response["isBase64Encoded"]
    return json.loads(gzip.decompress(base64.b64decode(response["body"])))


def test_a_large_json_body_is_compressed_for_a_client_that_accepts_gzip(sampled: Api) -> None:
    plain = raw(sampled, "/accounts", {}, "page_size=50")
    packed = raw(sampled, "/accounts", GZIP, "page_size=50")
    assert "content-encoding" not in plain["headers"]
    assert packed["headers"]["content-encoding"] == "gzip"
    assert unpacked(packed) == json.loads(plain["body"])
    sent = len(base64.b64decode(packed["body"]))
    assert packed["headers"]["content-length"] == str(sent)
    assert sent < len(plain["body"]) / 4
    for response in (plain, packed):
        assert "Accept-Encoding" in response["headers"]["vary"].split(", ")


def test_a_small_body_is_not_compressed_and_still_varies(sampled: Api) -> None:
    response = raw(sampled, "/", GZIP)
    assert len(response["body"]) < THRESHOLD_BYTES
    assert "content-encoding" not in response["headers"]
    assert "Accept-Encoding" in response["headers"]["vary"]


def test_the_vary_header_of_cors_stays(sampled: Api) -> None:
    response = raw(sampled, "/accounts", {**GZIP, "origin": "https://insights.example"})
    assert set(response["headers"]["vary"].split(", ")) == {"Origin", "Accept-Encoding"}


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("x-gzip", True),
        ("identity", False),
        ("br", False),
    ],
)
def test_accept_encoding_is_read_as_rfc_9110_says(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_the_etag_of_each_representation_revalidates_under_both_encodings(sampled: Api) -> None:
    path = f"/accounts/{sampled.get('/accounts').json['accounts'][0]['id']}"
    plain = raw(sampled, path, {})["headers"]["etag"]
    packed = raw(sampled, path, GZIP)["headers"]["etag"]
    assert packed == f'{plain[:-1]}-gzip"'
    for etag in (plain, packed):
        for headers in ({}, GZIP):
            response = raw(sampled, path, {**headers, "if-none-match": etag})
            assert (response["statusCode"], response["headers"]["etag"]) == (304, etag)


def test_a_change_may_name_the_etag_of_the_compressed_representation(service: Api) -> None:
    service.post("/ingest/generate-mock", count=1, seed=1)
    path = f"/accounts/{service.get('/accounts').json['accounts'][0]['id']}"
    etag = raw(service, path, GZIP)["headers"]["etag"]
    assert etag.endswith('-gzip"')
    assert service.patch(path, {"nps": 7}, {"if-match": etag}).status == 200
    assert service.patch(path, {"nps": 8}, {"if-match": etag}).status == 412


def test_a_weak_etag_is_the_same_for_both_representations(sampled: Api) -> None:
    plain = raw(sampled, "/portfolio/metrics", {})["headers"]["etag"]
    assert raw(sampled, "/portfolio/metrics", GZIP)["headers"]["etag"] == plain


def test_what_is_not_text_or_is_compressed_already_is_left_alone(sampled: Api) -> None:
    response = raw(sampled, "/accounts/export.csv", GZIP)
    assert response["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(response["body"])).startswith(
        (b"name", b"\xef\xbb\xbf")
    )


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/portfolio/metrics", {}, "private, no-cache"),
        ("/accounts", {}, "no-store"),
        ("/nowhere", {}, "no-store"),
        ("/docs", {}, "no-cache"),
    ],
)
def test_each_response_says_whether_it_may_be_kept(
    sampled: Api, path: str, headers: dict[str, str], expected: str
) -> None:
    response = sampled.get(path, headers)
    assert response.headers["cache-control"] == expected
    assert response.headers["x-content-type-options"] == "nosniff"
