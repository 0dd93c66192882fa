"""The server in which the gateway runs: its port, signals, and stopping."""

import asyncio
import signal
import socket
from typing import Any

import httpx
import pytest

from common.errors import UserError
from stack.local.apigateway.app import HttpApi
from stack.local.system.http_server import HttpServer
from stack.local.system.ports import is_free
from tests.support.gateway import FakeIntegration, api_config
from tests.support.lambdas import until


def test_a_taken_port_is_an_error_that_names_it_and_the_option(free_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(UserError, match=rf"{free_port} .*--port"),
    ):
        HttpServer(HttpApi(), free_port)


def test_a_server_leaves_signals_alone_and_its_port_is_free_when_it_has_stopped(
    free_port: int,
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    async def main() -> tuple[Any, ...]:
        server = HttpServer(HttpApi(), free_port)
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
    integration = FakeIntegration(sleep_s=0.3)

    async def main() -> int:
        api = HttpApi()
        api.configure(api_config(integration))
        server = HttpServer(api, 0)
        await server.start()
        async with httpx.AsyncClient() as client:
            running = asyncio.create_task(client.get(f"http://127.0.0.1:{server.port}/"))
            await until(lambda: bool(integration.events))
            await server.stop()
            return (await running).status_code

    assert asyncio.run(main()) == 200
