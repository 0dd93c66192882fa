"""The gateway in front of functions in real execution environments."""

import asyncio
import json
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from stack.local.apigateway.http_api import RouteConfig
from stack.local.lambda_.invoke import Invoker
from tests.support.gateway import ACCESS_LOG_FORMAT, api_config, serve
from tests.support.lambdas import FunctionRunner, until


def test_a_body_whose_event_is_over_lambdas_limit_is_413_and_the_function_is_not_invoked(
    runner: FunctionRunner,
) -> None:
    function = runner.function("def handler(event, context):\n    return len(event['body'])")

    async def scenario(invoker: Invoker) -> None:
        async with serve(api_config(partial(invoker.invoke, function))) as (client, _, _):
            for size, content_type in (
                (6.3 * 1_000_000, "text/csv"),
                (4.8 * 1_000_000, "application/octet-stream"),
            ):
                response = await client.post(
                    "/", content=b"x" * int(size), headers={"content-type": content_type}
                )
                assert (response.status_code, response.json()) == (
                    413,
                    {"message": "Request Entity Too Large"},
                )
            assert invoker.pids("fn") == []
            response = await client.post("/", content=b"x" * 4 * 1024 * 1024)
            assert (response.status_code, response.json()) == (200, -(-4 * 1024 * 1024 // 3) * 4)

    runner.run(scenario)


def test_after_the_integration_timeout_the_client_gets_503_and_the_function_runs_on(
    runner: FunctionRunner,
    tmp_path: Path,
) -> None:
    release = tmp_path / "release"
    source = f"""
        import os, time
        def handler(event, context):
            while not os.path.exists({str(release)!r}):
                time.sleep(0.01)
            print("done")
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> httpx.Response:
        await invoker.start(function)
        routes = [
            RouteConfig(key="$default", invoke=partial(invoker.invoke, function), timeout_ms=300)
        ]
        async with serve(api_config(routes[0].invoke, routes=routes)) as (client, _, _):
            response = await client.get("/")
            release.touch()
            await until(lambda: "done" in runner.log())
            return response

    response = runner.run(scenario)
    assert (response.status_code, response.json()) == (503, {"message": "Service Unavailable"})


def test_a_function_that_times_out_first_is_500_and_the_next_request_is_served(
    runner: FunctionRunner,
) -> None:
    source = """
        import time
        def handler(event, context):
            time.sleep(60 if event["rawPath"] == "/hang" else 0)
            return {"statusCode": 200, "body": "fine"}
    """
    lines = list[str]()
    function = runner.function(source, timeout_s=0.4)

    async def scenario(invoker: Invoker) -> None:
        config = api_config(
            partial(invoker.invoke, function),
            access_log=lines.append,
            access_log_format=ACCESS_LOG_FORMAT,
        )
        async with serve(config) as (client, _, _):
            response = await client.get("/hang")
            assert (response.status_code, response.json()) == (
                500,
                {"message": "Internal Server Error"},
            )
            assert (await client.get("/")).text == "fine"

    runner.run(scenario)
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
def test_a_handler_that_fails_is_500_without_delay_and_its_log_has_the_reason(
    runner: FunctionRunner, source: str, record: str
) -> None:
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> tuple[httpx.Response, float]:
        async with serve(api_config(partial(invoker.invoke, function))) as (client, _, _):
            started = time.monotonic()
            return await client.get("/"), time.monotonic() - started

    response, seconds = runner.run(scenario)
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})
    assert seconds < 10, "the limit of an init"
    assert record in runner.log()


def test_a_handler_that_exits_is_500_and_the_next_request_is_200_in_a_new_environment(
    runner: FunctionRunner,
) -> None:
    source = """
        import os
        def handler(event, context):
            if event["rawPath"] == "/exit":
                os._exit(1)
            return os.getpid()
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> None:
        async with serve(api_config(partial(invoker.invoke, function))) as (client, _, _):
            first = (await client.get("/")).json()
            assert (await client.get("/exit")).status_code == 500
            after = await client.get("/")
            assert after.status_code == 200
            assert after.json() != first

    runner.run(scenario)


def test_a_client_that_disconnects_does_not_cancel_the_invocation(runner: FunctionRunner) -> None:
    source = """
        import time
        def handler(event, context):
            print('started')
            time.sleep(0.3)
            print('ended')
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> None:
        async with serve(api_config(partial(invoker.invoke, function))) as (_, port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: "started" in runner.log())
            writer.close()
            await until(lambda: "ended" in runner.log())

    runner.run(scenario)


def test_requests_above_the_concurrency_wait_until_the_integration_timeout(
    runner: FunctionRunner,
) -> None:
    source = """
        import time
        def handler(event, context):
            time.sleep(0.5)
            return {'statusCode': 200}
    """
    function = runner.function(source, reserved_concurrency=1)

    async def scenario(invoker: Invoker) -> list[int]:
        await invoker.start(function)
        routes = [
            RouteConfig(key="$default", invoke=partial(invoker.invoke, function), timeout_ms=1000)
        ]
        async with serve(api_config(routes[0].invoke, routes=routes)) as (client, _, _):
            return sorted(
                response.status_code
                for response in await asyncio.gather(*(client.get("/") for _ in range(5)))
            )

    codes = runner.run(scenario)
    assert (codes[0], codes[-1]) == (200, 503)


def test_a_function_gets_the_trace_id_of_its_request(runner: FunctionRunner) -> None:
    function = runner.function(
        "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']"
    )

    async def scenario(invoker: Invoker) -> str:
        async with serve(api_config(partial(invoker.invoke, function))) as (client, _, _):
            return (
                await client.get(
                    "/", headers={"x-amzn-trace-id": "Root=1-5e6722a7-0123456789ab0123456789ab"}
                )
            ).text

    assert runner.run(scenario) == "Root=1-5e6722a7-0123456789ab0123456789ab"
