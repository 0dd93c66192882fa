"""The process of an execution environment, in a session of its own, with its output always read."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stack.local.lambda_.memory import PeakMemory
from stack.local.lambda_.telemetry import Emit, Output
from stack.local.system.processes import Guard


class Sandbox:
    """A process that is started once.

    emit: takes its log records. on_end: called when the process and its children are gone.
    `ended` is set just before that, after the last output was read.
    """

    def __init__(self, guard: Guard, emit: Emit, on_end: Callable[[], None]) -> None:
        self._guard, self._on_end = guard, on_end
        self._output = Output(emit)
        self._process: asyncio.subprocess.Process | None = None
        self._wait_task: asyncio.Task[None] | None = None
        self._frozen = False
        self.ended = asyncio.Event()
        self._memory: PeakMemory | None = None

    @property
    def telemetry_fd(self) -> int:
        """The file descriptor to which the process writes log frames."""
        return self._output.telemetry_fd

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the process has not been started")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode if self._process else None

    async def start(
        self, argv: Sequence[str], *, what: str, cwd: Path, env: Mapping[str, str]
    ) -> None:
        """Start the process. `what`: its description for the guard. Raises OSError."""
        output = self._output
        try:
            self._process = await self._guard.spawn_async(
                argv,
                what=what,
                cwd=cwd,
                env=dict(env),
                stdout=output.stdout_fd,
                stderr=output.stderr_fd,
                pass_fds=(output.telemetry_fd,),
            )
        finally:
            # As long as this process holds a writing end, its pipe never reports the end of output.
            output.close_writers()
        self._memory = PeakMemory(self._process.pid)
        self._wait_task = asyncio.create_task(self._wait(self._process, self._memory))

    async def _wait(self, process: asyncio.subprocess.Process, memory: PeakMemory) -> None:
        await process.wait()
        # Children that the handler left running are in the same process group, and would keep the
        # pipes open.
        self.signal(signal.SIGKILL)
        self._guard.forget(process.pid)
        self._output.close()
        memory.close()
        self.ended.set()
        self._on_end()

    def drain(self) -> None:
        """Log all that has been written up to now."""
        self._output.drain()

    @property
    def memory_mb(self) -> int:
        """Peak memory up to now, in MiB; the last value read when the process is gone."""
        return self._memory.read() if self._memory is not None else 0

    def freeze(self) -> None:
        """Stop the process and its children (SIGSTOP) until `thaw`."""
        if not self._frozen:
            self._frozen = True
            self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            self.signal(signal.SIGCONT)

    async def stop(self, grace_s: float) -> None:
        """Send SIGTERM, and SIGKILL if the process still runs after `grace_s`."""
        self.thaw()  # a stopped process would handle SIGTERM only after SIGCONT
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.ended.wait()
        await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone; safe to call at any time."""
        if self._process is None:
            self._output.close()
            self.ended.set()
        self.signal(signal.SIGKILL)
        await self.ended.wait()

    def signal(self, number: signal.Signals) -> None:
        """Signal the process group, unless the process has ended: its id may be used again."""
        if self._process is not None and not self.ended.is_set():
            # PermissionError: macOS raises it for a group that has only zombies.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
