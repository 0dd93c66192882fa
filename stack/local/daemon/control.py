"""The control socket: one JSON object a line, one answer. Commands of the same user talk to the supervisor through it."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

ANSWER_S = 30.0

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


async def listen(path: Path, handler: Handler) -> asyncio.Server:
    """Serve `handler` at `path`, for this user only. A socket that a dead supervisor left is replaced: the lock says that it is dead."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            answer = await handler(json.loads(line))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ValueError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(converse, path)
    path.chmod(0o600)
    return server


def ask(path: Path, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Send one request and wait for its answer; None when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            line = client.makefile("rb").readline()
        except OSError:
            return None
    return json.loads(line) if line else None
