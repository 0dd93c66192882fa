"""Serves an ASGI application on the loopback addresses, within the running event loop."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator
from typing import Any

import uvicorn

from stack.local.system.loopback_requests import AllowsOrigin, LoopbackRequests
from stack.local.system.ports import loopback, port_in_use

_KEEP_ALIVE_S = 75  # browsers and proxies keep idle connections for about a minute
_SHUTDOWN_S = 2  # for requests that are being served when the server stops


class _Uvicorn(uvicorn.Server):
    """A uvicorn server that leaves signals to the supervisor and sets `listening` once it does."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class HttpServer:
    """An HTTP server, whose constructor binds the sockets: a port in use fails before the start.

    `what` names the server in that UserError ("the API"). With port 0 the system chooses a free
    one; the attribute `port` is the number in either case. `allows_origin`: see `LoopbackRequests`.
    """

    def __init__(
        self,
        app: Any,
        port: int,
        what: str = "the API",
        allows_origin: AllowsOrigin = lambda _: False,
    ) -> None:
        self._app = LoopbackRequests(app, what, allows_origin)
        self._sockets = _bind(port, what)
        self.port: int = self._sockets[0].getsockname()[1]
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the server and return when it accepts connections."""
        config = uvicorn.Config(
            self._app,
            http="httptools",
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._server = _Uvicorn(config)
        self._task = asyncio.create_task(self._server.serve(sockets=self._sockets))
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            await self._task  # has failed: raises its exception

    async def stop(self) -> None:
        """Stop accepting connections, give running requests two seconds, and close the sockets."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        for listener in self._sockets:
            listener.close()


def _listen(address: str, port: int) -> socket.socket:
    # With the protocol given: asyncio sets TCP_NODELAY only on sockets whose protocol is
    # IPPROTO_TCP. Without it, a response of two writes takes 40 ms (Nagle and delayed ACK).
    listener = socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET,
        socket.SOCK_STREAM,
        socket.IPPROTO_TCP,
    )
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _bind(port: int, what: str) -> list[socket.socket]:
    """Listen on every loopback address; with port 0, on the first one's port on all of them."""
    sockets: list[socket.socket] = []
    try:
        for address in loopback():
            sockets.append(_listen(address, sockets[0].getsockname()[1] if sockets else port))
    except OSError as error:
        for bound in sockets:
            bound.close()
        if error.errno == errno.EADDRINUSE:
            raise port_in_use(port, what) from None
        raise
    return sockets
