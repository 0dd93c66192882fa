"""Chooses, starts and ends the execution environments of one function.

Called by `Invoker` (invoke.py) with a `Request`, which a free environment runs
(execution_environment.py). Everything here runs on one event loop, without locks: each method
leaves the lists consistent before it awaits.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

from stack.local.lambda_.execution_environment import (
    EnvironmentSettings,
    ExecutionEnvironment,
    InitError,
)
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invocation import Request


class ThrottledError(Exception):
    """The function has no concurrency left: AWS's TooManyRequestsException."""


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """The limits that all pools share.

    start_slots: held by an environment while it starts.
    unreserved: how many environments a function without reserved concurrency gets.
    strict: throttle above the limit at once, as Lambda does, instead of letting requests wait.
    """

    start_slots: asyncio.Semaphore
    unreserved: int = 10
    strict: bool = False

    def limit(self, function: FunctionVersion) -> int:
        """Return how many environments the function may have."""
        return (
            self.unreserved
            if function.reserved_concurrency is None
            else function.reserved_concurrency
        )


@dataclass(eq=False)
class _PendingStart:
    """An environment that is being started.

    `request` caused the start, which does not mean that this environment will serve it: an
    environment that becomes idle earlier may. It is None for a start ahead of requests.
    """

    function: FunctionVersion
    request: Request | None = None
    task: asyncio.Task[object] | None = None
    retired: bool = False


