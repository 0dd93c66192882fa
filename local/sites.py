"""Vercel projects as they stand in the store: built with their variables, served at the domains that they claim."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from components.errors import UserError
from local.ports import StackPorts
from local.processes import AbandonedError, Guard
from local.serving import Server
from local.site import SiteBuilder, SiteServer
from local.store import Store, stack_of


class Sites:
    """Serves what the store says. Methods are for threads other than the loop's, unless they are async.

    enabled: build the pages; without, domains answer as a project that has no deployment yet.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        guard: Guard,
        ports: Callable[[str], StackPorts],
        call: Callable[[Coroutine[Any, Any, Any]], Any],
        *,
        enabled: bool = True,
    ) -> None:
        self.enabled = enabled
        self._store = store
        self._ports = ports
        self._call = call
        self._configuring = asyncio.Lock()
        self._builder = SiteBuilder(home, guard)
        self._served: dict[str, tuple[SiteServer, Server]] = {}

    def variables(self, project_id: str) -> Mapping[str, str]:
        """What a production deployment of the project is built with."""
        found = self._store.find("vercel-variables", projectId=project_id).values()
        return {record["key"]: record["value"] for record in found if "production" in record["targets"]}

    def prepare(self, frontend: Path, cancelled: threading.Event) -> None:
        """Install what a build needs, ahead of it and beside other work; what fails here fails again, and is told, in `build`."""
        if self.enabled:
            with contextlib.suppress(UserError, AbandonedError):
                self._builder.install(frontend, cancelled=cancelled)

    def build(
        self, frontend: Path, variables: Mapping[str, str], *, progress: Callable[[str], None], cancelled: threading.Event
    ) -> Path | None:
        """The built pages, or None where they are left out."""
        return self._builder.build(frontend, variables, progress=progress, cancelled=cancelled) if self.enabled else None

    def configure(self) -> None:
        """Put what the store says into effect: domains, and the newest deployment of each project."""
        self._call(self._configure_alone())

    async def _configure_alone(self) -> None:
        async with self._configuring:  # resources are made side by side, and a server takes a moment to start
            await self._configure()

    async def _configure(self) -> None:
        domains = {domain: record for domain, record in self._store.find("vercel-domains").items() if domain == self._domain(record)}
        for domain in list(self._served):
            if domain not in domains:
                await self._served.pop(domain)[1].stop()
        for domain, record in domains.items():
            if domain not in self._served:
                site = SiteServer()
                server = Server(site, self._ports(stack_of(record["owner"])).site, what="the site")
                await server.start()
                self._served[domain] = (site, server)
            self._served[domain][0].deploy(self._deployed(record["projectId"]))

    def _domain(self, record: Mapping[str, Any]) -> str:
        """What the stack's port makes of it; another port than before is claimed by the next evaluation."""
        return f"localhost:{self._ports(stack_of(record['owner'])).site}"

    def _deployed(self, project_id: str) -> Path | None:
        newest = list(self._store.find("vercel-deployments", projectId=project_id).values())[-1:]
        directories = [Path(record["directory"]) for record in newest if record["directory"]]
        return directories[0] if directories and directories[0].is_dir() else None

    async def stop(self) -> None:
        for _, server in self._served.values():
            await server.stop()
