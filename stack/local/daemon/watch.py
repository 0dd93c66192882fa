"""`stack up --watch`: deploys saved changes.

A change of `service/` alone only replaces the function's code; any other change (migrations,
frontend, program) redeploys the stack.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bundle import build_code
from bundle.cache import status_of
from common.editor_files import is_editor_file
from stack.local.cloud import Cloud
from stack.local.daemon.deployment import Deployment
from stack.local.system import events

POLL_S = 0.1
# Changes count as complete when nothing has changed for this long: an editor may write a file in
# several steps, and a checkout of a branch writes many files.
DEBOUNCE_S = 0.05
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

Snapshot = dict[Path, list[int]]
"""The status of each watched file (see `status_of`), by its path below the root."""


class Watch:
    """Polls the checkout for changes, which works on every file system, and deploys them.

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
        self._initial = self.snapshot()

    def run(self) -> None:
        """Deploy changes until cancelled.

        The first comparison is with the files as they were when this object was constructed, so
        construct it before the first deployment.
        """
        before = self._initial
        while not self._cancelled.wait(POLL_S):
            now = self.snapshot()
            if now == before:
                continue
            while not self._cancelled.wait(DEBOUNCE_S) and (later := self.snapshot()) != now:
                now = later
            # `now` is taken before the deployment. A file that is saved while it runs differs from
            # `now` in the next round, so it is not missed.
            changed = {
                path for path in before.keys() | now.keys() if before.get(path) != now.get(path)
            }
            before = now
            self._apply(changed)

    def snapshot(self) -> Snapshot:
        """Return the current status of every watched file."""
        found: Snapshot = {}
        for path in (*WATCHED, *self._root.glob("Pulumi*.yaml")):
            for file in _files(self._root / path):
                with contextlib.suppress(OSError):  # deleted since it was listed, or a dead link
                    found[file.relative_to(self._root)] = status_of(file)
        return found

    def _apply(self, changed: set[Path]) -> None:
        names = ", ".join(sorted(map(str, changed))[:3]) + (" …" if len(changed) > 3 else "")
        code_only = all(
            path.is_relative_to(SERVICE) and not path.is_relative_to(MIGRATIONS) for path in changed
        )
        # Without outputs no deployment has succeeded yet, so there is no function to update.
        deploy_code = code_only and self._deployment.outputs
        done = self._attempt(self._replace_code if deploy_code else self._deployment.redeploy)
        events.message(
            f"{names}: {'served' if done else 'not served, the previous version still runs'}"
        )

    def _replace_code(self) -> None:
        """Serve the new code without an evaluation, as the next version of the function."""
        self._cloud.functions.swap(
            self._deployment.outputs["function_name"], self._root / build_code(self._root).path
        )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for directory, directories, names in os.walk(path):
        # In place: `os.walk` then does not descend into the ignored directories.
        directories[:] = [
            name for name in directories if name not in IGNORED and not is_editor_file(name)
        ]
        for name in names:
            if not (
                name.endswith((".pyc", ".tsbuildinfo"))
                or name == "next-env.d.ts"
                or is_editor_file(name)
            ):
                yield Path(directory, name)