@dataclass
class Pool:
    """The environments of all versions of a function, which share its concurrency.

    The environment that became idle last serves first. A request that finds none idle waits for
    whichever is ready first, and causes the start of another one as far as the limit allows.
    """

    settings: EnvironmentSettings
    concurrency: Concurrency
    environments: list[ExecutionEnvironment] = field(default_factory=list)
    _idle: list[ExecutionEnvironment] = field(default_factory=list)
    _starting: list[_PendingStart] = field(default_factory=list)
    _waiting: deque[Request] = field(default_factory=deque)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)
    _stopped: bool = False

    def submit(self, request: Request) -> None:
        """Serve the request now or queue it. Raises `ThrottledError` without concurrency for it."""
        environment = self._take_idle(request.function)
        if environment is not None:
            self._create_task(self._serve(environment, request))
            return
        limit = self.concurrency.limit(request.function)
        if self._stopped or limit == 0 or (self.concurrency.strict and self._in_use() >= limit):
            name = request.function.function_name
            raise ThrottledError(f"{name} has no concurrency left ({limit}): Rate Exceeded.")
        self._waiting.append(request)
        self._scale_out()

    def withdraw(self, request: Request) -> None:
        """Drop a request whose caller has given up, if it only waits for concurrency.

        A request with an environment, or with one being started for it, goes on: Lambda would have
        invoked the function by now.
        """
        if request in self._waiting and not self._has_start(request):
            self._waiting.remove(request)

    async def start(self, function: FunctionVersion) -> None:
        """Start an environment of this version unless one exists, whatever the limit is.

        Raises `InitError` when it does not start.
        """
        if any(
            environment.function == function and not environment.retired
            for environment in self.environments
        ):
            return
        pending = _PendingStart(function)
        self._starting.append(pending)
        error = await self._launch(pending, ahead=True)
        if error is not None:
            raise error

    def retire(self, keep: Collection[str]) -> list[ExecutionEnvironment]:
        """Retire the environments of versions that are not in `keep`.

        Those that are in use end after their request and the waiting requests of their version. The
        idle ones are returned: the caller has to stop them.
        """
        for one in (*self.environments, *self._starting):
            one.retired = one.function.version not in keep
        retired = [environment for environment in self._idle if environment.retired]
        self._idle = [environment for environment in self._idle if not environment.retired]
        return retired

    async def stop(self) -> None:
        """End all environments; requests that wait get a `ThrottledError`."""
        self._stopped = True
        for pending in self._starting:
            if pending.task is not None:
                pending.task.cancel()
        for request in self._waiting:
            request.result.set_exception(ThrottledError("the local cloud is being stopped"))
        self._waiting.clear()
        await asyncio.gather(*(environment.stop() for environment in list(self.environments)))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Selection and scaling

    def _take_idle(self, function: FunctionVersion) -> ExecutionEnvironment | None:
        for environment in reversed(self._idle):
            if environment.function == function and environment.ready:
                self._idle.remove(environment)
                return environment
        return None

    def _in_use(self) -> int:
        return len(self.environments) - len(self._idle) + len(self._starting)

    def _has_start(self, request: Request) -> bool:
        return any(pending.request is request for pending in self._starting)

    def _scale_out(self) -> None:
        """Start an environment for each waiting request that has no start yet, within the limit."""
        for request in list(self._waiting):
            if self._has_start(request):
                continue
            ahead = next(
                (
                    pending
                    for pending in self._starting
                    if pending.request is None and pending.function == request.function
                ),
                None,
            )
            if ahead is not None:
                ahead.request = request
                continue
            limit = self.concurrency.limit(request.function)
            if len(self.environments) + len(self._starting) >= limit:
                if not self._idle:
                    return
                # An idle environment of another version has to end. Both count until its process
                # is gone: a sum over the limit only delays further starts.
                self._create_task(self._idle.pop(0).stop())
            pending = _PendingStart(request.function, request)
            self._starting.append(pending)
            pending.task = self._create_task(self._launch(pending))

    async def _launch(self, pending: _PendingStart, *, ahead: bool = False) -> InitError | None:
        """Start an environment once there is a slot; the error is returned, not raised.

        By then other environments may have served the waiting requests. So it starts only when a
        request of this version still waits, or when it is to be started `ahead` of requests.
        """
        environment, error = None, None
        try:
            async with self.concurrency.start_slots:
                if ahead or any(request.function == pending.function for request in self._waiting):
                    environment = await self._start_environment(pending)
        except InitError as init_error:
            error = init_error
        finally:
            # Before anything below scales out: a start that is over must neither count against the
            # limit nor pass for the start of a request that still waits.
            self._starting.remove(pending)
        if environment is not None:
            self._dispatch(environment)
        elif error is not None:
            self._fail_waiting(pending, error)
        else:
            self._scale_out()
        return error

    async def _start_environment(self, pending: _PendingStart) -> ExecutionEnvironment:
        """Start the process. As on Lambda, an init over its limit is repeated once.

        The second init has the function's timeout, and is part of the first invocation.
        """
        environment = ExecutionEnvironment(pending.function, self.settings, self._remove)
        try:
            await environment.start()
        except InitError as error:
            if not error.timed_out:
                raise
            environment = ExecutionEnvironment(pending.function, self.settings, self._remove)
            await environment.start(within_invoke=True)
        environment.retired = pending.retired
        self.environments.append(environment)
        return environment

    def _fail_waiting(self, pending: _PendingStart, error: InitError) -> None:
        """Fail the request that caused the start; all of its version if no environment is left."""
        failed = [pending.request] if pending.request in self._waiting else []
        others = [
            one for one in (*self.environments, *self._starting) if one.function == pending.function
        ]
        if not others:
            failed = [request for request in self._waiting if request.function == pending.function]
        for request in failed:
            self._waiting.remove(request)
            request.fail(error.document)
        # The version has started before, so what still waits gets another attempt. If there are
        # only pending starts, those report for themselves.
        if any(isinstance(other, ExecutionEnvironment) for other in others):
            self._scale_out()

    # Serving

    async def _serve(self, environment: ExecutionEnvironment, request: Request) -> None:
        if environment.ready:
            try:
                await environment.invoke(request)
            except Exception as error:  # noqa: BLE001 - an internal error must reach the caller
                request.result.set_exception(error)
                await environment.stop()
        else:
            # The process ended before this task ran. It has not seen the event: queue it again.
            self._waiting.appendleft(request)
        self._dispatch(environment)

    def _dispatch(self, environment: ExecutionEnvironment) -> None:
        """Give the environment the next request of its version, or make it idle, or remove it."""
        if not environment.ready or self._stopped:
            self._create_task(environment.stop())
            self._remove(environment)
            return
        for request in self._waiting:
            if request.function == environment.function:
                self._waiting.remove(request)
                self._create_task(self._serve(environment, request))
                return
        if environment.retired:
            self._create_task(environment.stop())
        else:
            environment.freeze()
            self._idle.append(environment)
        # The requests that still wait are for other versions, for which this environment may end.
        self._scale_out()

    def _remove(self, environment: ExecutionEnvironment) -> None:
        """Forget an environment that has ended; may be called twice for one."""
        for environments in (self.environments, self._idle):
            if environment in environments:
                environments.remove(environment)
        self._scale_out()

    def _create_task(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        # The event loop holds only weak references to tasks.
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
