"""The local cloud: the record of what exists (`store`) and the emulated services."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from common.errors import UserError
from stack.local.apigateway.apis import HttpApis
from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.functions import LambdaFunctions
from stack.local.lambda_.invoke import Invoker
from stack.local.lambda_.packages import Packages
from stack.local.neon.postgres.server import Postgres
from stack.local.resources.store import Store, stack_of
from stack.local.scheduler.schedules import Schedules
from stack.local.system import events
from stack.local.system.ports import Ports, StackPorts
from stack.local.system.processes import AbandonedError, Guard
from stack.local.vercel.projects import VercelProjects

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CloudOptions:
    """Options of `stack up` that concern the services. `home` is `.local/`."""

    home: Path
    stack: str
    port: int | None = None
    frontend: bool = True
    freeze: bool = True
    strict_concurrency: bool = False


class Cloud:
    """Implements `stack.local.resources.base.Cloud`.

    Its servers run on `loop`; its methods are for other threads, except the async ones. The
    constructor raises `UserError` for a port that is taken and for a damaged file.
    """

    def __init__(
        self, options: CloudOptions, guard: Guard, loop: asyncio.AbstractEventLoop
    ) -> None:
        home = options.home
        self._loop = loop
        self._stack = options.stack
        self._port = options.port
        self._ports = Ports(home / "ports.json")
        self._chosen: dict[str, StackPorts] = {}
        self._ports_lock = threading.Lock()
        chosen = self.ports(options.stack)
        self.store = Store(home / "cloud.json")
        self._logs = LogStore(home / "logs")
        self._packages = Packages(home / "packages")
        self._postgres = Postgres(home / "postgres", guard, port=chosen.postgres)
        self._started = threading.Event()
        self._start_error: Exception | None = None
        self._invoker = Invoker(
            guard,
            self._logs,
            home / "runtime",
            freeze=options.freeze,
            strict_concurrency=options.strict_concurrency,
        )
        self.functions = LambdaFunctions(self.store, self._invoker, self.call)
        self.schedules = Schedules(self.store, self.functions, loop)
        self._apis = HttpApis(self.store, self.functions, self._logs, self.ports, self.call)
        self.sites = VercelProjects(
            self.store, home / "site", guard, self.ports, self.call, enabled=options.frontend
        )
        self._services: dict[type, Callable[[], Any]] = {
            LambdaFunctions: lambda: self.functions,
            Packages: lambda: self._packages,
            Schedules: lambda: self.schedules,
            HttpApis: lambda: self._apis,
            LogStore: lambda: self._logs,
            VercelProjects: lambda: self.sites,
            Postgres: self.wait_for_postgres,
        }

    def service(self, kind: type[T]) -> T:
        """Return the service of that class; Postgres once it accepts connections."""
        return self._services[kind]()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result. Never call it from the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def ports(self, stack: str) -> StackPorts:
        """Return the stack's ports, which are chosen once and stored."""
        with self._ports_lock:
            if stack not in self._chosen:
                port = self._port if stack == self._stack else None
                self._chosen[stack] = self._ports.choose(stack, port=port)
            return self._chosen[stack]

    def forget(self, stack: str) -> None:
        """Free the ports of a stack that has been removed, unless it still owns resources."""
        if stack != self._stack and not self.store.stacks() & {stack}:
            with self._ports_lock:
                self._chosen.pop(stack, None)
                self._ports.forget(stack)

    def config_overrides(self, stack: str) -> Mapping[str, str]:
        """Return the configuration that the local cloud determines, by short key.

        The site's host is localhost with the stack's port; the embedded database has no TLS.
        """
        return {"siteDomain": f"localhost:{self.ports(stack).site}", "sslMode": "prefer"}

    def addresses(self) -> Mapping[str, str]:
        """Return the URLs of the APIs by stack."""
        stacks = {stack_of(record["owner"]) for record in self.store.find("apis").values()}
        return {stack: f"http://localhost:{self.ports(stack).api}" for stack in sorted(stacks)}

    def wait_for_postgres(self) -> Postgres:
        """Return the server once it accepts connections, or raise why it cannot start."""
        self._started.wait()
        if self._start_error is not None:
            raise self._start_error
        return self._postgres

    def start(self, cancelled: threading.Event) -> None:
        """Start the servers of existing APIs and sites, then the database."""
        try:
            for name, record in self.store.find("log-groups").items():
                self._logs.group(name, record["retentionInDays"])
            self._packages.prune(self.functions.directories)
            # APIs and sites of the last run serve requests while the program is being evaluated.
            self._apis.configure()
            self.sites.configure()
            self._postgres.start(cancelled)
            for note in self._postgres.notes:
                events.message(note)
        except Exception as error:  # noqa: BLE001 - raised by `wait_for_postgres`
            self._start_error = error
        finally:
            self._started.set()

    def restart_postgres_if_down(self, cancelled: threading.Event) -> str | None:
        """Restart the database server when it has ended; a message for the user, or None."""
        if (
            not self._started.is_set()
            or self._start_error is not None
            or self._postgres.running
            or cancelled.is_set()
        ):
            return None
        try:
            self._postgres.start(cancelled)
        except (UserError, AbandonedError) as error:
            self._start_error = error
            return f"The database server has ended and cannot be restarted: {error}"
        return (
            f"The database server had ended and was restarted; its log is {self._postgres.log_file}"
        )

    async def stop(self) -> None:
        """Stop schedules and servers, the functions, then the database."""
        await self.schedules.stop()
        await self._apis.stop()
        await self.sites.stop()
        await self._invoker.stop()
        await asyncio.to_thread(self._postgres.stop)
