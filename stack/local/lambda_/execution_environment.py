"""The life of one execution environment: init, one invocation at a time, freeze and thaw, end."""

import asyncio
import platform
import signal
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common.errors import UserError
from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_ import platform_log
from stack.local.lambda_.function_version import FunctionVersion, command, environment_variables
from stack.local.lambda_.invocation import Invocation, Request, error_field
from stack.local.lambda_.runtime_api import MAX_PAYLOAD, TOO_LARGE, RuntimeApi, error_document
from stack.local.lambda_.sandbox import Sandbox
from stack.local.system.processes import Guard

_TAIL = 20  # log records that an InitError shows
_EXIT, _MEMORY, _TIMEOUT = "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all environments share; the figures are Lambda's, in seconds and bytes."""

    guard: Guard
    logs: LogStore
    runtime_client: Path
    freeze: bool = True
    init_limit_s: float = 10.0
    max_response: int = MAX_PAYLOAD
    stop_grace_s: float = 1.0


class InitError(UserError):
    """The environment did not get as far as asking for an event. `document` is the error as JSON; the text has the last log records."""

    def __init__(
        self,
        function: FunctionVersion,
        document: bytes,
        records: list[str],
        *,
        timed_out: bool = False,
    ) -> None:
        self.document, self.timed_out = document, timed_out
        reason = error_field(document, "errorMessage")
        super().__init__(
            "\n".join(
                [
                    f"{function.function_name}, version {function.version}, does not start: {reason}",
                    *records,
                ]
            )
        )


