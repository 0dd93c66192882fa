"""The control socket, through which commands of the same user reach the supervisor.

Each connection carries one request and one reply, each a JSON object on one line.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

REPLY_TIMEOUT_S = 30.0

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


async def listen(path: Path, handler: Handler) -> asyncio.Server:
    """Serve `handler` at `path`, for this user only.

    Replaces the socket of a supervisor that was killed; the caller holds the lock, so none runs.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            reply = await handler(json.loads(line))
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (ValueError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    path.chmod(0o600)
    return server


def ask(
    path: Path, request: Mapping[str, Any], *, timeout: float = REPLY_TIMEOUT_S
) -> Mapping[str, Any] | None:
    """Send one request and return the reply; None when no supervisor replies in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        try:
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            line = client.makefile("rb").readline()
        except OSError:
            return None
    return json.loads(line) if line else None
