"""The gateway on a real socket, in front of coroutines: requests, limits, configuration."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from stack.local.apigateway.http_api import ConfiguredApi, RouteConfig
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.pool import ThrottledError
from stack.local.system.ports import loopback
from tests.support.gateway import (
    ACCESS_LOG_FORMAT,
    FakeIntegration,
    api_config,
    send,
    send_raw,
    serve,
    status_of,
)
from tests.support.lambdas import until


def test_a_request_reaches_the_integration_as_sent_and_its_result_is_the_response() -> None:
    integration = FakeIntegration({"statusCode": 201, "headers": {"x-a": "b"}, "body": "created"})
    response = send("/a%2Fb%20c?x=%2C&x=2", integration, method="POST", json={"name": "Zoë"})
    assert (response.status_code, response.text, response.headers["x-a"]) == (201, "created", "b")
    (event,) = integration.events
    assert (event["rawPath"], event["rawQueryString"], event["queryStringParameters"]) == (
        "/a/b c",
        "x=%2C&x=2",
        {"x": ",,2"},
    )
    assert json.loads(event["body"]) == {"name": "Zoë"}
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["requestContext"]["http"]["protocol"] == "HTTP/1.1"
    assert event["requestContext"]["requestId"] == response.headers["apigw-requestid"]
    assert abs(event["requestContext"]["timeEpoch"] / 1000 - time.time()) < 60


def test_two_cookies_are_two_header_lines_and_bodies_are_the_bytes_of_the_function() -> None:
    response = send(
        "/",
        FakeIntegration(
            {
                "statusCode": 200,
                "cookies": ["a=1", "b=2"],
                "headers": {"x": "1,2"},
                "body": "AP8=",
                "isBase64Encoded": True,
            }
        ),
    )
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["x"] == "1,2"
    assert response.content == b"\x00\xff"
    problem = send(
        "/",
        FakeIntegration(
            {
                "statusCode": 422,
                "headers": {"content-type": "application/problem+json"},
                "body": '{"title":"größer"}',
            }
        ),
    )
    assert (problem.status_code, problem.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    assert problem.content == '{"title":"größer"}'.encode()


def test_head_has_headers_and_no_body_and_a_response_without_content_has_no_length() -> None:
    head = send(
        "/", FakeIntegration({"statusCode": 200, "headers": {"x": "y"}, "body": ""}), method="HEAD"
    )
    assert (head.status_code, head.headers["x"], head.content) == (200, "y", b"")
    empty = send("/", FakeIntegration({"statusCode": 204}))
    assert empty.content == b""
    assert "content-length" not in empty.headers


@pytest.mark.parametrize("sent", [None, "Root=1-5e6722a7-0123456789ab0123456789ab", "nonsense"])
def test_a_valid_trace_id_is_passed_on_and_any_other_is_replaced(sent: str | None) -> None:
    traces = list[str]()

    async def invoke(event: bytes, trace: str) -> Invocation:
        traces.extend([trace, json.loads(event)["headers"]["x-amzn-trace-id"]])
        return Invocation(request_id="id", payload=b"{}")

    async def main() -> None:
        async with serve(api_config(invoke)) as (client, _, _):
            await client.get("/", headers={"x-amzn-trace-id": sent} if sent else {})

    asyncio.run(main())
    assert traces[0] == traces[1]
    assert (
        traces[0] == sent if sent and sent.startswith("Root=") else traces[0].startswith("Root=1-")
    )


def test_localhost_and_both_loopback_addresses_are_served_without_ipv6_literals_in_events() -> None:
    integration = FakeIntegration()

    async def main() -> None:
        async with serve(api_config(integration)) as (_, port, _):
            for address in loopback():
                for name in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
                    assert (
                        status_of(
                            await send_raw(
                                port, f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(), address
                            )
                        )
                        == 200
                    )

    asyncio.run(main())
    assert {event["headers"]["host"].split(":")[0] for event in integration.events} == {
        "localhost",
        "127.0.0.1",
    }
    assert {event["requestContext"]["http"]["sourceIp"] for event in integration.events} == {
        *loopback()
    }


@pytest.mark.parametrize(
    "head", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a:b\r\n", b"Host: a b\r\n"]
)
def test_a_request_without_one_proper_host_is_400(head: bytes) -> None:
    integration = FakeIntegration()

    async def main() -> bytes:
        async with serve(api_config(integration)) as (_, port, _):
            return await send_raw(port, b"GET / HTTP/1.1\r\n" + head + b"\r\n")

    assert status_of(asyncio.run(main())) == 400
    assert integration.events == []


@pytest.mark.parametrize(("size", "expected"), [(10_240, 200), (10_241, 431)])
def test_request_line_and_headers_may_have_10_240_bytes_together(size: int, expected: int) -> None:
    integration = FakeIntegration()
    start, end = b"GET /path?query=1 HTTP/1.1\r\nHost: localhost\r\nX-Filler: ", b"\r\n"
    request = start + b"x" * (size - len(start) - len(end)) + end + b"\r\n"

    async def main() -> bytes:
        async with serve(api_config(integration)) as (_, port, _):
            return await send_raw(port, request)

    response = asyncio.run(main())
    assert status_of(response) == expected
    assert len(integration.events) == (1 if expected == 200 else 0)


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_over_ten_mebibytes_is_413_and_closes_the_connection(chunked: bool) -> None:
    integration = FakeIntegration()

    async def main() -> httpx.Response:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x" * 1024 * 1024

        async with serve(api_config(integration)) as (client, _, _):
            return await client.post(
                "/", content=chunks() if chunked else b"x" * (10 * 1024 * 1024 + 1)
            )

    response = asyncio.run(main())
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})
    assert response.headers["connection"] == "close"
    assert integration.events == []


def test_a_client_that_sends_expect_gets_413_before_it_sends_the_body() -> None:
    async def main() -> bytes:
        async with serve(api_config(FakeIntegration())) as (_, port, _):
            return await send_raw(
                port,
                b"POST / HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 10485761\r\nExpect: 100-continue\r\n\r\n",
            )

    assert asyncio.run(main()).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_disconnects_within_its_body_invokes_nothing() -> None:
    integration = FakeIntegration()

    async def main() -> None:
        async with serve(api_config(integration)) as (client, port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            writer.close()
            await client.get("/after")

    asyncio.run(main())
    assert [event["rawPath"] for event in integration.events] == ["/after"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"statusCode": "fine"}, "statusCode is 'fine'"),
        ({"statusCode": 200, "headers": {"x": "a\nb"}}, "header 'x'"),
        ({"statusCode": 200, "body": 1}, "body is a int"),
    ],
)
def test_a_malformed_result_is_500_with_the_reason_in_the_access_log(
    result: object, reason: str
) -> None:
    lines = list[str]()

    async def main() -> httpx.Response:
        async with serve(
            api_config(
                FakeIntegration(result),
                access_log=lines.append,
                access_log_format=ACCESS_LOG_FORMAT,
            )
        ) as (client, _, _):
            return await client.get("/")

    response = asyncio.run(main())
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    assert reason in json.loads(lines[0])["integrationErrorMessage"]


def test_an_integration_that_raises_is_500_and_one_that_is_throttled_503() -> None:
    async def raises(event: bytes, trace: str) -> Invocation:
        raise RuntimeError("broken")

    async def throttled(event: bytes, trace: str) -> Invocation:
        raise ThrottledError("Rate Exceeded.")

    async def main() -> None:
        routes = [
            RouteConfig(key="GET /raises", invoke=raises),
            RouteConfig(key="GET /throttled", invoke=throttled),
        ]
        async with serve(api_config(raises, routes=routes)) as (client, _, _):
            for path, code, message in (
                ("/raises", 500, "Internal Server Error"),
                ("/throttled", 503, "Service Unavailable"),
            ):
                response = await client.get(path)
                assert (response.status_code, response.json()) == (code, {"message": message})

    asyncio.run(main())


def test_without_a_configuration_or_a_route_every_response_is_404() -> None:
    async def main() -> None:
        async with serve(None) as (client, _, api):
            assert (await client.get("/")).json() == {"message": "Not Found"}
            api.configure(
                api_config(
                    FakeIntegration(),
                    routes=[RouteConfig(key="GET /only", invoke=FakeIntegration())],
                )
            )
            assert [(await client.get(path)).status_code for path in ("/only", "/other")] == [
                200,
                404,
            ]
            assert (await client.post("/only")).status_code == 404
            api.configure(None)
            assert (await client.get("/only")).status_code == 404

    asyncio.run(main())


def test_a_configuration_that_is_refused_changes_nothing() -> None:
    async def main() -> int:
        async with serve(api_config(FakeIntegration())) as (client, _, api):
            with pytest.raises(ValueError, match="route key"):
                api.configure(
                    api_config(
                        FakeIntegration(),
                        routes=[RouteConfig(key="nonsense", invoke=FakeIntegration())],
                    )
                )
            return (await client.get("/")).status_code

    assert asyncio.run(main()) == 200


def test_a_running_request_ends_with_the_configuration_it_started_with() -> None:
    slow, quick = (
        FakeIntegration({"statusCode": 200, "body": "old"}, sleep_s=0.3),
        FakeIntegration({"statusCode": 200, "body": "new"}),
    )

    async def main() -> tuple[str, str]:
        async with serve(api_config(slow)) as (client, _, api):
            running = asyncio.create_task(client.get("/"))
            await until(lambda: bool(slow.events))
            api.configure(api_config(quick))
            return (await client.get("/")).text, (await running).text

    assert asyncio.run(main()) == ("new", "old")


def test_a_route_and_its_variables_are_in_the_event() -> None:
    integration = FakeIntegration()

    async def main() -> None:
        async with serve(
            api_config(
                integration, routes=[RouteConfig(key="GET /accounts/{id}", invoke=integration)]
            )
        ) as (client, _, _):
            await client.get("/accounts/7")

    asyncio.run(main())
    assert (
        integration.events[0]["routeKey"]
        == integration.events[0]["requestContext"]["routeKey"]
        == "GET /accounts/{id}"
    )
    assert integration.events[0]["pathParameters"] == {"id": "7"}


def test_a_named_stage_is_the_first_part_of_the_path_and_stays_in_it() -> None:
    api = ConfiguredApi(
        api_config(
            FakeIntegration(),
            stage="prod",
            routes=[RouteConfig(key="GET /x", invoke=FakeIntegration())],
        )
    )
    assert api.route("GET", "/prod/x") is not None
    assert api.route("GET", "/x") is None
    assert api.route("GET", "/production/x") is None


def test_above_rate_and_burst_requests_are_429_unless_their_route_allows_more() -> None:
    free = RouteConfig(key="GET /free", invoke=FakeIntegration(), rate=1000, burst=1000)
    config = api_config(FakeIntegration(), rate=0.001, burst=5)
    config = replace(config, routes=[*config.routes, free])

    async def main() -> None:
        async with serve(config) as (client, _, _):
            responses = [await client.get("/") for _ in range(15)]
            assert [response.status_code for response in responses] == [200] * 5 + [429] * 10
            assert responses[-1].json() == {"message": "Too Many Requests"}
            assert {(await client.get("/free")).status_code for _ in range(10)} == {200}

    asyncio.run(main())


def test_every_request_has_a_line_in_the_access_log() -> None:
    lines = list[str]()

    async def main() -> list[httpx.Response]:
        config = api_config(
            FakeIntegration(),
            access_log=lines.append,
            access_log_format=ACCESS_LOG_FORMAT,
            rate=0.001,
            burst=1,
        )
        async with serve(config) as (client, _, _):
            return [await client.get("/pa%20th?secret=1") for _ in range(2)]

    passed, throttled = asyncio.run(main())
    first, second = (json.loads(line) for line in lines)
    assert {
        name: first.pop(name) for name in ("requestTime", "responseLatency", "integrationLatency")
    }.keys()
    assert first == {
        "requestId": passed.headers["apigw-requestid"],
        "ip": "127.0.0.1",
        "httpMethod": "GET",
        "routeKey": "$default",
        "path": "/pa th",
        "status": "200",
        "protocol": "HTTP/1.1",
        "responseLength": "2",
        "integrationErrorMessage": "-",
    }
    assert (second["status"], second["integrationLatency"], second["requestId"]) == (
        "429",
        "-",
        throttled.headers["apigw-requestid"],
    )
