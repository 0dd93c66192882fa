"""Runs functions in real execution environments."""

import asyncio
import itertools
import json
import textwrap
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil

from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.invoke import Invoker
from stack.local.system.processes import Guard

T = TypeVar("T")
GROUP = "/aws/lambda/fn"

RETURN_PID = """
import os, time

def handler(event, context):
    while "until" in event and not os.path.exists(event["until"]):
        time.sleep(0.01)
    time.sleep(event.get("sleep", 0))
    return os.getpid()
"""
"""A handler that returns its process id, once the file `until` exists and after `sleep` seconds."""


class FunctionRunner:
    """Creates versions of a function from source, runs them with an `Invoker`, reads their log."""

    def __init__(self, home: Path) -> None:
        self.home, self.logs = home, LogStore(home / "logs")
        self._versions = itertools.count(1)

    def function(self, source: str, **fields: Any) -> FunctionVersion:
        """Create a new version of the function `fn`, whose module `app` has this source."""
        version = str(next(self._versions))
        root = self.home / f"task-{version}"
        root.mkdir()
        (root / "app.py").write_text(textwrap.dedent(source))
        function = FunctionVersion(
            function_name="fn",
            version=version,
            arn="arn:aws:lambda:us-east-1:000000000000:function:fn:live",
            handler="app.handler",
            task_root=root,
            environment={},
            memory_mb=256,
            timeout_s=10,
            log_group=GROUP,
        )
        return replace(function, **fields)

    def run(self, scenario: Callable[[Invoker], Awaitable[T]], **settings: Any) -> T:
        """Return the scenario's result; an AssertionError if a process is left running."""

        async def main(guard: Guard) -> T:
            invoker = Invoker(guard, self.logs, self.home / "runtime", **settings)
            try:
                return await asyncio.wait_for(scenario(invoker), 20)
            finally:
                await invoker.stop()

        before = self._children()
        with self._guard() as guard:
            result = asyncio.run(main(guard))
        assert self._children() <= before
        return result

    @staticmethod
    def _children() -> set[int]:
        """Return the ids of all child processes but those of the tests' shared database."""
        found: set[int] = set()
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and child.name() != "postgres":
                    found.add(child.pid)
        return found

    @contextmanager
    def _guard(self) -> Generator[Guard]:
        guard = Guard(self.home / "run")
        guard.start()
        try:
            yield guard
        finally:
            guard.close()

    def messages(self) -> list[str]:
        return [record.message for record in self.logs.records() if record.group == GROUP]

    def log(self) -> str:
        return "\n".join(self.messages())


def payload_of(invocation: Invocation) -> Any:
    """Return the parsed payload of a successful invocation."""
    assert invocation.error is None, invocation.payload
    return json.loads(invocation.payload)


def event(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def invoke_at_once(
    runner: FunctionRunner,
    invoker: Invoker,
    function: FunctionVersion,
    requests: int,
    environments: int,
) -> list[int]:
    """Send `requests` at once, which end once there are `environments`; return the process ids."""
    release = runner.home / f"release-{time.monotonic_ns()}"
    calls = [
        asyncio.create_task(invoker.invoke(function, event(until=str(release))))
        for _ in range(requests)
    ]
    await until(lambda: len(invoker.pids("fn")) == environments)
    release.touch()
    return [payload_of(call) for call in await asyncio.gather(*calls)]


def process_statuses(invoker: Invoker) -> list[str]:
    return [psutil.Process(pid).status() for pid in invoker.pids("fn")]
