"""The gateway over real sockets: in front of plain coroutines where only it is meant, of real environments where both are."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.errors import UserError
from stack.local.apigateway.app import HttpApi
from stack.local.apigateway.http_api import Api, ApiConfig, RouteConfig
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.invoke import Invoker
from stack.local.lambda_.pool import ThrottledError
from stack.local.system.http_server import Server
from stack.local.system.ports import is_free, loopback
from tests.support.lambdas import Lab, until

MB = 1_000_000
FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "ip": "$context.identity.sourceIp",
        "requestTime": "$context.requestTime",
        "httpMethod": "$context.httpMethod",
        "routeKey": "$context.routeKey",
        "path": "$context.path",
        "status": "$context.status",
        "protocol": "$context.protocol",
        "responseLength": "$context.responseLength",
        "responseLatency": "$context.responseLatency",
        "integrationLatency": "$context.integrationLatency",
        "integrationErrorMessage": "$context.integrationErrorMessage",
    }
)


@dataclass
class Integration:
    """Stands where a function does: keeps the events, gives the answer."""

    answer: Any = field(
        default_factory=lambda: {
            "statusCode": 200,
            "headers": {"content-type": "text/plain"},
            "body": "ok",
        }
    )
    events: list[dict[str, Any]] = field(default_factory=list)
    sleep_s: float = 0

    async def __call__(self, event: bytes, trace: str) -> Invocation:
        self.events.append(json.loads(event))
        await asyncio.sleep(self.sleep_s)
        return Invocation(request_id="id", payload=json.dumps(self.answer).encode())


def api_config(invoke: Callable[[bytes, str], Awaitable[Invocation]], **fields: Any) -> ApiConfig:
    config = ApiConfig(
        api_id="a1b2c3",
        account_id="000000000000",
        domain="a1b2c3.example",
        routes=[RouteConfig(key="$default", invoke=invoke)],
    )
    return replace(config, **fields)


@asynccontextmanager
async def served(config: ApiConfig | None):
    api = HttpApi()
    api.configure(config)
    server = Server(api, 0)
    await server.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}", timeout=20
        ) as client:
            yield client, server.port, api
    finally:
        await server.stop()


async def raw(port: int, request: bytes, address: str = "127.0.0.1") -> bytes:
    """The bytes that come back until the server has nothing more to say."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head + await reader.readexactly(length)
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def get(path: str, integration: Integration | None = None, **request: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with served(api_config(integration or Integration())) as (client, _, _):
            return await client.request(request.pop("method", "GET"), path, **request)

    return asyncio.run(main())


# Requests


def test_a_request_reaches_the_integration_as_sent_and_its_answer_comes_back() -> None:
    integration = Integration({"statusCode": 201, "headers": {"x-a": "b"}, "body": "made"})
    response = get("/a%2Fb%20c?x=%2C&x=2", integration, method="POST", json={"name": "Zoë"})
    assert (response.status_code, response.text, response.headers["x-a"]) == (201, "made", "b")
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


def test_two_cookies_are_two_lines_and_binary_and_problem_bodies_are_the_bytes_of_the_function() -> (
    None
):
    response = get(
        "/",
        Integration(
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
    problem = get(
        "/",
        Integration(
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


def test_head_has_headers_and_no_body_and_an_answer_without_content_has_no_length() -> None:
    head = get(
        "/", Integration({"statusCode": 200, "headers": {"x": "y"}, "body": ""}), method="HEAD"
    )
    assert (head.status_code, head.headers["x"], head.content) == (200, "y", b"")
    empty = get("/", Integration({"statusCode": 204}))
    assert empty.content == b""
    assert "content-length" not in empty.headers


@pytest.mark.parametrize("sent", [None, "Root=1-5e6722a7-0123456789ab0123456789ab", "nonsense"])
def test_a_trace_id_is_kept_or_made_and_handed_on(sent: str | None) -> None:
    traces = list[str]()

    async def invoke(event: bytes, trace: str) -> Invocation:
        traces.extend([trace, json.loads(event)["headers"]["x-amzn-trace-id"]])
        return Invocation(request_id="id", payload=b"{}")

    async def main() -> None:
        async with served(api_config(invoke)) as (client, _, _):
            await client.get("/", headers={"x-amzn-trace-id": sent} if sent else {})

    asyncio.run(main())
    assert traces[0] == traces[1]
    assert (
        traces[0] == sent if sent and sent.startswith("Root=") else traces[0].startswith("Root=1-")
    )


def test_localhost_and_both_loopback_addresses_are_served_and_named_in_a_way_that_adapters_take() -> (
    None
):
    integration = Integration()

    async def main() -> None:
        async with served(api_config(integration)) as (_, port, _):
            for address in loopback():
                for name in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
                    assert (
                        status(
                            await raw(
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
    integration = Integration()

    async def main() -> bytes:
        async with served(api_config(integration)) as (_, port, _):
            return await raw(port, b"GET / HTTP/1.1\r\n" + head + b"\r\n")

    assert status(asyncio.run(main())) == 400
    assert integration.events == []


# Limits


@pytest.mark.parametrize(("size", "expected"), [(10_240, 200), (10_241, 431)])
def test_request_line_and_headers_may_have_10_240_bytes_together(size: int, expected: int) -> None:
    integration = Integration()
    start, end = b"GET /path?query=1 HTTP/1.1\r\nHost: localhost\r\nX-Filler: ", b"\r\n"
    request = start + b"x" * (size - len(start) - len(end)) + end + b"\r\n"

    async def main() -> bytes:
        async with served(api_config(integration)) as (_, port, _):
            return await raw(port, request)

    answer = asyncio.run(main())
    assert status(answer) == expected
    assert len(integration.events) == (1 if expected == 200 else 0)


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_over_ten_mebibytes_is_413_and_closes_the_connection(chunked: bool) -> None:
    integration = Integration()

    async def main() -> httpx.Response:
        async def chunks() -> Any:
            for _ in range(11):
                yield b"x" * 1024 * 1024

        async with served(api_config(integration)) as (client, _, _):
            return await client.post(
                "/", content=chunks() if chunked else b"x" * (10 * 1024 * 1024 + 1)
            )

    response = asyncio.run(main())
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})
    assert response.headers["connection"] == "close"
    assert integration.events == []


def test_a_client_that_asks_before_it_sends_too_much_is_told_at_once() -> None:
    async def main() -> bytes:
        async with served(api_config(Integration())) as (_, port, _):
            return await raw(
                port,
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485761\r\nExpect: 100-continue\r\n\r\n",
            )

    assert asyncio.run(main()).startswith(b"HTTP/1.1 413 ")


def test_a_body_whose_event_is_over_lambdas_limit_is_413_and_the_function_is_not_invoked(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    function = lab.function("def handler(event, context):\n    return len(event['body'])")

    async def scenario(functions: Invoker) -> None:
        async with served(api_config(partial(functions.invoke, function))) as (client, _, _):
            for size, content_type in (
                (6.3 * MB, "text/csv"),
                (4.8 * MB, "application/octet-stream"),
            ):
                response = await client.post(
                    "/", content=b"x" * int(size), headers={"content-type": content_type}
                )
                assert (response.status_code, response.json()) == (
                    413,
                    {"message": "Request Entity Too Large"},
                )
            assert functions.pids("fn") == []
            response = await client.post("/", content=b"x" * 4 * 1024 * 1024)
            assert (response.status_code, response.json()) == (200, -(-4 * 1024 * 1024 // 3) * 4)

    lab.run(scenario)


def test_a_client_that_leaves_in_the_middle_of_its_body_has_asked_for_nothing() -> None:
    integration = Integration()

    async def main() -> None:
        async with served(api_config(integration)) as (client, port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            writer.close()
            await client.get("/after")

    asyncio.run(main())
    assert [event["rawPath"] for event in integration.events] == ["/after"]


# What goes wrong


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"statusCode": "fine"}, "statusCode is 'fine'"),
        ({"statusCode": 200, "headers": {"x": "a\nb"}}, "header 'x'"),
        ({"statusCode": 200, "body": 1}, "body is a int"),
    ],
)
def test_an_answer_that_is_no_response_is_500_with_the_reason_in_the_access_log(
    answer: object, reason: str
) -> None:
    lines = list[str]()

    async def main() -> httpx.Response:
        async with served(
            api_config(Integration(answer), access_log=lines.append, access_log_format=FORMAT)
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
        async with served(api_config(raises, routes=routes)) as (client, _, _):
            for path, code, message in (
                ("/raises", 500, "Internal Server Error"),
                ("/throttled", 503, "Service Unavailable"),
            ):
                response = await client.get(path)
                assert (response.status_code, response.json()) == (code, {"message": message})

    asyncio.run(main())


def test_after_the_integrations_time_the_client_gets_503_and_the_function_runs_on(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    release = tmp_path / "release"
    source = f"""
        import os, time
        def handler(event, context):
            while not os.path.exists({str(release)!r}):
                time.sleep(0.01)
            print("done after all")
    """
    function = lab.function(source)

    async def scenario(functions: Invoker) -> httpx.Response:
        await functions.start(function)
        routes = [
            RouteConfig(key="$default", invoke=partial(functions.invoke, function), timeout_ms=300)
        ]
        async with served(api_config(routes[0].invoke, routes=routes)) as (client, _, _):
            response = await client.get("/")
            release.touch()
            await until(lambda: "done after all" in lab.log())
            return response

    response = lab.run(scenario)
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})


def test_a_function_that_times_out_first_is_500_and_the_next_request_is_served(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    source = """
        import time
        def handler(event, context):
            time.sleep(60 if event["rawPath"] == "/hang" else 0)
            return {"statusCode": 200, "body": "fine"}
    """
    lines = list[str]()
    function = lab.function(source, timeout_s=0.4)

    async def scenario(functions: Invoker) -> None:
        config = api_config(
            partial(functions.invoke, function), access_log=lines.append, access_log_format=FORMAT
        )
        async with served(config) as (client, _, _):
            response = await client.get("/hang")
            assert (response.status_code, response.json()) == (
                500,
                {"message": "Internal Server Error"},
            )
            assert (await client.get("/")).text == "fine"

    lab.run(scenario)
    assert (
        "Error: Task timed out after 0.40 seconds. Check your Lambda function code"
        in json.loads(lines[0])["integrationErrorMessage"]
    )


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ("import missing_package", "No module named 'missing_package'"),
        ("def handler(event, context):\n    raise ValueError('on purpose')", "on purpose"),
    ],
    ids=["it does not import", "it raises"],
)
def test_a_handler_that_fails_is_500_before_any_time_is_over_and_its_log_says_why(
    tmp_path: Path, source: str, record: str
) -> None:
    lab = Lab(tmp_path)
    function = lab.function(source)

    async def scenario(functions: Invoker) -> tuple[httpx.Response, float]:
        async with served(api_config(partial(functions.invoke, function))) as (client, _, _):
            began = time.monotonic()
            return await client.get("/"), time.monotonic() - began

    response, seconds = lab.run(scenario)
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    assert seconds < 10, "an init's own limit"
    assert record in lab.log()


def test_a_handler_that_exits_is_500_and_the_next_request_is_200_in_a_new_environment(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    source = """
        import os
        def handler(event, context):
            if event["rawPath"] == "/exit":
                os._exit(1)
            return os.getpid()
    """
    function = lab.function(source)

    async def scenario(functions: Invoker) -> None:
        async with served(api_config(partial(functions.invoke, function))) as (client, _, _):
            first = (await client.get("/")).json()
            assert (await client.get("/exit")).status_code == 500
            after = await client.get("/")
            assert after.status_code == 200
            assert after.json() != first

    lab.run(scenario)


def test_a_client_that_disconnects_does_not_cancel_the_invocation(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    function = lab.function(
        "import time\ndef handler(event, context):\n    print('began')\n    time.sleep(0.3)\n    print('ended')"
    )

    async def scenario(functions: Invoker) -> None:
        async with served(api_config(partial(functions.invoke, function))) as (_, port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: "began" in lab.log())
            writer.close()
            await until(lambda: "ended" in lab.log())

    lab.run(scenario)


def test_requests_above_the_concurrency_wait_until_the_integrations_time_is_over(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    function = lab.function(
        "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    return {'statusCode': 200}",
        reserved_concurrency=1,
    )

    async def scenario(functions: Invoker) -> list[int]:
        await functions.start(function)
        routes = [
            RouteConfig(key="$default", invoke=partial(functions.invoke, function), timeout_ms=1000)
        ]
        async with served(api_config(routes[0].invoke, routes=routes)) as (client, _, _):
            return sorted(
                response.status_code
                for response in await asyncio.gather(*(client.get("/") for _ in range(5)))
            )

    codes = lab.run(scenario)
    assert (codes[0], codes[-1]) == (200, 503)


# Configuration


def test_without_a_configuration_and_without_a_route_all_is_404() -> None:
    async def main() -> None:
        async with served(None) as (client, _, api):
            assert (await client.get("/")).json() == {"message": "Not Found"}
            api.configure(
                api_config(
                    Integration(), routes=[RouteConfig(key="GET /only", invoke=Integration())]
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


def test_a_configuration_that_is_refused_leaves_the_one_before_in_force() -> None:
    async def main() -> int:
        async with served(api_config(Integration())) as (client, _, api):
            with pytest.raises(ValueError, match="route key"):
                api.configure(
                    api_config(
                        Integration(), routes=[RouteConfig(key="nonsense", invoke=Integration())]
                    )
                )
            return (await client.get("/")).status_code

    assert asyncio.run(main()) == 200


def test_a_request_under_way_ends_under_the_configuration_with_which_it_began() -> None:
    slow, quick = (
        Integration({"statusCode": 200, "body": "old"}, sleep_s=0.3),
        Integration({"statusCode": 200, "body": "new"}),
    )

    async def main() -> tuple[str, str]:
        async with served(api_config(slow)) as (client, _, api):
            running = asyncio.create_task(client.get("/"))
            await until(lambda: bool(slow.events))
            api.configure(api_config(quick))
            return (await client.get("/")).text, (await running).text

    assert asyncio.run(main()) == ("new", "old")


def test_a_route_and_its_variables_are_in_the_event() -> None:
    integration = Integration()

    async def main() -> None:
        async with served(
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
    api = Api(
        api_config(
            Integration(), stage="prod", routes=[RouteConfig(key="GET /x", invoke=Integration())]
        )
    )
    assert api.route("GET", "/prod/x") is not None
    assert api.route("GET", "/x") is None
    assert api.route("GET", "/production/x") is None


def test_above_rate_and_burst_requests_are_429_unless_their_route_allows_more() -> None:
    free = RouteConfig(key="GET /free", invoke=Integration(), rate=1000, burst=1000)
    config = api_config(Integration(), rate=0.001, burst=5)
    config = replace(config, routes=[*config.routes, free])

    async def main() -> None:
        async with served(config) as (client, _, _):
            responses = [await client.get("/") for _ in range(15)]
            assert [response.status_code for response in responses] == [200] * 5 + [429] * 10
            assert responses[-1].json() == {"message": "Too Many Requests"}
            assert {(await client.get("/free")).status_code for _ in range(10)} == {200}

    asyncio.run(main())


def test_every_request_has_a_line_in_the_access_log() -> None:
    lines = list[str]()

    async def main() -> list[httpx.Response]:
        config = api_config(
            Integration(), access_log=lines.append, access_log_format=FORMAT, rate=0.001, burst=1
        )
        async with served(config) as (client, _, _):
            return [await client.get("/pa%20th?secret=1") for _ in range(2)]

    served_one, throttled = asyncio.run(main())
    first, second = (json.loads(line) for line in lines)
    assert {
        name: first.pop(name) for name in ("requestTime", "responseLatency", "integrationLatency")
    }.keys()
    assert first == {
        "requestId": served_one.headers["apigw-requestid"],
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


# Serving


def test_a_port_that_is_taken_is_an_error_that_names_it_and_the_way_out(free_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(UserError, match=rf"{free_port} .*--port"),
    ):
        Server(HttpApi(), free_port)


def test_a_server_leaves_signals_alone_and_its_port_is_free_when_it_has_stopped(
    free_port: int,
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def main() -> tuple[Any, ...]:
        server = Server(HttpApi(), free_port)
        await server.start()
        during = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        await server.stop()
        await server.stop()
        return during

    during = asyncio.run(main())
    assert during[1] == before[1]
    assert "uvicorn" not in repr(during)
    assert is_free(free_port)


def test_stopping_lets_a_request_finish() -> None:
    integration = Integration(sleep_s=0.3)

    async def main() -> int:
        api = HttpApi()
        api.configure(api_config(integration))
        server = Server(api, 0)
        await server.start()
        async with httpx.AsyncClient() as client:
            running = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/"))
            await until(lambda: bool(integration.events))
            await server.stop()
            return (await running).status_code

    assert asyncio.run(main()) == 200


def test_the_trace_of_a_request_is_the_one_that_the_function_sees(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    function = lab.function(
        "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']"
    )

    async def scenario(functions: Invoker) -> str:
        async with served(api_config(partial(functions.invoke, function))) as (client, _, _):
            return (
                await client.get(
                    "/", headers={"x-amzn-trace-id": "Root=1-5e6722a7-0123456789ab0123456789ab"}
                )
            ).text

    assert lab.run(scenario) == "Root=1-5e6722a7-0123456789ab0123456789ab"
