"""What is served at addresses of its own, as it stands in the store: started, kept and stopped in one place."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from stack.local.system.http_server import Server

App = TypeVar("App")
Call = Callable[[Coroutine[Any, Any, Any]], Any]


class HttpServerGroup(Generic[App]):
    """Applications by a name, each with a server. `configure` is for threads other than the loop's."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._configuring = asyncio.Lock()
        self._running: dict[str, tuple[App, Server]] = {}

    def configure(self) -> None:
        """Put what the store says into effect."""
        self._call(self._configure_alone())

    async def _configure_alone(self) -> None:
        async with (
            self._configuring
        ):  # resources are made side by side, and a server takes a moment to start
            await self._configure()

    async def _configure(self) -> None:
        raise NotImplementedError

    async def _serve(
        self, wanted: dict[str, int], make: Callable[[], App], what: str
    ) -> dict[str, App]:
        """Stop what is not wanted any more, start what is new at its port; the applications by name. UserError for a port that is taken."""
        for name in self._running.keys() - wanted.keys():
            await self._running.pop(name)[1].stop()
        for name in wanted.keys() - self._running.keys():
            app = make()
            server = Server(app, wanted[name], what=what)
            await server.start()
            self._running[name] = (app, server)
        return {name: app for name, (app, _) in self._running.items()}

    async def stop(self) -> None:
        for _, server in self._running.values():
            await server.stop()
