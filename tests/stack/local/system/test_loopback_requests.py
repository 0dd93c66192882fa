"""Which requests the servers on loopback refuse: those of other sites' pages, not of clients."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from stack.local.system.http_server import HttpServer
from stack.local.vercel.server import SiteServer
from tests.support.gateway import FakeIntegration, api_config, send_raw, serve, status_of

PAGE = "https://evil.example"


def request(
    headers: Mapping[str, str], *, method: str = "GET", integration: FakeIntegration | None = None
) -> httpx.Response:
    """Send a request to an API whose host is localhost unless `headers` have another."""

    async def main() -> httpx.Response:
        async with serve(api_config(integration or FakeIntegration())) as (client, port, _):
            fields = {name: value.replace("PORT", str(port)) for name, value in headers.items()}
            return await client.request(method, "/", headers=fields)

    return asyncio.run(main())


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example:PORT",
        "127.0.0.2",
        "10.0.0.7:PORT",
        "0.0.0.0:PORT",
        "[::2]:PORT",
        "[::ffff:127.0.0.1]",
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_request_for_another_host_is_refused_with_the_address_to_open(
    host: str, method: str
) -> None:
    integration = FakeIntegration()
    response = request({"host": host}, method=method, integration=integration)
    assert response.status_code == 421
    assert integration.events == []
    if method != "HEAD":
        port = response.url.port
        assert f"http://localhost:{port}" in response.json()["message"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:PORT",
        "LOCALHOST:PORT",
        "localhost.:PORT",
        "localhost:1",
        "127.0.0.1",
        "127.0.0.1:PORT",
        "[::1]",
        "[::1]:PORT",
    ],
)
def test_a_name_of_this_machine_is_served_with_or_without_a_port(host: str) -> None:
    assert request({"host": host}, method="POST").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    [
        PAGE,
        "null",
        "",
        "http://localhost.evil.example",
        "http://evil.example:80",
        "http://127.0.0.1@evil.example",
        "chrome-extension://abcdef",
        "file://",
        "http://localhost:1 http://evil.example",
    ],
)
def test_a_page_of_another_site_cannot_write(method: str, origin: str) -> None:
    integration = FakeIntegration()
    response = request({"origin": origin}, method=method, integration=integration)
    assert (response.status_code, integration.events) == (403, [])
    assert "extraOrigins" in response.json()["message"]


@pytest.mark.parametrize(
    ("method", "origin"),
    [
        ("POST", None),
        ("POST", "http://localhost:3000"),
        ("PATCH", "http://127.0.0.1:PORT"),
        ("DELETE", "http://[::1]:3000"),
        ("POST", "https://localhost"),
        ("GET", PAGE),
        ("HEAD", PAGE),
        ("OPTIONS", PAGE),
    ],
)
def test_other_clients_and_pages_of_this_machine_may_write_and_every_page_may_ask(
    method: str, origin: str | None
) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert request(headers, method=method).status_code == 200


def test_each_of_several_origins_has_to_be_permitted() -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null\r\n\r\n"

    async def main() -> bytes:
        async with serve(api_config(FakeIntegration())) as (_, port, _):
            return await send_raw(port, head)

    assert status_of(asyncio.run(main())) == 403


def test_an_origin_that_the_application_permits_may_write() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def main() -> list[int]:
        server = HttpServer(app, 0, "the API", lambda origin: origin == "https://app.example")
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://localhost:{server.port}") as client:
            found = [
                (await client.post("/", headers={"origin": origin})).status_code
                for origin in ("https://app.example", "https://app.example.evil.example")
            ]
        await server.stop()
        return found

    assert asyncio.run(main()) == [200, 403]


def test_the_site_is_served_for_its_own_host_only() -> None:
    async def main() -> list[int]:
        server = HttpServer(SiteServer(), 0, "the site")
        await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            found = [
                (await client.get("/", headers={"host": host})).status_code
                for host in (f"localhost:{server.port}", "evil.example")
            ]
            found.append((await client.post("/", headers={"origin": PAGE})).status_code)
        await server.stop()
        return found

    assert asyncio.run(main()) == [404, 421, 403]
