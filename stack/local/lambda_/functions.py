"""Functions by name and qualifier, as their callers know them, from the records of the store.

Called by the gateway (apigateway/apis.py), by resource handlers (resources.py) and by `stack up`; a
call goes on to `Invoker` (invoke.py) with the version that the name and the qualifier mean now.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import UserError
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.invoke import Invoker
from stack.local.resources.store import Store

LATEST = "$LATEST"


class _Swapped(NamedTuple):
    """What `--watch` runs for an alias, and the directory of the code that it replaces."""

    version: FunctionVersion
    published_code: Path


class LambdaFunctions:
    """Invokes functions. Methods are for threads other than the loop's, unless they are async.

    call: runs a coroutine on the invoker's loop and waits for it.
    """

    def __init__(
        self, store: Store, invoker: Invoker, call: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._store = store
        self._invoker = invoker
        self._call = call
        self._swapped: dict[str, _Swapped] = {}
        self._start_tasks: set[asyncio.Task[None]] = set()

    def version(self, name: str, qualifier: str) -> FunctionVersion:
        """Return the version that `qualifier` (a version, an alias, `$LATEST`) means now.

        Raises `UserError` when there is no such function.
        """
        record = self._store.get("functions", name)
        alias = self._store.get("aliases", f"{name}:{qualifier}")
        number = alias["functionVersion"] if alias else qualifier or LATEST
        if record is None or number not in record["versions"]:
            raise UserError(f"there is no function {name}:{qualifier}")
        if alias and name in self._swapped:
            return self._swapped[name].version
        found = _version(name, number, record)
        for swapped in self._swapped.values():
            if number == LATEST and found.task_root == swapped.published_code:
                return replace(found, task_root=swapped.version.task_root)
        return found

    async def invoke_async(
        self, name: str, qualifier: str, event: bytes, trace: str = ""
    ) -> Invocation:
        """Invoke a function for a request. Raises as `Invoker.invoke` does."""
        return await self._invoker.invoke(self.version(name, qualifier), event, trace)

    async def invoke_once(self, name: str, qualifier: str, event: bytes) -> Invocation:
        """Invoke a function that is not called often: at deployment, or by a schedule.

        Afterwards only environments of versions that an alias names go on, and that of a published
        version which succeeded: an alias is about to name it. Raises as `invoke_async` does.
        """
        keep = self._versions_in_use(name)
        try:
            result = await self.invoke_async(name, qualifier, event)
            if qualifier != LATEST and not result.error:
                keep.add(qualifier)
            return result
        finally:
            await self._invoker.retire(name, keep=keep)

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        """Call `invoke_once` from another thread."""
        return self._call(self.invoke_once(name, qualifier, event))

    def is_permitted(self, name: str, qualifier: str, execution_arn: str) -> bool:
        """Whether the function's policy lets this API invoke it."""
        permissions = self._store.find(
            "permissions", function=name, qualifier=qualifier, principal="apigateway.amazonaws.com"
        )
        source = f"{execution_arn}/*/*"
        return any(record["sourceArn"] == source for record in permissions.values())

    def changed(self, name: str) -> None:
        """Apply a change of a function: environments of versions that no alias names end.

        They end after their request. None is started: an alias may be about to name another one.
        """
        self._call(self._invoker.retire(name, keep=self._versions_in_use(name)))

    def alias_changed(self, name: str) -> None:
        """Apply a change of a function's aliases, which ends what `swap` has started.

        The versions that they name now are started ahead of requests, unless they run.
        """
        self._swapped.pop(name, None)
        self.changed(name)
        self._call(self._start_all_ahead(name))

    def swap(self, name: str, task_root: Path, variables: Mapping[str, str], event: bytes) -> None:
        """Run other code for the alias of a function at once, for `--watch`.

        Functions of the same code that have no version run it too, from their next call on.
        variables: of the environment, which differ with the code. event: has to succeed on the new
        code first. Raises `UserError` when it fails, and `InitError` when the new code does not
        start; then the old code goes on serving.
        """
        aliases = self._store.find("aliases", functionName=name)
        record = self._store.get("functions", name)
        if record is None or not aliases:
            raise UserError(f"there is no function {name} with an alias")
        published = _version(name, next(iter(aliases.values()))["functionVersion"], record)
        new = replace(
            published,
            task_root=task_root,
            environment={**published.environment, **variables},
            version=f"{published.version}-{task_root.name}",
        )
        self._call(self._invoker.start(new))
        result = self._call(self._invoker.invoke(new, event))
        if not result.error:
            self._swapped[name] = _Swapped(new, published.task_root)
        self._call(self._invoker.retire(name, keep=self._versions_in_use(name)))
        raise_if_failed(name, new.version, result)

    def start(self, name: str, qualifier: str) -> None:
        """Start the published code, in an environment ahead of the first request.

        This ends what `swap` has started. Raises `InitError`.
        """
        if self._swapped.pop(name, None):
            self.changed(name)
        self._call(self._invoker.start(self.version(name, qualifier)))

    def directories(self) -> Collection[Path]:
        """Return the directories that functions and layers run from."""
        running = self._invoker.versions()
        return recorded_directories(self._store).union(
            *({version.task_root, *version.layers} for version in running)
        )

    def _versions_in_use(self, name: str) -> set[str]:
        if name in self._swapped:
            return {self._swapped[name].version.version}
        return {
            record["functionVersion"]
            for record in self._store.find("aliases", functionName=name).values()
        }

    async def _start_all_ahead(self, name: str) -> None:
        for alias in self._store.find("aliases", functionName=name).values():
            task = asyncio.create_task(self._start_ahead(name, alias["name"]))
            self._start_tasks.add(task)
            task.add_done_callback(self._start_tasks.discard)

    async def _start_ahead(self, name: str, alias: str) -> None:
        # The function's log has the error; the first request starts it again, as on Lambda.
        with contextlib.suppress(UserError):
            await self._invoker.start(self.version(name, alias))


def recorded_directories(store: Store) -> set[Path]:
    """Return the directories of the layers, and of the versions of the functions."""
    found = {Path(record["directory"]) for record in store.find("layers").values()}
    for record in store.find("functions").values():
        for version in record["versions"].values():
            found |= {Path(version["taskRoot"]), *map(Path, version["layers"])}
    return found


def raise_if_failed(name: str, qualifier: str, invocation: Invocation) -> None:
    """Raise `UserError` with the reason when the function has failed."""
    if not invocation.error:
        return
    text = error_text(invocation)
    called = name if qualifier == LATEST else f"{name}:{qualifier}"
    raise UserError(f"the function {called} failed: {text}. Its log: `stack logs`")


def error_text(invocation: Invocation) -> str:
    """Return class and message of the error with which a function has failed."""
    text = invocation.payload.decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        document = json.loads(text)
        text = f"{document['errorType']}: {document['errorMessage']}"
    return text


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