class Environment:
    """One process that runs one version of a function."""

    def __init__(
        self, function: FunctionVersion, settings: Settings, on_end: Callable[["Environment"], None]
    ) -> None:
        self.function, self.retired = function, False
        self._settings, self._on_end = settings, on_end
        self._stream_name = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self._stream = settings.logs.group(function.log_group).stream(self._stream_name)
        self._records: deque[str] = deque(maxlen=_TAIL)
        self._api = RuntimeApi(self, max_response=settings.max_response)
        self._sandbox = Sandbox(settings.guard, self._log, self._ended)
        self._turn = self._new_turn()
        self._request: Request | None = None
        self._init_error: bytes | None = None
        self._init_s: float | None = None
        self._began: float | None = (
            None  # of an invocation, when an init within it has already used some of its time
        )
        self._outcome: Invocation | None = None
        self._duration_s: float | None = None
        self._memory_mb = 0
        self._status = self._error_type = ""  # how the platform ended it

    @property
    def ready(self) -> bool:
        """Waits for an event."""
        return (
            self._api.polling is not None
            and self._request is None
            and not self._sandbox.ended.is_set()
        )

    @property
    def pid(self) -> int:
        return self._sandbox.pid

    async def start(self, *, within_invoke: bool = False) -> None:
        """Run the process until it asks for its first event. InitError when it does not.

        `within_invoke` repeats an init that was over its limit: it has the function's timeout, and is part of the first invocation.
        """
        began = time.monotonic()
        self._log(platform_log.init_start(f"python:{platform.python_version()}"))
        asked = False
        try:
            await self._spawn()
            async with asyncio.timeout(
                self.function.timeout_s if within_invoke else self._settings.init_limit_s
            ):
                asked = await self._turn
        except TimeoutError:
            self._status = "timeout"
        except OSError as error:
            self._init_error = error_document(
                f"the process cannot be started: {error}", "Runtime.InvalidEntrypoint"
            )
        finally:
            seconds = time.monotonic() - began
            if not asked:
                await self._give_up()
                self._stream.close()
        if not asked:
            raise self._init_failure(seconds, "invoke" if within_invoke else "init")
        self._memory_mb = self._sandbox.memory_mb
        if within_invoke:
            self._began = began
        else:
            self._init_s = seconds

    async def _spawn(self) -> None:
        function = self.function
        variables = environment_variables(
            function,
            runtime_api=await self._api.open(),
            runtime_client=self._settings.runtime_client,
            log_stream=self._stream_name,
            telemetry=self._sandbox.telemetry,
        )
        what = f"{function.function_name} version {function.version}"
        await self._sandbox.start(
            command(function), what=what, cwd=function.task_root, env=variables
        )

    def _init_failure(self, seconds: float, phase: str) -> InitError:
        timed_out, reason = self._status == "timeout", platform_log.exited(self._sandbox.returncode)
        if timed_out:
            document = error_document(platform_log.timed_out(seconds), _TIMEOUT)
        elif self._init_error is not None:
            document = self._init_error
        else:
            self._log(f"{reason}\n{_EXIT}")
            document = error_document(reason, _EXIT)
        error_type = "" if timed_out else error_field(document, "errorType")
        self._log(
            platform_log.init_report(
                seconds, phase=phase, status=self._status or "error", error_type=error_type
            )
        )
        self._stream.close()
        records = [
            record
            for record in self._records
            if not record.startswith("INIT_") and "LAMBDA_WARNING" not in record
        ]
        return InitError(self.function, document, records, timed_out=timed_out)

    async def invoke(self, request: Request) -> None:
        """Run one invocation in a `ready` environment, which is ready again, or has ended, when the request has its answer."""
        loop = asyncio.get_running_loop()
        began = self._began = self._began or time.monotonic()
        left_s = began + self.function.timeout_s - time.monotonic()
        self._request, self._outcome, self._duration_s, self._turn = (
            request,
            None,
            None,
            self._new_turn(),
        )
        started = time.time()
        clock = loop.call_later(left_s, self._time_out)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request.id,
            "Lambda-Runtime-Deadline-Ms": str(int((started + left_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
            "Lambda-Runtime-Trace-Id": request.trace_id,
        }
        self._api.send(headers, request.event)
        self._sandbox.thaw()
        self._log(platform_log.start(request.id, self.function.version), started)
        try:
            asked = await self._turn
        finally:
            clock.cancel()
        self._sandbox.drain()
        if not asked or self._outcome is None:
            await self._end_of_process(request)
        if self._outcome is not None:
            request.settle(self._outcome)
        self._report(request, self._duration_s or time.monotonic() - began)
        self._request = self._init_s = self._began = None

    async def _end_of_process(self, request: Request) -> None:
        await self._give_up()
        if self._status == "timeout":
            limit, error_type = platform_log.timed_out(self.function.timeout_s), _TIMEOUT
            message = f"RequestId: {request.id} Error: {limit}"
            self._log(platform_log.at(time.time(), request.id, limit))
        else:
            self._status = "error"
            self._error_type = error_type = self._error_type or _EXIT
            message = (
                f"RequestId: {request.id} Error: {platform_log.exited(self._sandbox.returncode)}"
            )
            self._log(f"{message}\n{error_type}")
        self._outcome = self._outcome or Invocation.failed(
            request.id, error_document(message, error_type)
        )

    def _report(self, request: Request, duration_s: float) -> None:
        self._log(platform_log.end(request.id))
        report = platform_log.Report(
            request_id=request.id,
            duration_s=duration_s,
            memory_size_mb=self.function.memory_mb,
            memory_used_mb=self._memory_mb,
            init_s=self._init_s,
            status=self._status,
            error_type=self._error_type,
        )
        self._log(str(report))
        if self._sandbox.ended.is_set():
            self._stream.close()

    def freeze(self) -> None:
        """Stop the process as Lambda does between invocations; `invoke` lets it go on."""
        if self._settings.freeze and self.ready:
            self._sandbox.freeze()

    async def stop(self) -> None:
        """End it, whatever it does; a request that it has is answered with an error."""
        await self._sandbox.stop(self._settings.stop_grace_s)

    async def _give_up(self) -> None:
        self._api.close()
        await self._sandbox.kill()

    def _time_out(self) -> None:
        self._status = "timeout"
        self._memory_mb = self._sandbox.memory_mb
        self._sandbox.signal(signal.SIGKILL)

    def _ended(self) -> None:
        self._api.close()
        if self._request is None:
            self._stream.close()
        if not self._turn.done():
            self._turn.set_result(False)
        self._on_end(self)

    # What the runtime client says (runtime_api.Listener)

    def on_next(self) -> None:
        if not self._turn.done():
            self._turn.set_result(True)

    def on_response(self, request_id: str, payload: bytes) -> None:
        if self._answers(request_id):
            self._outcome = Invocation(request_id=request_id, payload=payload)

    def on_error(self, request_id: str, error_type: str, payload: bytes) -> None:
        if self._answers(request_id):
            if error_type == TOO_LARGE:
                self._log(error_field(payload, "errorMessage"))
            self._outcome = Invocation.failed(request_id, payload)

    def on_init_error(self, payload: bytes) -> None:
        self._init_error = payload
        if not self._turn.done():
            self._turn.set_result(False)

    def _answers(self, request_id: str) -> bool:
        """Whether this is the first answer to the request that runs, within its time and its memory."""
        if (
            self._request is None
            or self._request.id != request_id
            or self._duration_s is not None
            or self._status
            or self._began is None
        ):
            return False
        self._duration_s = time.monotonic() - self._began
        self._memory_mb = self._sandbox.memory_mb
        if (
            self._memory_mb > self.function.memory_mb
        ):  # judged after the call; Lambda kills in the middle of it
            self._error_type = _MEMORY
        return not self._error_type

    @staticmethod
    def _new_turn() -> asyncio.Future[bool]:
        """Settled by the client's next question (True) or by the process's end (False)."""
        return asyncio.get_running_loop().create_future()

    def _log(self, message: str, timestamp: float | None = None) -> None:
        self._records.append(message.rstrip("\r\n"))
        self._stream.write(message, timestamp)
