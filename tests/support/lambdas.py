"""Real functions in real environments, for tests: a handler's source, a data plane around a coroutine, the log that it left."""

import asyncio
import itertools
import json
import textwrap
from collections.abc import Awaitable, Callable, Iterator
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


class Lab:
    def __init__(self, home: Path) -> None:
        self.home, self.logs = home, LogStore(home / "logs")
        self._versions = itertools.count(1)

    def function(self, source: str, **fields: Any) -> FunctionVersion:
        """A new version of the function `fn`, whose module `app` has this source."""
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
        """The scenario's result; fails when it leaves a process behind."""

        async def main(guard: Guard) -> T:
            functions = Invoker(guard, self.logs, self.home / "runtime", **settings)
            try:
                return await asyncio.wait_for(scenario(functions), 20)
            finally:
                await functions.stop()

        before = self._children()
        with self._guard() as guard:
            result = asyncio.run(main(guard))
        assert self._children() <= before
        return result

    @staticmethod
    def _children() -> set[int]:
        """Without the processes of the database that other tests share: it starts and ends workers as it likes."""
        found: set[int] = set()
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and child.name() != "postgres":
                    found.add(child.pid)
        return found

    @contextmanager
    def _guard(self) -> Iterator[Guard]:
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


def body(invocation: Invocation) -> Any:
    assert invocation.error is None, invocation.payload
    return json.loads(invocation.payload)


def event(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
