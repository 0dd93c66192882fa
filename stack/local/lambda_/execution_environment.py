"""One execution environment: init, one invocation at a time, freeze and thaw, end.

Called by `Pool` (pool.py). `invoke` hands the event to the process through its Runtime API
(runtime_api.py), where AWS's runtime client polls for it and calls the handler; the process runs in
a sandbox (sandbox.py).
"""

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

_RECORDS_IN_ERROR = 20
_EXIT, _MEMORY, _TIMEOUT = "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout"


@dataclass(frozen=True, kw_only=True)
class EnvironmentSettings:
    """What all environments share.

    freeze: stop the process between invocations. max_response: bytes.
    init_limit_s: of an init on its own; Lambda's 10 s.
    stop_grace_s: between SIGTERM and SIGKILL.
    """

    guard: Guard
    logs: LogStore
    runtime_client: Path
    freeze: bool = True
    init_limit_s: float = 10.0
    max_response: int = MAX_PAYLOAD
    stop_grace_s: float = 1.0


class InitError(UserError):
    """The process did not get as far as polling for an event.

    `document` is Lambda's error document as JSON; the text ends with the last log records.
    `timed_out`: it was over the limit of an init, which Lambda repeats.
    """

    def __init__(
        self,
        function: FunctionVersion,
        document: bytes,
        records: list[str],
        *,
        timed_out: bool = False,
    ) -> None:
        self.document, self.timed_out = document, timed_out
        name = f"{function.function_name}, version {function.version}"
        reason = error_field(document, "errorMessage")
        super().__init__("\n".join([f"{name}, does not start: {reason}", *records]))


