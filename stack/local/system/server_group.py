"""A group of ASGI applications, each with an HTTP server of its own, that follows the store."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

from stack.local.system.http_server import HttpServer

App = TypeVar("App")
RunOnLoop = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine on the servers' event loop from another thread, and returns its result."""


class HttpServerGroup(Generic[App]):
    """The applications of one service, each with a name and a server.

    Subclasses define which applications there are (`_configure`). `configure` may be called from
    any thread but the event loop's.
    """

    def __init__(self, run_on_loop: RunOnLoop) -> None:
        self._run_on_loop = run_on_loop
        self._configure_lock = asyncio.Lock()
        self._running: dict[str, tuple[App, HttpServer]] = {}

    def configure(self) -> None:
        """Apply what the store contains now. Raises UserError for a port that is in use."""
        self._run_on_loop(self._configure_exclusively())

    async def _configure_exclusively(self) -> None:
        # Resources are created concurrently, and a server is awaited while it starts: without the
        # lock, two calls would start a server for the same name.
        async with self._configure_lock:
            await self._configure()

    async def _configure(self) -> None:
        raise NotImplementedError

    def _allows_origin(self, _name: str, _origin: str) -> bool:
        """Whether pages of an origin that is not loopback may write to that application."""
        return False

    async def _serve(
        self, ports: dict[str, int], create_app: Callable[[], App], what: str
    ) -> dict[str, App]:
        """Run one application per name in `ports`, at its port; return the applications by name.

        Servers of other names are stopped; those that run already keep their application and port.
        `what` names the servers in the UserError for a port that is in use.
        """
        for name in self._running.keys() - ports.keys():
            await self._running.pop(name)[1].stop()
        for name in ports.keys() - self._running.keys():
            app = create_app()
            server = HttpServer(app, ports[name], what, partial(self._allows_origin, name))
            await server.start()
            self._running[name] = (app, server)
        return {name: app for name, (app, _) in self._running.items()}

    async def stop(self) -> None:
        """Stop all servers."""
        for _, server in self._running.values():
            await server.stop()
