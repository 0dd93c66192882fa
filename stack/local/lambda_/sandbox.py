"""A child process in a session of its own, its output always read: what an execution environment runs in."""

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
    """`start` it once; `ended` is set, after the last output was read, when the process and what it started are gone."""

    def __init__(self, guard: Guard, emit: Emit, on_end: Callable[[], None]) -> None:
        self._guard, self._on_end = guard, on_end
        self._output = Output(emit)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._frozen = False
        self.ended = asyncio.Event()
        self._memory: PeakMemory | None = None

    @property
    def telemetry(self) -> int:
        """The descriptor that the process has for log frames."""
        return self._output.telemetry

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
        output = self._output
        try:
            self._process = await self._guard.spawn_async(
                argv,
                what=what,
                cwd=cwd,
                env=dict(env),
                stdout=output.stdout,
                stderr=output.stderr,
                pass_fds=(output.telemetry,),
            )
        finally:
            output.started()
        self._memory = PeakMemory(self._process.pid)
        self._watch = asyncio.create_task(self._wait(self._process, self._memory))

    async def _wait(self, process: asyncio.subprocess.Process, memory: PeakMemory) -> None:
        await process.wait()
        self.signal(signal.SIGKILL)  # what it started and left behind
        self._guard.forget(process.pid)
        self._output.close()
        memory.close()
        self.ended.set()
        self._on_end()

    def drain(self) -> None:
        self._output.drain()

    @property
    def memory_mb(self) -> int:
        """Peak memory up to now, in MiB; what was last seen when the process is gone."""
        return self._memory.read() if self._memory is not None else 0

    def freeze(self) -> None:
        if not self._frozen:
            self._frozen = True
            self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            self.signal(signal.SIGCONT)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL when it has not gone after the grace."""
        self.thaw()
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.ended.wait()
        await self.kill()

    async def kill(self) -> None:
        if self._process is None:
            self._output.close()
            self.ended.set()
        self.signal(signal.SIGKILL)
        await self.ended.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the process and all that it started; nothing once it has ended, when the number may be another's."""
        if self._process is not None and not self.ended.is_set():
            with contextlib.suppress(
                ProcessLookupError, PermissionError
            ):  # macOS refuses for a zombie
                os.killpg(self._process.pid, number)
