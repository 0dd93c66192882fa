"""The supervisor: the process that runs the local cloud.

`stack up` and `stack pulumi` start it. It ends at SIGINT, SIGTERM or SIGHUP, at `stack down`, and,
with `--attached`, when the process that started it ends.
"""

import argparse
import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.storage import storage_problem
from stack.local.cloud import Cloud, CloudOptions
from stack.local.daemon import control
from stack.local.daemon.lock import SupervisorLock, lock_holder
from stack.local.daemon.options import up_flags
from stack.local.system import events
from stack.local.system.files import limit_log
from stack.local.system.paths import LocalPaths
from stack.local.system.processes import AbandonedError, Guard, sweep

if TYPE_CHECKING:
    from stack.local.daemon.watch import Watch
    from stack.local.pulumi_provider.server import ProviderServer

FAILED, ALREADY_RUNNING = 1, 4
HEALTH_CHECK_INTERVAL_S = 1.0
REPLY_POLL_S = 0.1


class Supervisor:
    """Runs the local cloud from acquiring the lock until the last child process has ended.

    The event loop serves HTTP and the control socket. Evaluations block, so they run in the
    deployment thread (`_deploy`), which also waits for changes with `--watch`. `_stop` is the only
    way to end: it sets `_cancelled`, which that thread polls, and `_stopping`, which the loop
    awaits.
    """

    def __init__(self, paths: LocalPaths, options: argparse.Namespace) -> None:
        self._paths = paths
        self._options = options
        self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._cancelled = threading.Event()
        self._ready = False
        self._exit_code = 0
        self._cloud: Cloud | None = None
        self._replies: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._provider: ProviderServer | None = None
        self._watch: Watch | None = None
        self._provider_lock = threading.Lock()

    async def run(self) -> int:
        """Run until stopped and return the exit code."""
        try:
            return await self._run()
        except UserError as error:
            return self._fail(str(error))
        except OSError as error:
            return self._fail(_describe(error, self._paths.root))

    async def _run(self) -> int:
        self._paths.create()
        lock = SupervisorLock(self._paths.lock)
        if not lock.acquire():
            pid = lock_holder(self._paths.lock)
            return self._fail(
                f"the local cloud of this checkout runs already (process {pid}): "
                "see `stack status`, or `stack down` first",
                ALREADY_RUNNING,
            )
        # The lock is released last: whoever gets it finds no process of this supervisor.
        try:
            for sentence in sweep(self._paths.run):
                events.message(sentence)
            guard = Guard(self._paths.run)
            guard.start()
            try:
                return await self._serve(guard)
            finally:
                await asyncio.to_thread(guard.close)
        finally:
            lock.release()

    async def _serve(self, guard: Guard) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._stop)
        cloud = self._cloud = Cloud(_cloud_options(self._paths, self._options), guard, self._loop)
        server = await control.listen(self._paths.socket, self._handle_request)
        if self._options.attached:
            threading.Thread(target=self._stop_with_starter, daemon=True).start()
        deployment = asyncio.create_task(asyncio.to_thread(self._deploy, cloud))
        deployment.add_done_callback(self._on_deployment_ended)
        health = asyncio.create_task(self._health_loop(cloud))
        try:
            await self._stopping.wait()
            # The thread may be in the middle of an operation on the cloud's services. It ends soon,
            # because `_cancelled` is set, and only then are the services stopped.
            await asyncio.wait([deployment])
        finally:
            health.cancel()
            if self._provider is not None:
                await asyncio.to_thread(self._provider.stop)
            await cloud.stop()
            server.close()
            self._paths.socket.unlink(missing_ok=True)
        return self._exit_code

    def _deploy(self, cloud: Cloud) -> None:
        """Start the services and deploy the program; with `--watch`, redeploy until cancelled.

        Runs in a thread of its own. Without `--watch`, a failure stops the supervisor.
        """
        # Postgres takes about as long to start as the Pulumi SDK and the providers' SDKs take to
        # be imported, so they do so at the same time. Handlers that need the database wait for it.
        starting = threading.Thread(target=cloud.start, args=(self._cancelled,), name="start")
        starting.start()
        if not self._options.evaluate:
            self._wait_for_database(cloud)
            starting.join()
            return
        from stack.local.daemon.deployment import Deployment
        from stack.local.daemon.watch import Watch

        deployment = Deployment(
            self._paths, self._options.stack, cloud, self._cancelled, self._confirm
        )
        # `Watch` takes its first snapshot here, before the evaluation reads the files: a file that
        # is saved meanwhile is deployed by the first redeployment.
        watch = self._watch = (
            Watch(self._paths.root, deployment, cloud, self._attempt, self._cancelled)
            if self._options.watch
            else None
        )
        if self._attempt(deployment.deploy):
            self._emit_ready()
        elif watch is None:
            self._loop.call_soon_threadsafe(self._stop)
        if self._ready or watch is not None:
            # Not before: a function that is due would not have been deployed yet.
            cloud.call(cloud.schedules.start())
        if watch is not None:
            watch.run()
        starting.join()

    def _confirm(self, losses: Sequence[str]) -> None:
        """Ask whether an update may delete data. Raises `UserError` unless it may."""
        from stack.local.deploy.evaluate import refuse_data_loss

        lost = "\n".join(f"  {loss}" for loss in losses)
        # Not for a later change with `--watch`: nobody has seen what that one deletes.
        if self._options.allow_data_loss and not self._ready:
            events.message(f"The update deletes local data:\n{lost}")
            return
        if not self._options.terminal:
            refuse_data_loss(losses)
        events.emit("question", text=f"The update would delete local data:\n{lost}\nDelete it?")
        while not self._cancelled.is_set():
            with contextlib.suppress(queue.Empty):
                if self._replies.get(timeout=REPLY_POLL_S):
                    return
                break
        raise UserError("the update would delete local data: nothing was changed")

    def _wait_for_database(self, cloud: Cloud) -> None:
        """Report readiness for `stack pulumi`, whose engine evaluates the program itself."""
        if self._attempt(cloud.wait_for_postgres):
            self._emit_ready()
            cloud.call(cloud.schedules.start())
        else:
            self._loop.call_soon_threadsafe(self._stop)

    def _emit_ready(self) -> None:
        self._ready = True
        events.emit("ready", seconds=round(time.monotonic() - self._started, 3))

    def _on_deployment_ended(self, task: asyncio.Task[None]) -> None:
        """Stop after an internal error in the deployment thread."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._fail(_describe(error, self._paths.root))
            self._stop()

    def _attempt(self, operation: Callable[[], Any]) -> bool:
        """Run an operation and report its error; return whether it succeeded."""
        try:
            operation()
        except (UserError, AbandonedError) as error:
            text = str(error)
        except Exception as error:  # noqa: BLE001 - the program may raise anything
            text = _describe(error, self._paths.root)
        else:
            self._exit_code = 0  # with `--watch`, an earlier failure has been corrected
            return True
        if not self._cancelled.is_set():  # else the failure is only a result of the stop
            self._fail(text)
        return False

    async def _health_loop(self, cloud: Cloud) -> None:
        while True:
            await asyncio.sleep(HEALTH_CHECK_INTERVAL_S)
            for log in (self._paths.log, self._paths.postgres_log):
                limit_log(log)
            if sentence := await asyncio.to_thread(cloud.restart_postgres_if_down, self._cancelled):
                events.message(sentence)

    def _stop_with_starter(self) -> None:
        """Stop when the process that started this one ends, by SIGKILL too.

        Its end of the pipe on standard input is closed then.
        """
        # An unbuffered read: the thread still blocks in it when the interpreter exits, and must
        # not hold the lock of `sys.stdin`'s buffer, which the interpreter acquires to close it.
        while os.read(sys.stdin.fileno(), 1):
            pass
        self._loop.call_soon_threadsafe(self._stop)

    async def _handle_request(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Reply to a request on the control socket. Unknown requests get the status."""
        if request.get("do") == "stop":
            # Delayed, so that the reply is sent before the socket is closed.
            self._loop.call_later(0.01, self._stop)
            return {"stopping": True}
        if request.get("do") == "reply":
            self._replies.put(bool(request["accepted"]))
            return {}
        if request.get("do") == "provide" and self._cloud is not None:
            return await asyncio.to_thread(self._start_provider, self._cloud, str(request["stack"]))
        if request.get("do") == "migrate":
            if self._watch is None:
                return {"error": "it runs without --watch: `stack down`, then `stack up` migrates"}
            text, done = await asyncio.to_thread(self._watch.migrate)
            return {"text": text, "done": done}
        if request.get("do") == "invoke-schedule" and self._cloud is not None:
            try:
                text, done = await self._cloud.schedules.invoke(str(request["name"]))
            except UserError as error:
                return {"error": str(error)}
            return {"text": text, "done": done}
        if request.get("do") == "forget" and self._cloud is not None:
            self._cloud.forget(str(request["stack"]))
            return {}
        return {
            "pid": os.getpid(),
            "stack": self._options.stack if self._options.evaluate else None,
            "ready": self._ready,
            "seconds": round(time.monotonic() - self._started),
            "stacks": {} if self._cloud is None else self._cloud.addresses(),
            "schedules": [] if self._cloud is None else self._cloud.schedules.status(),
        }

    def _start_provider(self, cloud: Cloud, stack: str) -> Mapping[str, Any]:
        """Start the gRPC provider unless it runs.

        Return its port and the stack's `config_overrides`, or the reason why there is none.
        """
        # gRPC is imported here, because `stack up` does not need it.
        from stack.local.pulumi_provider.server import ProviderServer

        try:
            with self._provider_lock:  # two commands may ask at the same time
                if self._provider is None:
                    self._provider = ProviderServer(cloud, self._paths.root, events.message)
            return {"port": self._provider.port, "config_overrides": cloud.config_overrides(stack)}
        except UserError as error:
            return {"error": str(error)}

    def _stop(self) -> None:
        self._cancelled.set()
        self._stopping.set()

    def _fail(self, text: str, code: int = FAILED) -> int:
        self._exit_code = code
        events.emit("error", text=text, code=code)
        return code


