"""`--watch`: a saved change in `service/` is served at once, one in `frontend/` or the program after its evaluation."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bundle import build_code
from stack.local.cloud import Cloud
from stack.local.daemon.deployment import Deployment
from stack.local.system import events

POLL_S = 0.1
SETTLE_S = 0.05  # an editor may write a file in several steps
IGNORED = {"node_modules", ".next", "out", "__pycache__", ".venv", ".local", ".git"}
SERVICE, MIGRATIONS = Path("service"), Path("service/migrations")
WATCHED = (
    SERVICE,
    Path("frontend"),
    Path("bundle"),
    Path("components"),
    Path("config"),
    Path("__main__.py"),
    Path("requirements/service.txt"),
)

Snapshot = dict[Path, tuple[int, int]]


class Watch:
    """Polls the checkout, which works on every file system, and hands changes on; for a thread of its own."""

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
        self._before = self.snapshot()

    def run(self) -> None:
        """Until cancelled. What was saved since this object was made counts, so make it before the first evaluation."""
        before = self._before
        while not self._cancelled.wait(POLL_S):
            now = self.snapshot()
            if now == before:
                continue
            while not self._cancelled.wait(SETTLE_S) and (later := self.snapshot()) != now:
                now = later
            changed = {
                path for path in before.keys() | now.keys() if before.get(path) != now.get(path)
            }
            before = now
            self._apply(changed)

    def snapshot(self) -> Snapshot:
        """Time and size of every watched file, by its path below the root."""
        found: Snapshot = {}
        for path in (*WATCHED, *self._root.glob("Pulumi*.yaml")):
            for file in _files(self._root / path):
                with contextlib.suppress(FileNotFoundError):
                    stat = file.stat()
                    found[file.relative_to(self._root)] = (stat.st_mtime_ns, stat.st_size)
        return found

    def _apply(self, changed: set[Path]) -> None:
        names = ", ".join(sorted(map(str, changed))[:3]) + (" …" if len(changed) > 3 else "")
        if (
            all(
                path.is_relative_to(SERVICE) and not path.is_relative_to(MIGRATIONS)
                for path in changed
            )
            and self._deployment.outputs
        ):
            done = self._attempt(self._swap)
        else:
            done = self._attempt(self._deployment.redeploy)
        events.message(f"{names}: {'served' if done else 'not served, what ran before still runs'}")

    def _swap(self) -> None:
        self._cloud.functions.swap(
            self._deployment.outputs["function_name"], self._root / build_code(self._root).path
        )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for directory, directories, names in os.walk(path):
        directories[:] = [name for name in directories if name not in IGNORED]
        for name in names:
            if not name.endswith((".pyc", "~", ".swp", ".tsbuildinfo")) and name != "next-env.d.ts":
                yield Path(directory, name)
