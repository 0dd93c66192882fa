"""Functions as callers see them: by name and qualifier, from the store's records."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.errors import UserError
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.invoke import Invoker
from stack.local.resources.store import Store

LATEST = "$LATEST"


class LambdaFunctions:
    """Invokes functions. Methods are for threads other than the loop's, unless they are async."""

    def __init__(
        self, store: Store, functions: Invoker, call: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._store = store
        self._functions = functions
        self._call = call
        self._swapped: dict[str, FunctionVersion] = {}
        self._starting: set[asyncio.Task[None]] = set()

    def version(self, name: str, qualifier: str) -> FunctionVersion:
        """What `qualifier` (a version, an alias, `$LATEST`) stands for now. Raises `UserError` when there is no such function."""
        record = self._store.get("functions", name)
        alias = self._store.get("aliases", f"{name}:{qualifier}")
        number = alias["functionVersion"] if alias else qualifier or LATEST
        if record is None or number not in record["versions"]:
            raise UserError(f"there is no function {name}:{qualifier}")
        if alias and name in self._swapped:
            return self._swapped[name]
        return _version(name, number, record)

    async def answer(self, name: str, qualifier: str, event: bytes, trace: str = "") -> Invocation:
        """Raises as `Invoker.invoke` does."""
        return await self._functions.invoke(self.version(name, qualifier), event, trace)

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        """A call at deployment: its environment ends with it."""

        async def once() -> Invocation:
            try:
                return await self.answer(name, qualifier, event)
            finally:
                await self._functions.retire(name, keep=self._aliased(name))

        return self._call(once())

    def permitted(self, name: str, qualifier: str, execution_arn: str) -> bool:
        """Whether the function's policy lets this API call it."""
        found = self._store.find(
            "permissions", function=name, qualifier=qualifier, principal="apigateway.amazonaws.com"
        )
        return any(record["sourceArn"] == f"{execution_arn}/*/*" for record in found.values())

    def changed(self, name: str) -> None:
        """A function or one of its aliases has been changed: environments of what nobody calls any more end after their request."""
        self._swapped.pop(name, None)
        self._call(self._settle(name))

    def swap(self, name: str, task_root: Path) -> None:
        """Let the alias of a function run other code at once, for a developer who has saved a file.

        Raises `InitError`, and the code that served goes on serving, when the new one does not start.
        """
        aliases = self._store.find("aliases", functionName=name)
        record = self._store.get("functions", name)
        if record is None or not aliases:
            raise UserError(f"there is no function {name} with an alias")
        published = _version(name, next(iter(aliases.values()))["functionVersion"], record)
        new = replace(
            published, task_root=task_root, version=f"{published.version}-{task_root.name}"
        )
        self._call(self._functions.start(new))
        self._swapped[name] = new
        self._call(self._functions.retire(name, keep=[new.version]))

    def start(self, name: str, qualifier: str) -> None:
        """Have an environment ready before the first request. Raises `InitError`."""
        self._call(self._functions.start(self.version(name, qualifier)))

    def directories(self) -> Collection[Path]:
        """What functions and layers run from."""
        layers = {Path(record["directory"]) for record in self._store.find("layers").values()}
        functions = self._store.find("functions").values()
        return layers | {
            Path(version["taskRoot"])
            for record in functions
            for version in record["versions"].values()
        }

    def _aliased(self, name: str) -> set[str]:
        aliased = {
            record["functionVersion"]
            for record in self._store.find("aliases", functionName=name).values()
        }
        return aliased | ({self._swapped[name].version} if name in self._swapped else set())

    async def _settle(self, name: str) -> None:
        await self._functions.retire(name, keep=self._aliased(name))
        for alias in self._store.find("aliases", functionName=name).values():
            task = asyncio.create_task(self._warm(name, alias["name"]))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _warm(self, name: str, alias: str) -> None:
        with contextlib.suppress(
            UserError
        ):  # in its log; the first request starts it again, as on LambdaFunctions
            await self._functions.start(self.version(name, alias))


def _version(name: str, number: str, record: Any) -> FunctionVersion:
    version = record["versions"][number]
    configuration = version["configuration"]
    reserved = record.get("reservedConcurrentExecutions", -1)
    return FunctionVersion(
        function_name=name,
        version=number,
        arn=f"{record['arn']}:{number}",
        handler=configuration["handler"],
        task_root=Path(version["taskRoot"]),
        layers=tuple(Path(layer) for layer in version["layers"]),
        environment=(configuration["environment"] or {}).get("variables", {}),
        memory_mb=configuration["memorySize"] or 128,
        timeout_s=configuration["timeout"] or 3,
        log_group=configuration["loggingConfig"]["logGroup"],
        reserved_concurrency=None if reserved < 0 else reserved,
    )