def _describe(error: Exception, root: Path) -> str:
    """Return the error with the last lines of the checkout's own code that led to it.

    One that concerns the storage is a sentence without them.
    """
    if problem := storage_problem(error, root):
        return problem
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]
    own = [frame for frame in frames if ".venv" not in Path(frame.filename).parts]
    lines = [
        f"  {Path(frame.filename).relative_to(root)}:{frame.lineno} in {frame.name}"
        for frame in own[-6:]
    ]
    return "\n".join([f"{type(error).__name__}: {error}", *lines])


def _cloud_options(paths: LocalPaths, options: argparse.Namespace) -> CloudOptions:
    return CloudOptions(
        home=paths.directory,
        stack=options.stack,
        port=options.port,
        frontend=options.frontend,
        freeze=options.freeze,
        strict_concurrency=options.strict_concurrency,
    )


def main(arguments: Sequence[str]) -> int:
    """Run a supervisor; exit codes 0, 1 failed, 4 another one runs."""
    # A background job of a non-interactive shell starts with SIGINT ignored, and children would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(parents=[up_flags()])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--attached", action="store_true")
    parser.add_argument("--terminal", action="store_true", help="the user can be asked")
    parser.add_argument("--no-evaluation", dest="evaluate", action="store_false")
    options = parser.parse_args(arguments)

    async def run() -> int:
        return await Supervisor(LocalPaths(options.root), options).run()

    os.chdir(options.root)
    os.umask(0o022)  # the shell's must not decide who may read what the processes share
    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
