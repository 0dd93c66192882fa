"""Times `GET /accounts/{id}` through the local cloud, and with the handler called directly.

Both read the same database with the same code, in alternating rounds.
"""

import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from service.app import create_app
from service.handler import make_handler
from service.settings import Settings
from tests.support import checkout
from tests.support.checkout import request

ACCOUNTS = 100
ROUNDS, REQUESTS = 5, 200


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-requests-") as directory:
        copy = checkout.make(Path(directory) / "checkout")
        try:
            with copy.up("--no-frontend") as outputs:
                request(
                    f"{outputs['api_url']}/ingest/generate-mock?count={ACCOUNTS}&seed=1", "POST"
                )
                _compare(outputs["api_url"], outputs["database_url"])
        finally:
            copy.run("reset", "--yes")


def _compare(api: str, database_url: str) -> None:
    ids = [
        account["id"]
        for account in json.loads(request(f"{api}/accounts?page_size=100")[2])["accounts"]
    ]
    paths = {
        "the handler called directly": _direct(database_url),
        "through gateway and runtime client": _through(api),
    }
    seconds: dict[str, list[float]] = {path_name: [] for path_name in paths}
    for _ in range(ROUNDS):
        for path_name, ask in paths.items():
            for number in range(REQUESTS):
                started = time.perf_counter()
                assert ask(f"/accounts/{ids[number % len(ids)]}") == 200
                seconds[path_name].append(time.perf_counter() - started)
    medians = {path_name: statistics.median(found) * 1000 for path_name, found in seconds.items()}
    for path_name, median in medians.items():
        print(
            f"GET /accounts/{{id}} {path_name}: p50 {median:.2f} ms, p95 "
            f"{statistics.quantiles(seconds[path_name], n=20)[-1] * 1000:.2f} ms"
        )
    direct, through = medians.values()
    print(
        f"the local cloud adds {through - direct:.2f} ms at p50 "
        f"({len(seconds['the handler called directly'])} requests each)"
    )


def _direct(database_url: str) -> Callable[[str], int]:
    handler = make_handler(create_app(Settings(database_url=database_url)))
    http_part = {
        "method": "GET",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "benchmark",
    }

    def ask(path: str) -> int:
        context = {
            "http": {**http_part, "path": path},
            "domainName": "localhost",
            "timeEpoch": int(time.time() * 1000),
        }
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"host": "localhost"},
            "requestContext": context,
        }
        return handler({**event, "isBase64Encoded": False}, None)["statusCode"]

    return ask


def _through(api: str) -> Callable[[str], int]:
    """Sends requests over one connection, with a client that costs almost nothing."""
    host = urlsplit(api).netloc
    connection = socket.create_connection(("127.0.0.1", urlsplit(api).port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(path: str) -> int:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        response = b""
        while b"\r\n\r\n" not in response:
            response += connection.recv(65536)
        head, _, body = response.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) - len(body)
        while left > 0:
            left -= len(connection.recv(65536))
        return int(head[9:12])

    return ask