class ExecutionEnvironment:
    """One process that runs one version of a function; `on_end` is called when it is gone."""

    def __init__(
        self,
        function: FunctionVersion,
        settings: EnvironmentSettings,
        on_end: Callable[["ExecutionEnvironment"], None],
    ) -> None:
        self.function, self.retired = function, False
        self._settings, self._on_end = settings, on_end
        self._stream_name = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        self._log_group = settings.logs.group(function.log_group)
        self._records: deque[str] = deque(maxlen=_RECORDS_IN_ERROR)
        self._api = RuntimeApi(self, max_response=settings.max_response)
        self._sandbox = Sandbox(settings.guard, self._log, self._on_process_end)
        # The end of init or of one invocation: True when the runtime client polls for the next
        # event, False when the process has failed or ended.
        self._phase_end = self._new_phase()
        self._request: Request | None = None
        self._init_error: bytes | None = None
        self._init_s: float | None = None
        # Start of the invocation; of the init already when that is repeated within the invocation.
        self._started: float | None = None
        self._outcome: Invocation | None = None
        self._duration_s: float | None = None
        self._memory_mb = 0
        # Set when the platform ends the process: "timeout" or "error", and the error type.
        self._status = self._error_type = ""

    @property
    def ready(self) -> bool:
        """Whether the runtime client polls for an event."""
        return (
            self._api.polling is not None
            and self._request is None
            and not self._sandbox.ended.is_set()
        )

    @property
    def pid(self) -> int:
        return self._sandbox.pid

    async def start(self, *, within_invoke: bool = False) -> None:
        """Run the process until it polls for its first event. Raises `InitError` otherwise.

        `within_invoke` repeats an init that was over its limit: it may take the function's timeout,
        and its time is part of the first invocation.
        """
        started = time.monotonic()
        self._log(platform_log.init_start(f"python:{platform.python_version()}"))
        polled = False
        try:
            await self._spawn()
            async with asyncio.timeout(
                self.function.timeout_s if within_invoke else self._settings.init_limit_s
            ):
                polled = await self._phase_end
        except TimeoutError:
            self._status = "timeout"
        except OSError as error:
            self._init_error = error_document(
                f"the process cannot be started: {error}", "Runtime.InvalidEntrypoint"
            )
        finally:
            # Also when the pool cancels the start.
            seconds = time.monotonic() - started
            if not polled:
                await self._kill()
        if not polled:
            raise self._init_failure(seconds, "invoke" if within_invoke else "init")
        self._memory_mb = self._sandbox.memory_mb
        if within_invoke:
            self._started = started
        else:
            self._init_s = seconds

    async def _spawn(self) -> None:
        function = self.function
        variables = environment_variables(
            function,
            runtime_api=await self._api.open(),
            runtime_client=self._settings.runtime_client,
            log_stream=self._stream_name,
            telemetry_fd=self._sandbox.telemetry_fd,
        )
        what = f"{function.function_name} version {function.version}"
        await self._sandbox.start(
            command(function), what=what, cwd=function.task_root, env=variables
        )

    def _init_failure(self, seconds: float, phase: str) -> InitError:
        timed_out = self._status == "timeout"
        if timed_out:
            document = error_document(platform_log.timed_out(seconds), _TIMEOUT)
        elif self._init_error is not None:
            document = self._init_error
        else:
            reason = platform_log.exit_reason(self._sandbox.returncode)
            self._log(f"{reason}\n{_EXIT}")
            document = error_document(reason, _EXIT)
        error_type = "" if timed_out else error_field(document, "errorType")
        self._log(
            platform_log.init_report(
                seconds, phase=phase, status=self._status or "error", error_type=error_type
            )
        )
        records = [
            record
            for record in self._records
            if not record.startswith("INIT_") and "LAMBDA_WARNING" not in record
        ]
        return InitError(self.function, document, records, timed_out=timed_out)

    async def invoke(self, request: Request) -> None:
        """Run one invocation in an environment that is `ready`, and complete the request.

        Afterwards the environment is ready again or has ended.
        """
        loop = asyncio.get_running_loop()
        started = self._started = self._started or time.monotonic()
        left_s = started + self.function.timeout_s - time.monotonic()
        self._request, self._outcome, self._duration_s = request, None, None
        self._phase_end = self._new_phase()
        sent = time.time()
        timer = loop.call_later(left_s, self._time_out)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request.id,
            "Lambda-Runtime-Deadline-Ms": str(int((sent + left_s) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.arn,
            "Lambda-Runtime-Trace-Id": request.trace_id,
        }
        # The event waits in the socket's buffer while the process is still stopped.
        self._api.send(headers, request.event)
        self._sandbox.thaw()
        self._log(platform_log.start(request.id, self.function.version), sent)
        try:
            polled = await self._phase_end
        finally:
            timer.cancel()
        # All that the handler wrote is in the pipes by now; it has to be logged before END.
        self._sandbox.drain()
        # No accepted result: none was posted, or the call used too much memory.
        if not polled or self._outcome is None:
            await self._end_process(request)
        if self._outcome is not None:
            request.complete(self._outcome)
        self._report(request, self._duration_s or time.monotonic() - started)
        self._request = self._init_s = self._started = None

    async def _end_process(self, request: Request) -> None:
        await self._kill()
        if self._status == "timeout":
            limit, error_type = platform_log.timed_out(self.function.timeout_s), _TIMEOUT
            message = f"RequestId: {request.id} Error: {limit}"
            self._log(platform_log.timeout_record(time.time(), request.id, limit))
        else:
            self._status = "error"
            self._error_type = error_type = self._error_type or _EXIT
            reason = platform_log.exit_reason(self._sandbox.returncode)
            message = f"RequestId: {request.id} Error: {reason}"
            self._log(f"{message}\n{error_type}")
        # A result that was posted in time counts, even when the process failed after it.
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

    def freeze(self) -> None:
        """Stop the process as Lambda does between invocations; `invoke` continues it."""
        if self._settings.freeze and self.ready:
            self._sandbox.freeze()

    async def stop(self) -> None:
        """End the process; a request that it runs fails."""
        await self._sandbox.stop(self._settings.stop_grace_s)

    async def _kill(self) -> None:
        self._api.close()
        await self._sandbox.kill()

    def _time_out(self) -> None:
        self._status = "timeout"
        self._memory_mb = self._sandbox.memory_mb  # while the process still exists
        self._sandbox.signal(signal.SIGKILL)

    def _on_process_end(self) -> None:
        self._api.close()
        self._end_phase(polled=False)
        self._on_end(self)

    # Calls of the runtime client (runtime_api.Listener)

    def on_next(self) -> None:
        self._end_phase(polled=True)

    def on_response(self, request_id: str, payload: bytes) -> None:
        if self._accepts_result(request_id):
            self._outcome = Invocation(request_id=request_id, payload=payload)

    def on_error(self, request_id: str, error_type: str, payload: bytes) -> None:
        if self._accepts_result(request_id):
            if error_type == TOO_LARGE:
                self._log(error_field(payload, "errorMessage"))
            self._outcome = Invocation.failed(request_id, payload)

    def on_init_error(self, payload: bytes) -> None:
        self._init_error = payload
        self._end_phase(polled=False)

    def _accepts_result(self, request_id: str) -> bool:
        """Whether this is the running request's first result, within its time and its memory."""
        if (
            self._request is None
            or self._request.id != request_id
            or self._duration_s is not None
            or self._status
            or self._started is None
        ):
            return False
        self._duration_s = time.monotonic() - self._started
        self._memory_mb = self._sandbox.memory_mb
        # Lambda kills the process during the call; here its peak is checked afterwards.
        if self._memory_mb > self.function.memory_mb:
            self._error_type = _MEMORY
        return not self._error_type

    @staticmethod
    def _new_phase() -> asyncio.Future[bool]:
        return asyncio.get_running_loop().create_future()

    def _end_phase(self, *, polled: bool) -> None:
        if not self._phase_end.done():
            self._phase_end.set_result(polled)

    def _log(self, message: str, timestamp: float | None = None) -> None:
        self._records.append(message.rstrip("\r\n"))
        self._log_group.write(message, timestamp)
