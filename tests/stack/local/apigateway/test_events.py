"""HTTP request → event of payload format 2.0, and result → HTTP response."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.local.apigateway.events import (
    HttpRequest,
    HttpResponse,
    MalformedResponseError,
    RequestContext,
    common_log_time,
    http_response,
    proxy_event,
    request_host,
)

CONTEXT = RequestContext(
    account_id="123456789012",
    api_id="a1b2c3d4e5",
    domain="a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
    stage="$default",
    route_key="$default",
    request_id="JKJaXmPLvHcESHA=",
    time=1_583_348_638.390,
    trace_id="Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
    path_parameters={},
)


def request(
    path: bytes = b"/", query: bytes = b"", method: str = "GET", *headers: tuple[bytes, bytes]
) -> HttpRequest:
    return HttpRequest(
        method=method,
        path=path,
        query=query,
        headers=[(b"host", b"localhost:20000"), *headers],
        protocol="HTTP/1.1",
        source_ip="127.0.0.1",
        scheme="http",
        port=20000,
    )


def event(of: HttpRequest, body: bytes = b"", context: RequestContext = CONTEXT) -> dict[str, Any]:
    return json.loads(proxy_event(of, body, context))


def test_an_event_has_the_fields_of_payload_format_2_0() -> None:
    sent = request(
        b"/accounts/caf%C3%A9",
        b"expand=notes&expand=contacts&q=a%20b",
        "POST",
        (b"user-agent", b"curl/8"),
        (b"accept", b"text/html"),
        (b"accept", b"*/*"),
        (b"cookie", b"a=1; b=2"),
        (b"content-type", b"application/json"),
        (b"connection", b"keep-alive"),
    )
    assert event(sent, b'{"name":"x"}') == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/accounts/café",
        "rawQueryString": "expand=notes&expand=contacts&q=a%20b",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "accept": "text/html,*/*",
            "content-length": "12",
            "content-type": "application/json",
            "host": "localhost:20000",
            "user-agent": "curl/8",
            "x-amzn-trace-id": CONTEXT.trace_id,
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "20000",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"expand": "notes,contacts", "q": "a b"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST",
                "path": "/accounts/café",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl/8",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1_583_348_638_390,
        },
        "body": '{"name":"x"}',
        "isBase64Encoded": False,
    }


def test_an_event_lacks_the_fields_that_its_request_does_not_have() -> None:
    assert event(request()).keys() == {
        "version",
        "routeKey",
        "rawPath",
        "rawQueryString",
        "headers",
        "requestContext",
        "isBase64Encoded",
    }


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (b"/a%2Fb", "/a/b"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/a%20b+c", "/a b+c"),
        (b"/a//../b;c", "/a//../b;c"),
        (b"/%E2%82%AC", "/€"),
        (b"/%ff", "/\N{REPLACEMENT CHARACTER}"),
        (b"/before%3Fafter", "/before"),
    ],
)
def test_the_path_is_decoded_once_and_cut_at_an_encoded_question_mark(
    sent: bytes, path: str
) -> None:
    parsed = event(request(sent))
    assert (parsed["rawPath"], parsed["requestContext"]["http"]["path"]) == (path, path)


def test_the_query_stays_as_sent_beside_its_decoded_parameters() -> None:
    parsed = event(request(query=b"a=%2C&a=2&empty=&flag&plus=1+1"))
    assert parsed["rawQueryString"] == "a=%2C&a=2&empty=&flag&plus=1+1"
    assert parsed["queryStringParameters"] == {
        "a": ",,2",
        "empty": "",
        "flag": "",
        "plus": "1 1",
    }


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        (b"application/json", True),
        (b"Application/JSON; charset=utf-8", True),
        (b"text/csv", True),
        (b"application/xml", True),
        (b"application/problem+json", False),
        (b"application/x-www-form-urlencoded", False),
        (b"multipart/form-data; boundary=x", False),
        (b"application/octet-stream", False),
        (b"", False),
    ],
)
def test_only_bodies_of_the_types_that_aws_treats_as_text_are_text(
    content_type: bytes, text: bool
) -> None:
    parsed = event(request(b"/", b"", "POST", (b"content-type", content_type)), "größer".encode())
    assert parsed["isBase64Encoded"] is not text
    assert parsed["body"] == ("größer" if text else base64.b64encode("größer".encode()).decode())


@given(st.binary(min_size=1), st.sampled_from([b"text/plain", b"application/pdf"]))
def test_every_body_arrives_byte_for_byte(body: bytes, content_type: bytes) -> None:
    parsed = event(request(b"/", b"", "POST", (b"content-type", content_type)), body)
    assert (
        base64.b64decode(parsed["body"]) if parsed["isBase64Encoded"] else parsed["body"].encode()
    ) == body


def test_forwarding_headers_of_clients_become_forwarded_and_do_not_override_the_gateways() -> None:
    headers = event(
        request(
            b"/",
            b"",
            "GET",
            (b"x-forwarded-for", b"1.2.3.4"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-host", b"other.example"),
            (b"x-forwarded-port", b"1"),
        )
    )["headers"]
    assert headers["forwarded"] == "for=1.2.3.4;host=other.example;proto=https"
    assert (
        headers["x-forwarded-for"],
        headers["x-forwarded-proto"],
        headers["x-forwarded-port"],
    ) == (
        "1.2.3.4, 127.0.0.1",
        "http",
        "20000",
    )
    assert "x-forwarded-host" not in headers


def test_headers_that_are_not_utf_8_arrive_as_latin_1() -> None:
    assert (
        event(request(b"/", b"", "GET", (b"x-a", "é".encode()), (b"x-b", "é".encode("latin-1"))))[
            "headers"
        ]["x-b"]
        == "é"
    )


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([b"localhost:20000"], "localhost:20000"),
        ([b"127.0.0.1"], "127.0.0.1"),
        ([b"[::1]:20000"], "localhost:20000"),
        ([b"[::1]"], "localhost"),
        ([], None),
        ([b""], None),
        ([b"a", b"b"], None),
        ([b"localhost:x"], None),
        ([b"a b"], None),
    ],
)
def test_a_request_has_exactly_one_host_and_no_address_literal_reaches_the_function(
    sent: list[bytes], expected: str | None
) -> None:
    assert request_host([(b"host", value) for value in sent]) == expected


def test_the_size_of_a_request_is_that_of_its_request_line_and_headers() -> None:
    assert request(b"/path", b"a=1").size == len(
        b"GET /path?a=1 HTTP/1.1\r\nhost: localhost:20000\r\n"
    )
    assert request(b"/path").size == len(b"GET /path HTTP/1.1\r\nhost: localhost:20000\r\n")


def test_times_are_in_the_common_log_format_whatever_the_locale() -> None:
    assert common_log_time(1_583_348_638) == "04/Mar/2020:19:03:58 +0000"


# Responses


def response(result: object) -> HttpResponse:
    return http_response(json.dumps(result).encode())


def test_a_result_with_a_status_is_the_response_with_one_set_cookie_for_each_cookie() -> None:
    result = {
        "statusCode": 201,
        "headers": {
            "Content-Type": "application/problem+json",
            "X-Number": 1,
            "Content-Length": "999",
            "Connection": "close",
        },
        "cookies": ["a=1; Path=/", "b=2"],
        "body": '{"ü": 1}',
    }
    assert response(result) == HttpResponse(
        status=201,
        headers=[
            (b"content-type", b"application/problem+json"),
            (b"x-number", b"1"),
            (b"set-cookie", b"a=1; Path=/"),
            (b"set-cookie", b"b=2"),
        ],
        body='{"ü": 1}'.encode(),
    )


@given(st.binary())
def test_a_base64_body_is_returned_byte_for_byte(body: bytes) -> None:
    result = {"statusCode": "200", "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    assert response(result).body == body


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ({"a": 1}, b'{"a": 1}'),
        ("Hello", b"Hello"),
        ([1], b"[1]"),
        (None, b"null"),
        ({"body": "x"}, b'{"body": "x"}'),
    ],
)
def test_a_result_without_a_status_is_a_json_body(result: object, body: bytes) -> None:
    assert response(result) == HttpResponse(
        status=200, headers=[(b"content-type", b"application/json")], body=body
    )


def test_a_response_without_a_content_type_is_plain_text() -> None:
    assert response({"statusCode": 204, "headers": None, "body": None}).headers == [
        (b"content-type", b"text/plain;charset=UTF-8")
    ]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"statusCode": "OK"}, "statusCode"),
        ({"statusCode": True}, "statusCode"),
        ({"statusCode": 99}, "statusCode"),
        ({"statusCode": None}, "statusCode"),
        ({"statusCode": 200, "body": {"a": 1}}, "body is a dict"),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, "not base64"),
        ({"statusCode": 200, "headers": ["x"]}, "headers must be"),
        ({"statusCode": 200, "cookies": "a=1"}, "cookies"),
        ({"statusCode": 200, "headers": {"x": ["y"]}}, "header 'x'"),
        ({"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}}, "header 'x'"),
        ({"statusCode": 200, "headers": {"x y": "z"}}, "header 'x y'"),
        ({"statusCode": 200, "cookies": ["a\nb"]}, "header 'set-cookie'"),
    ],
)
def test_a_malformed_result_is_refused_with_the_reason(result: object, reason: str) -> None:
    with pytest.raises(MalformedResponseError, match=reason):
        response(result)


def test_a_result_that_is_not_json_is_refused() -> None:
    with pytest.raises(MalformedResponseError, match="not JSON"):
        http_response(b"<html>")
