"""The Vercel projects of the store: builds their sites and serves them at their domains.

Called by the resource handlers (resources.py); builds with builder.py, serves with server.py.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.resources.store import Store, stack_of
from stack.local.system.ports import StackPorts
from stack.local.system.processes import AbandonedError, Guard
from stack.local.system.server_group import HttpServerGroup, RunOnLoop
from stack.local.vercel.builder import SiteBuilder
from stack.local.vercel.server import SiteServer


class VercelProjects(HttpServerGroup[SiteServer]):
    """Serves each domain with its project's newest deployment; `configure` applies the store.

    The methods are for threads other than the event loop's.

    home: the directory of the stored builds. ports: returns the ports of a stack. enabled: whether
    sites are built; if not, domains respond like a project without a deployment.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        guard: Guard,
        ports: Callable[[str], StackPorts],
        run_on_loop: RunOnLoop,
        *,
        enabled: bool = True,
    ) -> None:
        super().__init__(run_on_loop)
        self.enabled = enabled
        self._store = store
        self._ports = ports
        self._builder = SiteBuilder(home, guard)

    def variables(self, project_id: str) -> Mapping[str, str]:
        """Return the environment variables of the project's production deployments."""
        found = self._store.find("vercel-variables", projectId=project_id).values()
        return {
            record["key"]: record["value"] for record in found if "production" in record["targets"]
        }

    def prepare(self, frontend: Path, cancelled: threading.Event) -> None:
        """Install the site's packages early, while other resources are created.

        A failure is ignored: `build` installs again and raises the error.
        """
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
        """Return the directory of the built site, None if sites are not built."""
        return (
            self._builder.build(frontend, variables, progress=progress, cancelled=cancelled)
            if self.enabled
            else None
        )

    async def _configure(self) -> None:
        # The record of a domain names the port that the stack had when it was created. When the
        # stack has another port by now, the record is skipped: the next evaluation claims the
        # domain of the new port.
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
        """Return the domain that the stack's port gives."""
        return f"localhost:{self._port(record)}"

    def _deployed(self, project_id: str) -> Path | None:
        """Return the directory of the project's newest deployment, None if there is none."""
        deployments = list(self._store.find("vercel-deployments", projectId=project_id).values())
        if not deployments or not deployments[-1]["directory"]:
            return None
        directory = Path(deployments[-1]["directory"])
        return directory if directory.is_dir() else None
