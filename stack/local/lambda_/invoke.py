"""The Invoke API: events in, answers out."""

import asyncio
import os
import secrets
import time
from collections.abc import Collection
from pathlib import Path

from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.execution_environment import Settings
from stack.local.lambda_.function_version import FunctionVersion, install_runtime_client
from stack.local.lambda_.invocation import Invocation, Request
from stack.local.lambda_.pool import Concurrency, Pool
from stack.local.lambda_.runtime_api import MAX_PAYLOAD
from stack.local.system.processes import Guard


class PayloadTooLargeError(Exception):
    """The event is over 6,291,556 bytes: AWS's RequestTooLargeException."""


class Invoker:
    """To be made and used on one event loop.

    guard: starts the processes. logs: takes their output. home: keeps the runtime client's directory.
    freeze: stop environments between invocations, as Lambda does. strict_concurrency: throttle above the limit, as Lambda does,
    instead of letting requests wait. unreserved_concurrency: the limit of a function that reserves none.
    native_client: False for our own runtime client instead of AWS's native one. init_limit_s: Lambda's 10 s.
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
        self._settings = Settings(
            guard=guard, logs=logs, runtime_client=client, freeze=freeze, init_limit_s=init_limit_s
        )
        cores = asyncio.Semaphore(os.cpu_count() or 1)
        self._concurrency = Concurrency(
            starts=cores, unreserved=unreserved_concurrency, strict=strict_concurrency
        )
        self._pools: dict[str, Pool] = {}

    async def invoke(self, function: FunctionVersion, event: bytes, trace: str = "") -> Invocation:
        """The function's answer, or its error as an answer. `trace` is the value of X-Amzn-Trace-Id.

        Cancelling gives up the answer only: an invocation that has an environment, or one on its way, goes on.
        Raises ThrottledError and PayloadTooLargeError, in which case nothing was invoked.
        """
        if len(event) > MAX_PAYLOAD:
            raise PayloadTooLargeError(
                f"the event has {len(event):,} bytes, Lambda takes {MAX_PAYLOAD:,}"
            )
        answer: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()
        request = Request(function, event, trace or trace_id(), answer)
        pool = self._pool(function.function_name)
        pool.submit(request)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            pool.withdraw(request)
            raise

    async def start(self, function: FunctionVersion) -> None:
        """Have an environment ready ahead of the first request. InitError, with the log's last records, when it does not start."""
        await self._pool(function.function_name).start(function)

    async def retire(self, function_name: str, *, keep: Collection[str] = ()) -> None:
        """End the environments of versions that are not in `keep`: idle ones now, others after what they have to do."""
        pool = self._pools.get(function_name)
        if pool is not None:
            await asyncio.gather(*(environment.stop() for environment in pool.retire(keep)))

    async def stop(self) -> None:
        """End all environments. What runs is answered with an error, what waits is throttled."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    def pids(self, function_name: str) -> list[int]:
        """The processes of a function's environments, the oldest first."""
        pool = self._pools.get(function_name)
        return [environment.pid for environment in pool.environments] if pool else []

    def _pool(self, function_name: str) -> Pool:
        return self._pools.setdefault(function_name, Pool(self._settings, self._concurrency))


def trace_id() -> str:
    """A new value for X-Amzn-Trace-Id."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
