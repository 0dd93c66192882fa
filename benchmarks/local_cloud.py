"""What the local cloud itself costs: a trivial handler called directly, through the Runtime API, and through the gateway too.

`python -m benchmarks.local_cloud` prints medians, and the throughput of 200 clients over 8 environments; it keeps no files.
The clients run in a process of their own.
"""

import argparse
import asyncio
import json
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.gateway import served, version
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invoke import Invoker

ENVIRONMENTS = 8
CLIENTS = 200
_HANDLER = 'def handler(event, context):\n    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "ok"}\n'
_REQUEST = b"GET /accounts/42?expand=notes HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\nUser-Agent: benchmark\r\n\r\n"
_EVENT = json.dumps(
    {"version": "2.0", "rawPath": "/accounts/42", "requestContext": {"http": {"method": "GET"}}}
).encode()


class _Client(asyncio.Protocol):
    """Sends its requests one after the other over one connection."""

    transport: asyncio.Transport

    def __init__(self, requests: int) -> None:
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.done = asyncio.get_running_loop().create_future()
        self._left, self._buffer, self._sent = requests, b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self._left -= 1
        self._sent = time.perf_counter()
        self.transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < int(
            head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        ):
            return
        self.seconds.append(time.perf_counter() - self._sent)
        self.statuses[int(head[9:12])] += 1
        self._buffer = b""
        if self._left:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def many_clients(port: int, clients: int, requests: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    connections = [
        await loop.create_connection(lambda: _Client(requests // clients), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in connections))
    elapsed = time.perf_counter() - started
    statuses = sum((client.statuses for _, client in connections), Counter[int]())
    median = statistics.median(second for _, client in connections for second in client.seconds)
    return {
        "rps": sum(statuses.values()) / elapsed,
        "median_ms": median * 1000,
        "statuses": dict(statuses),
    }


def one_client(port: int, requests: int) -> dict[str, Any]:
    seconds: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(requests):
            started = time.perf_counter()
            connection.sendall(_REQUEST)
            connection.recv(65_536)
            seconds.append(time.perf_counter() - started)
    return {"median_ms": statistics.median(seconds) * 1000}


async def in_client_process(port: int, clients: int, requests: int) -> dict[str, Any]:
    arguments = [
        "-m",
        "benchmarks.local_cloud",
        "--port",
        str(port),
        "--clients",
        str(clients),
        "--requests",
        str(requests),
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output)


def direct_ms(requests: int) -> float:
    space: dict[str, Any] = {}
    exec(_HANDLER, space)  # the same text that the environments import
    seconds: list[float] = []
    for _ in range(requests):
        started = time.perf_counter()
        json.dumps(space["handler"](json.loads(_EVENT), None)).encode()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


async def runtime_ms(functions: Invoker, function: FunctionVersion, requests: int) -> float:
    seconds: list[float] = []
    for _ in range(requests):
        started = time.perf_counter()
        await functions.invoke(function, _EVENT)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1000


async def measure(directory: Path, requests: int, *, freeze: bool) -> None:
    task_root = directory / "task"
    task_root.mkdir()
    (task_root / "app.py").write_text(_HANDLER)
    function = version("app.handler", task_root, concurrency=ENVIRONMENTS)
    async with served(directory, function, freeze=freeze) as (functions, port):
        await runtime_ms(functions, function, 100)
        direct, runtime = direct_ms(requests), await runtime_ms(functions, function, requests)
        gateway = (await in_client_process(port, 1, requests))["median_ms"]
        print(f"handler called directly       {direct:7.3f} ms")
        print(f"through the Runtime API       {runtime:7.3f} ms   adds {runtime - direct:.3f}")
        print(
            f"through the gateway too       {gateway:7.3f} ms   adds {gateway - direct:.3f} in all"
        )
        await in_client_process(port, CLIENTS, CLIENTS)
        load = await in_client_process(port, CLIENTS, 5 * requests)
        environments = len(functions.pids("benchmark"))
        print(
            f"{CLIENTS} clients, {environments} environments  {load['rps']:5.0f} requests/s, {load['median_ms']:.0f} ms"
        )
        print("statuses", load["statuses"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--requests",
        type=int,
        default=2000,
        help="for each median; five times as many for the throughput",
    )
    parser.add_argument(
        "--no-freeze", action="store_true", help="let environments run between invocations"
    )
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--clients", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.port is None:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(
                measure(Path(directory), arguments.requests, freeze=not arguments.no_freeze)
            )
    elif arguments.clients == 1:
        print(json.dumps(one_client(arguments.port, arguments.requests)))
    else:
        print(
            json.dumps(
                asyncio.run(many_clients(arguments.port, arguments.clients, arguments.requests))
            )
        )


if __name__ == "__main__":
    main()
