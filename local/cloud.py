"""The local cloud: what exists (`store`), and the servers and processes that make it answer."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from components.errors import UserError
from local import report
from local.apis import Apis
from local.functions import Functions
from local.lambda_ import Lambda
from local.logs import LogStore
from local.packages import Packages
from local.ports import Ports, StackPorts
from local.postgres import Postgres
from local.processes import AbandonedError, Guard
from local.sites import Sites
from local.store import Store, stack_of

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CloudOptions:
    """How the local cloud behaves; every figure that it keeps lies below `home`."""

    home: Path
    stack: str
    port: int | None = None
    frontend: bool = True
    freeze: bool = True
    strict_concurrency: bool = False


class Cloud:
    """Everything that resources are made real with. Its servers run on `loop`; its methods are for other threads, unless they are async.

    Raises `UserError` at once for a port that is taken and for a damaged file.
    """

    def __init__(self, options: CloudOptions, guard: Guard, loop: asyncio.AbstractEventLoop) -> None:
        self.home = options.home
        self._loop = loop
        self._stack = options.stack
        self._port = options.port
        self._ports = Ports(options.home / "ports.json")
        self._chosen: dict[str, StackPorts] = {}
        self._ports_lock = threading.Lock()
        chosen = self.ports(options.stack)
        self.store = Store(options.home / "cloud.json")
        self.logs = LogStore(options.home / "logs")
        self.packages = Packages(options.home / "packages")
        self._postgres = Postgres(options.home / "postgres", guard, port=chosen.postgres)
        self._started = threading.Event()
        self._start_error: Exception | None = None
        self.functions = Functions(
            guard,
            self.logs,
            options.home / "runtime",
            freeze=options.freeze,
            strict_concurrency=options.strict_concurrency,
        )
        self.lambda_ = Lambda(self.store, self.functions, self.call)
        self.apis = Apis(self.store, self.lambda_, self.logs, self.ports, self.call)
        self.sites = Sites(self.store, options.home / "site", guard, self.ports, self.call, enabled=options.frontend)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it; not to be called from the loop itself."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def ports(self, stack: str) -> StackPorts:
        """The stack's ports, chosen once."""
        with self._ports_lock:
            if stack not in self._chosen:
                self._chosen[stack] = self._ports.choose(stack, port=self._port if stack == self._stack else None)
            return self._chosen[stack]

    def forget(self, stack: str) -> None:
        """The stack's name is not used any more; its ports are free, unless it has something left."""
        if stack != self._stack and not self.store.stacks() & {stack}:
            with self._ports_lock:
                self._chosen.pop(stack, None)
                self._ports.forget(stack)

    def settles(self, stack: str) -> Mapping[str, str]:
        """Configuration that this machine settles for a stack: the site's port, and that the database speaks no TLS."""
        return {"siteDomain": f"localhost:{self.ports(stack).site}", "sslMode": "prefer"}

    def addresses(self) -> Mapping[str, str]:
        """The APIs' addresses by stack."""
        stacks = {stack_of(record["owner"]) for record in self.store.find("apis").values()}
        return {stack: f"http://localhost:{self.ports(stack).api}" for stack in sorted(stacks)}

    @property
    def postgres(self) -> Postgres:
        """The database server, once it answers. Raises what kept the local cloud from starting."""
        self._started.wait()
        if self._start_error is not None:
            raise self._start_error
        return self._postgres

    def start(self, cancelled: threading.Event) -> None:
        """Bring up what exists already: servers at their addresses, then the database."""
        try:
            for name, record in self.store.find("log-groups").items():
                self.logs.group(name, record["retentionInDays"])
            self.packages.prune(self.lambda_.directories())
            self.apis.configure()  # what a stack had made before answers while its program is evaluated
            self.sites.configure()
            self._postgres.start(cancelled)
            for note in self._postgres.notes:
                report.message(note)
        except Exception as error:  # noqa: BLE001 - raised where the database is asked for
            self._start_error = error
        finally:
            self._started.set()

    def heal(self, cancelled: threading.Event) -> str | None:
        """Start the database again when it has ended by itself; say in a sentence what came of it."""
        if not self._started.is_set() or self._start_error is not None or self._postgres.running or cancelled.is_set():
            return None
        try:
            self._postgres.start(cancelled)
        except (UserError, AbandonedError) as error:
            self._start_error = error
            return f"The database has ended by itself and does not start again: {error}"
        return f"The database had ended by itself and runs again; its log is {self._postgres.log_file}"

    async def stop(self) -> None:
        """Close the servers, end the functions, then the database."""
        await self.apis.stop()
        await self.sites.stop()
        await self.functions.stop()
        await asyncio.to_thread(self._postgres.stop)
