"""The environments of one function: which one serves a request, when one is started, when one ends."""

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any

from stack.local.lambda_.execution_environment import Environment, InitError, Settings
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invocation import Request


class ThrottledError(Exception):
    """No concurrency is left for the function: AWS's TooManyRequestsException."""


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """`unreserved` is how many environments a function without reserved concurrency gets on one machine; `strict` throttles above the
    limit at once, as Lambda does, instead of letting requests wait; `starts` is held by an environment while it starts."""

    starts: asyncio.Semaphore
    unreserved: int = 10
    strict: bool = False

    def limit(self, function: FunctionVersion) -> int:
        return (
            self.unreserved
            if function.reserved_concurrency is None
            else function.reserved_concurrency
        )


@dataclass(eq=False)
class _Start:
    """An environment that is being started. `request` asked for it, which another environment may serve in the end."""

    function: FunctionVersion
    request: Request | None = None
    task: asyncio.Task[object] | None = None
    retired: bool = False


@dataclass
class Pool:
    """Requests of all versions of a function share its concurrency.

    The environment that became idle last serves first. A request that finds none idle waits for whichever is ready first, while one
    is started on its behalf as long as the limit allows.
    """

    settings: Settings
    concurrency: Concurrency
    environments: list[Environment] = field(default_factory=list)
    _idle: list[Environment] = field(default_factory=list)
    _starting: list[_Start] = field(default_factory=list)
    _waiting: deque[Request] = field(default_factory=deque)
    _tasks: set[asyncio.Task[object]] = field(default_factory=set)
    _stopped: bool = False

    def submit(self, request: Request) -> None:
        """Serve it now, or let it wait. ThrottledError when there is no concurrency for it."""
        environment = self._take_idle(request.function)
        if environment is not None:
            self._run(self._serve(environment, request))
            return
        limit = self.concurrency.limit(request.function)
        if self._stopped or limit == 0 or (self.concurrency.strict and self._in_flight() >= limit):
            raise ThrottledError(
                f"{request.function.function_name} has no concurrency left ({limit}): Rate Exceeded."
            )
        self._waiting.append(request)
        self._scale()

    def withdraw(self, request: Request) -> None:
        """Nobody wants the answer any more. What Lambda would have begun goes on; what only waits for concurrency is dropped."""
        if request in self._waiting and not any(
            start.request is request for start in self._starting
        ):
            self._waiting.remove(request)

    async def start(self, function: FunctionVersion) -> None:
        """Have one environment of this version, limit or not. InitError when it does not start."""
        if any(
            environment.function == function and not environment.retired
            for environment in self.environments
        ):
            return
        start = _Start(function)
        self._starting.append(start)
        failure = await self._launch(start, ahead=True)
        if failure is not None:
            raise failure

    def retire(self, keep: Collection[str]) -> list[Environment]:
        """Environments of other versions serve what they have and what waits for them; the idle ones are returned, to be stopped."""
        for one in (*self.environments, *self._starting):
            one.retired = one.function.version not in keep
        leaving = [environment for environment in self._idle if environment.retired]
        self._idle = [environment for environment in self._idle if not environment.retired]
        return leaving

    async def stop(self) -> None:
        self._stopped = True
        for start in self._starting:
            if start.task is not None:
                start.task.cancel()
        for request in self._waiting:
            request.answer.set_exception(ThrottledError("the local cloud is being stopped"))
        self._waiting.clear()
        await asyncio.gather(*(environment.stop() for environment in list(self.environments)))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Choice

    def _take_idle(self, function: FunctionVersion) -> Environment | None:
        for environment in reversed(self._idle):
            if environment.function == function and environment.ready:
                self._idle.remove(environment)
                return environment
        return None

    def _in_flight(self) -> int:
        return len(self.environments) - len(self._idle) + len(self._starting)

    def _scale(self) -> None:
        """Start environments for requests that wait and have none on its way, an idle one of another version giving way if need be."""
        for request in list(self._waiting):
            if any(start.request is request for start in self._starting):
                continue
            ahead = next(
                (
                    start
                    for start in self._starting
                    if start.request is None and start.function == request.function
                ),
                None,
            )
            if ahead is not None:
                ahead.request = request
                continue
            if len(self.environments) + len(self._starting) >= self.concurrency.limit(
                request.function
            ):
                if not self._idle:
                    return
                self._run(self._idle.pop(0).stop())
            start = _Start(request.function, request)
            self._starting.append(start)
            start.task = self._run(self._launch(start))

    async def _launch(self, start: _Start, *, ahead: bool = False) -> InitError | None:
        """Start an environment when its turn comes, if it is still wanted then: because it is made `ahead` of requests, or one waits."""
        environment, failure = None, None
        try:
            async with self.concurrency.starts:
                if ahead or any(request.function == start.function for request in self._waiting):
                    environment = await self._started(start)
        except InitError as error:
            failure = error
        finally:
            self._starting.remove(start)
        if environment is not None:
            self._ready(environment)
        elif failure is not None:
            self._failed(start, failure)
        else:
            self._scale()
        return failure

    async def _started(self, start: _Start) -> Environment:
        """As Lambda does, an init that takes longer than its limit is repeated once, within the function's timeout."""
        environment = Environment(start.function, self.settings, self._ended)
        try:
            await environment.start()
        except InitError as error:
            if not error.timed_out:
                raise
            environment = Environment(start.function, self.settings, self._ended)
            await environment.start(within_invoke=True)
        environment.retired = start.retired
        self.environments.append(environment)
        return environment

    def _failed(self, start: _Start, error: InitError) -> None:
        """An init error answers the request that asked for it, and all that wait when nothing is left that could serve them."""
        failed = [start.request] if start.request in self._waiting else []
        others = [
            one for one in (*self.environments, *self._starting) if one.function == start.function
        ]
        if not others:
            failed = [request for request in self._waiting if request.function == start.function]
        for request in failed:
            self._waiting.remove(request)
            request.fail(error.document)
        if any(isinstance(other, Environment) for other in others):
            self._scale()

    # Service

    async def _serve(self, environment: Environment, request: Request) -> None:
        if environment.ready:
            try:
                await environment.invoke(request)
            except Exception as error:  # noqa: BLE001 - a fault of ours: the caller hears of it and does not wait for ever
                request.answer.set_exception(error)
                await environment.stop()
        else:  # it ended between the choice and now; the event has not reached it
            self._waiting.appendleft(request)
        self._ready(environment)

    def _ready(self, environment: Environment) -> None:
        """Give it what waits for its version, or let it wait itself; one that has ended is taken off."""
        if not environment.ready or self._stopped:
            self._run(environment.stop())
            self._ended(environment)
            return
        for request in self._waiting:
            if request.function == environment.function:
                self._waiting.remove(request)
                self._run(self._serve(environment, request))
                return
        if environment.retired:
            self._run(environment.stop())
        else:
            environment.freeze()
            self._idle.append(environment)
        self._scale()

    def _ended(self, environment: Environment) -> None:
        for environments in (self.environments, self._idle):
            if environment in environments:
                environments.remove(environment)
        self._scale()

    def _run(self, coroutine: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
