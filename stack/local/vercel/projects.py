"""Vercel projects as they stand in the store: built with their variables, served at the domains that they claim."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.resources.store import Store, stack_of
from stack.local.system.ports import StackPorts
from stack.local.system.processes import AbandonedError, Guard
from stack.local.system.server_group import Call, HttpServerGroup
from stack.local.vercel.builder import SiteBuilder
from stack.local.vercel.server import SiteServer


class VercelProjects(HttpServerGroup[SiteServer]):
    """Projects by the domains that they claim, as the store says. Methods are for threads other than the loop's.

    enabled: build the pages; without, domains answer as a project that has no deployment yet.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        guard: Guard,
        ports: Callable[[str], StackPorts],
        call: Call,
        *,
        enabled: bool = True,
    ) -> None:
        super().__init__(call)
        self.enabled = enabled
        self._store = store
        self._ports = ports
        self._builder = SiteBuilder(home, guard)

    def variables(self, project_id: str) -> Mapping[str, str]:
        """What a production deployment of the project is built with."""
        found = self._store.find("vercel-variables", projectId=project_id).values()
        return {
            record["key"]: record["value"] for record in found if "production" in record["targets"]
        }

    def prepare(self, frontend: Path, cancelled: threading.Event) -> None:
        """Install what a build needs, ahead of it and beside other work; what fails here fails again, and is told, in `build`."""
        if self.enabled:
            with contextlib.suppress(UserError, AbandonedError):
                self._builder.install(frontend, cancelled=cancelled)

    def build(
        self,
        frontend: Path,
        variables: Mapping[str, str],
        *,
        progress: Callable[[str], None],
        cancelled: threading.Event,
    ) -> Path | None:
        """The built pages, or None where they are left out."""
        return (
            self._builder.build(frontend, variables, progress=progress, cancelled=cancelled)
            if self.enabled
            else None
        )

    async def _configure(self) -> None:
        """Domains, each with the newest deployment of its project."""
        records = {
            domain: record
            for domain, record in self._store.find("vercel-domains").items()
            if domain == self._domain(record)
        }
        apps = await self._serve(
            {domain: self._port(record) for domain, record in records.items()},
            SiteServer,
            "the site",
        )
        for domain, app in apps.items():
            app.deploy(self._deployed(records[domain]["projectId"]))

    def _port(self, record: Mapping[str, Any]) -> int:
        return self._ports(stack_of(record["owner"])).site

    def _domain(self, record: Mapping[str, Any]) -> str:
        """What the stack's port makes of it; another port than before is claimed by the next evaluation."""
        return f"localhost:{self._port(record)}"

    def _deployed(self, project_id: str) -> Path | None:
        newest = list(self._store.find("vercel-deployments", projectId=project_id).values())[-1:]
        directories = [Path(record["directory"]) for record in newest if record["directory"]]
        return directories[0] if directories and directories[0].is_dir() else None
