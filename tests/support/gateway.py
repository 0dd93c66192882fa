"""Serves an HTTP API on a real socket, in front of functions or of coroutines that replace them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from stack.local.apigateway.app import HttpApi
from stack.local.apigateway.http_api import ApiConfig, RouteConfig
from stack.local.lambda_.invocation import Invocation
from stack.local.system.http_server import HttpServer

ACCESS_LOG_FORMAT = json.dumps(
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
class FakeIntegration:
    """Replaces a function: records the events and returns `result` after `sleep_s` seconds."""

    result: Any = field(
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
        return Invocation(request_id="id", payload=json.dumps(self.result).encode())


def api_config(invoke: Callable[[bytes, str], Awaitable[Invocation]], **fields: Any) -> ApiConfig:
    """Return the configuration of an API whose route `$default` invokes `invoke`."""
    config = ApiConfig(
        api_id="a1b2c3",
        account_id="000000000000",
        domain="a1b2c3.example",
        routes=[RouteConfig(key="$default", invoke=invoke)],
    )
    return replace(config, **fields)


@asynccontextmanager
async def serve(
    config: ApiConfig | None,
) -> AsyncGenerator[tuple[httpx.AsyncClient, int, HttpApi]]:
    """Serve an API on a free port; yield a client for it, the port, and the application."""
    api = HttpApi()
    api.configure(config)
    server = HttpServer(api, 0)
    await server.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}", timeout=20
        ) as client:
            yield client, server.port, api
    finally:
        await server.stop()


async def send_raw(port: int, request: bytes, address: str = "127.0.0.1") -> bytes:
    """Send bytes and return those of the response."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head + await reader.readexactly(length)
    finally:
        writer.close()


def status_of(response: bytes) -> int:
    return int(response.split()[1])


def send(path: str, integration: FakeIntegration | None = None, **request: Any) -> httpx.Response:
    """Send one request (GET unless `method` is given) and return the response."""

    async def main() -> httpx.Response:
        async with serve(api_config(integration or FakeIntegration())) as (client, _, _):
            return await client.request(request.pop("method", "GET"), path, **request)

    return asyncio.run(main())
