"""The one process that holds the local cloud: started by `stack up`, stopped by Ctrl-C, `stack down`, or its starter's end."""

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from stack.local.cloud import Cloud, CloudOptions
from stack.local.daemon import control
from stack.local.daemon.options import up_flags
from stack.local.system import events
from stack.local.system.paths import Home, Lock, holder
from stack.local.system.processes import AbandonedError, Guard, sweep

if TYPE_CHECKING:
    from stack.local.pulumi_provider.server import ProviderServer

FAILED, ALREADY_RUNNING = 1, 4
CHECK_S = 1.0


class Supervisor:
    """Runs from the lock to the last child's end; `run` returns the exit code."""

    def __init__(self, home: Home, options: argparse.Namespace) -> None:
        self._home = home
        self._options = options
        self._begun = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._cancelled = threading.Event()
        self._ready = False
        self._code = 0
        self._cloud: Cloud | None = None
        self._provider: ProviderServer | None = None
        self._provider_lock = threading.Lock()

    async def run(self) -> int:
        self._home.make()
        lock = Lock(self._home.lock)
        if not lock.acquire():
            pid = holder(self._home.lock)
            text = f"the local cloud of this checkout runs already (process {pid}): see `stack status`, or `stack down` first"
            return self._fail(text, ALREADY_RUNNING)
        try:
            for sentence in sweep(self._home.run):
                events.message(sentence)
            guard = Guard(self._home.run)
            guard.start()
            try:
                return await self._serve(guard)
            except UserError as error:
                return self._fail(str(error))
            finally:
                await asyncio.to_thread(guard.close)
        finally:
            lock.release()

    async def _serve(self, guard: Guard) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._stop)
        cloud = self._cloud = Cloud(_cloud_options(self._home, self._options), guard, self._loop)
        server = await control.listen(self._home.socket, self._answer)
        if self._options.attached:
            threading.Thread(target=self._await_starter, daemon=True).start()
        work = asyncio.create_task(asyncio.to_thread(self._work, cloud))
        work.add_done_callback(self._worked)
        health = asyncio.create_task(self._health_loop(cloud))
        try:
            await self._stopping.wait()
            await asyncio.wait([work])
        finally:
            health.cancel()
            if self._provider is not None:
                await asyncio.to_thread(self._provider.stop)
            await cloud.stop()
            server.close()
            self._home.socket.unlink(missing_ok=True)
        return self._code

    def _work(self, cloud: Cloud) -> None:
        """The thread that evaluates; ends with the first failure, or with the last change that is watched for."""
        starting = threading.Thread(target=cloud.start, args=(self._cancelled,), name="start")
        starting.start()
        if not self._options.evaluate:
            self._serve_engine(cloud)
            starting.join()
            return
        from stack.local.daemon.deployment import (
            Deployment,
        )  # Pulumi's SDK is imported while the database starts
        from stack.local.daemon.watch import Watch

        deployment = Deployment(self._home, self._options.stack, cloud, self._cancelled)
        watch = (
            Watch(self._home.root, deployment, cloud, self._attempt, self._cancelled)
            if self._options.watch
            else None
        )
        if self._attempt(deployment.deploy):
            self._ready = True
            events.emit("ready", seconds=round(time.monotonic() - self._begun, 3))
        elif watch is None:
            self._loop.call_soon_threadsafe(self._stop)
        if watch is not None:
            watch.run()
        starting.join()

    def _serve_engine(self, cloud: Cloud) -> None:
        """What `stack pulumi` starts: nothing is evaluated here, the engine does it."""
        self._ready = self._attempt(cloud.wait_for_postgres)
        if self._ready:
            events.emit("ready", seconds=round(time.monotonic() - self._begun, 3))
        else:
            self._loop.call_soon_threadsafe(self._stop)

    def _worked(self, task: asyncio.Task[None]) -> None:
        """Nothing is left that would end this process when its thread has broken off."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._fail(_trace(error, self._home.root))
            self._stop()

    def _attempt(self, what: Any) -> bool:
        try:
            what()
        except (UserError, AbandonedError) as error:
            text = str(error)
        except Exception as error:  # noqa: BLE001 - what a program raises is its author's to see
            text = _trace(error, self._home.root)
        else:
            self._code = 0  # what failed before has been put right
            return True
        if not self._cancelled.is_set():
            self._fail(text)
        return False

    async def _health_loop(self, cloud: Cloud) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            if sentence := await asyncio.to_thread(cloud.restart_postgres_if_down, self._cancelled):
                events.message(sentence)

    def _await_starter(self) -> None:
        """A starter that is gone, `kill -9` included, has closed our input."""
        while os.read(
            sys.stdin.fileno(), 1
        ):  # unbuffered: this thread is left behind, with no lock held
            pass
        self._loop.call_soon_threadsafe(self._stop)

    async def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request.get("do") == "stop":
            self._loop.call_later(0.01, self._stop)
            return {"stopping": True}
        if request.get("do") == "provide" and self._cloud is not None:
            return await asyncio.to_thread(self._provide, self._cloud, str(request["stack"]))
        if request.get("do") == "forget" and self._cloud is not None:
            self._cloud.forget(str(request["stack"]))
            return {}
        return {
            "pid": os.getpid(),
            "stack": self._options.stack if self._options.evaluate else None,
            "ready": self._ready,
            "seconds": round(time.monotonic() - self._begun),
            "stacks": {} if self._cloud is None else self._cloud.addresses(),
        }

    def _provide(self, cloud: Cloud, stack: str) -> Mapping[str, Any]:
        """Where the engine finds the provider, and what this machine settles of the stack's configuration; or why not."""
        from stack.local.pulumi_provider.server import (
            ProviderServer,
        )  # gRPC and the providers' SDKs, which `stack up` can do without

        try:
            with self._provider_lock:
                if self._provider is None:
                    self._provider = ProviderServer(cloud, self._home.root, events.message)
            return {"port": self._provider.port, "config_overrides": cloud.config_overrides(stack)}
        except UserError as error:
            return {"error": str(error)}

    def _stop(self) -> None:
        self._cancelled.set()
        self._stopping.set()

    def _fail(self, text: str, code: int = FAILED) -> int:
        self._code = code
        events.emit("error", text=text, code=code)
        return code


def _trace(error: Exception, root: Path) -> str:
    """The error with the places in the checkout that led to it."""
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]
    inside = [frame for frame in places if ".venv" not in Path(frame.filename).parts]
    lines = [
        f"  {Path(frame.filename).relative_to(root)}:{frame.lineno} in {frame.name}"
        for frame in inside[-6:]
    ]
    return "\n".join([f"{type(error).__name__}: {error}", *lines])


def _cloud_options(home: Home, options: argparse.Namespace) -> CloudOptions:
    return CloudOptions(
        home=home.path,
        stack=options.stack,
        port=options.port,
        frontend=options.frontend,
        freeze=options.freeze,
        strict_concurrency=options.strict_concurrency,
    )


def main(arguments: Sequence[str]) -> int:
    own = argparse.ArgumentParser(parents=[up_flags()])
    own.add_argument("--root", type=Path, required=True)
    own.add_argument("--stack", default="local")
    own.add_argument("--attached", action="store_true")
    own.add_argument("--no-evaluation", dest="evaluate", action="store_false")
    options = own.parse_args(arguments)

    async def run() -> int:
        return await Supervisor(Home(options.root), options).run()

    os.chdir(options.root)
    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
