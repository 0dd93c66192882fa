"""`stack up --watch`: deploys saved changes.

A change of `service/` alone only replaces the function's code; any other change (frontend, program)
redeploys the stack. A changed migration, and whatever changes after it, waits for `stack migrate`:
a migration that has been applied half-written cannot be taken back.
"""

import contextlib
import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from bundle import build_code
from bundle.cache import status_of
from common.editor_files import is_editor_file
from config.events import HEALTH_EVENT
from config.function_environment import VERSION_VARIABLE
from stack.local.cloud import Cloud
from stack.local.daemon.deployment import Deployment
from stack.local.system import events
from stack.local.system.file_events import FileEvents

REPLY_S = 0.1
# Changes count as complete when nothing has changed for this long: an editor may write a file in
# several steps, and a checkout of a branch writes many files.
DEBOUNCE_S = 0.05
IGNORED = {"node_modules", ".next", "out", "__pycache__", ".venv", ".local", ".git"}
SERVICE, MIGRATIONS = Path("service"), Path("service/migrations")
MIGRATION_CODE: Final = (MIGRATIONS, SERVICE / "migrate.py")
WATCHED = (
    SERVICE,
    Path("frontend"),
    Path("bundle"),
    Path("components"),
    Path("config"),
    Path("__main__.py"),
    Path("requirements/service.txt"),
)

Snapshot = dict[Path, list[int]]
"""The status of each watched file (see `status_of`), by its path below the root."""


class Watch:
    """Looks for changes of the checkout when there may be some, and deploys them.

    attempt: runs a deployment, reports its error, and returns whether it succeeded.
    """

    def __init__(
        self,
        root: Path,
        deployment: Deployment,
        cloud: Cloud,
        attempt: Callable[[Callable[[], None]], bool],
        cancelled: threading.Event,
    ) -> None:
        self._root = root
        self._deployment = deployment
        self._cloud = cloud
        self._attempt = attempt
        self._cancelled = cancelled
        self._directories: frozenset[Path] = frozenset()
        self._initial = self.snapshot()
        self._applied = self._migrations()
        self._requests: queue.SimpleQueue[Future[tuple[str, bool]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Deploy changes until cancelled.

        The first comparison is with the files as they were when this object was constructed, so
        construct it before the first deployment.
        """
        deployed = seen = self._initial
        file_events = FileEvents(self, events.message)
        while True:
            file_events.wait(self._directories)
            if self._cancelled.is_set():
                return
            request = None if self._requests.empty() else self._requests.get()
            now = self.snapshot()
            if now == seen and request is None:
                continue
            while not self._cancelled.wait(DEBOUNCE_S) and (later := self.snapshot()) != now:
                now = later
            # `now` is taken before the deployment. A file that is saved while it runs differs from
            # `now` in the next round, so it is not missed.
            seen, migrations = now, self._migrations()
            waiting = _different(self._applied, migrations)
            if waiting and request is None:
                events.message(
                    f"{_names(waiting)}: not applied. `stack migrate` applies it and serves this "
                    "and every later change; reverting it serves the others"
                )
                continue
            # Without a waiting migration, a migration's file has its old content again.
            changed = _different(deployed, now) - (migrations.keys() - waiting)
            deployed = now
            text, done = "no migration waits", True
            if changed or waiting:
                text, done = self._apply(changed | waiting)
                if done:
                    self._applied = migrations
            if request is not None:
                request.set_result((text, done))

    def is_set(self) -> bool:
        """Whether `run` has something to do that is no change of a file."""
        return self._cancelled.is_set() or not self._requests.empty()

    def wait(self, timeout: float) -> bool:
        """Wait; return early when cancelled."""
        return self._cancelled.wait(timeout) or self.is_set()

    def migrate(self) -> tuple[str, bool]:
        """Deploy what waits, migrations included.

        Blocks; returns a sentence about it, and whether it succeeded.
        """
        request: Future[tuple[str, bool]] = Future()
        self._requests.put(request)
        while not self._cancelled.wait(REPLY_S):
            if request.done():
                return request.result()
        return "stopped", False

    def snapshot(self) -> Snapshot:
        """Return the current status of every watched file."""
        found: Snapshot = {}
        directories = {(self._root / path).parent for path in WATCHED}
        for path in (*WATCHED, *self._root.glob("Pulumi*.yaml")):
            for directory, files in _walk(self._root / path):
                directories.add(directory)
                for file in files:
                    with contextlib.suppress(OSError):  # deleted since, or a dead link
                        found[file.relative_to(self._root)] = status_of(file)
        self._directories = frozenset(filter(Path.is_dir, directories))
        return found

    def _migrations(self) -> dict[Path, bytes]:
        """Return the hash of each migration's content."""
        return {
            path.relative_to(self._root): hashlib.sha256(path.read_bytes()).digest()
            for _, files in _walk(self._root / MIGRATIONS)
            for path in files
            if path.suffix == ".py" and path.is_file()
        }

    def _apply(self, changed: set[Path]) -> tuple[str, bool]:
        """Deploy the changed files; return a sentence about it, and whether it succeeded."""
        code_only = all(
            path.is_relative_to(SERVICE) and not any(map(path.is_relative_to, MIGRATION_CODE))
            for path in changed
        )
        # Without outputs no deployment has succeeded yet, so there is no function to update.
        deploy_code = code_only and self._deployment.outputs
        done = self._attempt(self._replace_code if deploy_code else self._deployment.redeploy)
        text = "served" if done else "not served, the previous version still runs"
        events.message(f"{_names(changed)}: {text}")
        return f"{_names(changed)}: {text}", done

    def _replace_code(self) -> None:
        """Serve the new code without an evaluation, as the next version of the function."""
        code = build_code(self._root)
        self._cloud.functions.swap(
            self._deployment.outputs["function_name"],
            self._root / code.path,
            {VERSION_VARIABLE: code.version},
            HEALTH_EVENT.encode(),
        )


def _different(before: Mapping[Path, object], now: Mapping[Path, object]) -> set[Path]:
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}


def _names(paths: set[Path]) -> str:
    return ", ".join(sorted(map(str, paths))[:3]) + (" …" if len(paths) > 3 else "")


def _walk(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each directory with its files, without those that are ignored."""
    if path.is_file():
        yield path.parent, [path]
        return
    for directory, directories, names in os.walk(path):
        # In place: `os.walk` then does not descend into the ignored directories.
        directories[:] = [
            name for name in directories if name not in IGNORED and not is_editor_file(name)
        ]
        yield (
            Path(directory),
            [
                Path(directory, name)
                for name in names
                if not (
                    name.endswith((".pyc", ".tsbuildinfo"))
                    or name == "next-env.d.ts"
                    or is_editor_file(name)
                )
            ],
        )
