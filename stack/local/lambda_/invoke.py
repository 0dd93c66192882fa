"""Lambda's Invoke API.

Called by `LambdaFunctions` (functions.py), which knows names and aliases, with a version and an
event; the request goes on to the `Pool` of the function (pool.py).
"""

import asyncio
import os
import secrets
import time
from collections.abc import Collection
from pathlib import Path

from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.execution_environment import EnvironmentSettings
from stack.local.lambda_.function_version import FunctionVersion, install_runtime_client
from stack.local.lambda_.invocation import Invocation, Request
from stack.local.lambda_.pool import Concurrency, Pool
from stack.local.lambda_.runtime_api import MAX_PAYLOAD
from stack.local.system.processes import Guard


class PayloadTooLargeError(Exception):
    """The event is over 6,291,556 bytes: AWS's RequestTooLargeException."""


class Invoker:
    """Invokes versions of functions. To be created and used on one event loop.

    guard: starts the processes. logs: takes their output. home: holds the runtime client.
    freeze: stop environments between invocations, as Lambda does.
    strict_concurrency: throttle above the limit, as Lambda does, instead of letting requests wait.
    unreserved_concurrency: the limit of a function that reserves none.
    native_client: False for this project's runtime client instead of AWS's native one.
    init_limit_s: Lambda's 10 s.
    """

    def __init__(
        self,
        guard: Guard,
        logs: LogStore,
        home: Path,
        *,
        freeze: bool = True,
        strict_concurrency: bool = False,
        unreserved_concurrency: int = 10,
        native_client: bool | None = None,
        init_limit_s: float = 10.0,
    ) -> None:
        client = install_runtime_client(home, native=native_client)
        self._settings = EnvironmentSettings(
            guard=guard, logs=logs, runtime_client=client, freeze=freeze, init_limit_s=init_limit_s
        )
        cores = asyncio.Semaphore(os.cpu_count() or 1)
        self._concurrency = Concurrency(
            start_slots=cores, unreserved=unreserved_concurrency, strict=strict_concurrency
        )
        self._pools: dict[str, Pool] = {}

    async def invoke(self, function: FunctionVersion, event: bytes, trace: str = "") -> Invocation:
        """Return the function's result, which may be an error. `trace`: X-Amzn-Trace-Id.

        Cancelling gives up the result only: an invocation that has an environment, or one that is
        being started for it, goes on. Raises `ThrottledError` and `PayloadTooLargeError`; then
        nothing was invoked.
        """
        if len(event) > MAX_PAYLOAD:
            raise PayloadTooLargeError(
                f"the event has {len(event):,} bytes, Lambda takes {MAX_PAYLOAD:,}"
            )
        result: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        request = Request(function, event, trace or trace_id(), result)
        pool = self._pool(function.function_name)
        pool.submit(request)
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            pool.withdraw(request)
            raise

    async def start(self, function: FunctionVersion) -> None:
        """Start an environment ahead of the first request.

        Raises `InitError`, with the last log records, when it does not start.
        """
        await self._pool(function.function_name).start(function)

    async def retire(self, function_name: str, *, keep: Collection[str] = ()) -> None:
        """End environments of versions not in `keep`: idle ones now, others after their work."""
        pool = self._pools.get(function_name)
        if pool is not None:
            await asyncio.gather(*(environment.stop() for environment in pool.retire(keep)))

    async def stop(self) -> None:
        """End all environments. Running invocations fail, waiting requests are throttled."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    def versions(self) -> list[FunctionVersion]:
        """Return the versions that have an environment. Safe from any thread."""
        return [
            environment.function
            for pool in list(self._pools.values())
            for environment in list(pool.environments)
        ]

    def pids(self, function_name: str) -> list[int]:
        """Return the process ids of a function's environments, the oldest first."""
        pool = self._pools.get(function_name)
        return [environment.pid for environment in pool.environments] if pool else []

    def _pool(self, function_name: str) -> Pool:
        return self._pools.setdefault(function_name, Pool(self._settings, self._concurrency))


def trace_id() -> str:
    """Return a new value for X-Amzn-Trace-Id."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
