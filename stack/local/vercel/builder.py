"""Builds the site with its project's variables, once for each content.

Called by `VercelProjects` (projects.py). A build is named by its key, the hash of all that it is
made of, so an unchanged site is found again without running Node.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from common.environment import package_source_variables
from common.errors import UserError
from components.site_files import site_files
from stack.local.system.processes import AbandonedError, Guard
from stack.local.vercel.command import Command
from stack.local.vercel.node import Node, find_node
from stack.local.vercel.routing import read_rules
from stack.local.vercel.server import RULES

VERSION = 1
"""Part of the key: increase it when the same input gives another output."""
MAX_BUILDS = 3
MAX_ATTEMPTS = 3
STAMP = ".installed"
"""File in `node_modules` that says what is installed: the lock file's hash, Node, and platform."""

ENV_FILES = (".env", ".env.local", ".env.production", ".env.production.local")
"""Files from which `next build` reads variables, and which are not deployed."""

Progress = Callable[[str], None]
"""Called with a sentence or a line of output for the user."""


class SiteBuilder:
    """Builds sites and stores the last three in `home/KEY/`. Methods block; for threads."""

    def __init__(self, home: Path, guard: Guard) -> None:
        self._home = home
        self._guard = guard

    def build(
        self,
        frontend: Path,
        variables: Mapping[str, str],
        *,
        progress: Progress = lambda _: None,
        cancelled: threading.Event | None = None,
    ) -> Path:
        """Return the directory of the static site that `frontend` gives with `variables`.

        Returns at once when the site is stored. Builds of one checkout run one after the other.
        Raises UserError when Node, the installation or the build fails, with the end of the
        output, and AbandonedError once `cancelled` is set.
        """
        cancelled = cancelled or threading.Event()
        read_rules(frontend / "vercel.json")
        _refuse_env_files(frontend)
        node = find_node(self._home / "node.json")
        stored = self._stored(_key(frontend, variables, node))
        if stored is not None:
            return stored
        with _build_lock(frontend, progress, cancelled):
            for _ in range(MAX_ATTEMPTS):
                # Again under the lock: the build that held it may have built the same site.
                key = _key(frontend, variables, node)
                stored = self._stored(key)
                if stored is not None:
                    return stored
                self._install(frontend, node, progress, cancelled)
                self._run_build(frontend, variables, node, progress, cancelled)
                # A file that was saved during the build may be in the output or not. The output
                # is stored only if the key is the same before and after.
                if key == _key(frontend, variables, node):
                    return self._store(frontend, key)
                progress(f"{frontend.name}/ changed while it was built: building again")
        raise UserError(
            f"{frontend} changed during each of {MAX_ATTEMPTS} builds: what writes to it?"
        )

    def install(
        self,
        frontend: Path,
        *,
        progress: Progress = lambda _: None,
        cancelled: threading.Event | None = None,
    ) -> Node:
        """Install the locked packages unless they are installed; return the Node that did it."""
        cancelled = cancelled or threading.Event()
        node = find_node(self._home / "node.json")
        with _build_lock(frontend, progress, cancelled):
            self._install(frontend, node, progress, cancelled)
        return node

    def _install(
        self, frontend: Path, node: Node, progress: Progress, cancelled: threading.Event
    ) -> None:
        stamp = frontend / "node_modules" / STAMP
        lock = frontend / "package-lock.json"
        if not lock.is_file():
            raise UserError(
                f"there is no {lock}: it says which packages the site is built with (`npm install` "
                f"writes it)"
            )
        lock_hash = hashlib.sha256(lock.read_bytes()).hexdigest()
        expected = f"{lock_hash} {node.version} {platform.system()} {platform.machine()}\n"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == expected:
            return
        progress("installing the site's packages (npm ci)")
        arguments = [
            node.npm_cli,
            "ci",
            "--include=dev",
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
            "--no-progress",
            "--loglevel=error",
        ]
        environment = self._environment(node, package_source_variables())
        Command("npm ci", [node.path, *arguments], frontend, environment).run(
            self._guard, progress, cancelled
        )
        # Written last. `npm ci` begins by deleting `node_modules`, and the stamp with it, so an
        # installation that fails is repeated by the next build.
        stamp.write_text(expected, encoding="utf-8")

    def _run_build(
        self,
        frontend: Path,
        variables: Mapping[str, str],
        node: Node,
        progress: Progress,
        cancelled: threading.Event,
    ) -> None:
        progress("building the site (next build)")
        arguments = [frontend.resolve() / "node_modules/next/dist/bin/next", "build"]
        environment = self._environment(node, variables)
        Command("next build", [node.path, *arguments], frontend, environment).run(
            self._guard, progress, cancelled
        )
        if not (frontend / "out" / "index.html").is_file():
            raise UserError(
                f"`next build` left no {frontend.name}/out/index.html: next.config.ts must say "
                f"output: 'export'"
            )

    def _environment(self, node: Node, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a command.

        Of this process's environment it has only what programs need to run at all, because the
        output must depend on nothing but what is in the key.
        """
        base = {name: os.environ[name] for name in ("HOME", "USER", "TMPDIR") if name in os.environ}
        fixed = {"LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "NEXT_TELEMETRY_DISABLED": "1"}
        path = node.on_path(self._home.resolve() / "bin")
        return {**base, **fixed, **variables, "PATH": path}

    def _stored(self, key: str) -> Path | None:
        """Return the directory of a stored build, and mark it as used now."""
        directory = self._home / key
        if not directory.is_dir():
            return None
        os.utime(directory)
        return directory

    def _store(self, frontend: Path, key: str) -> Path:
        """Move the output to the stored builds; delete those that were used longest ago."""
        target, staging = self._home / key, self._home / ".new"
        shutil.rmtree(staging, ignore_errors=True)
        shutil.move(frontend / "out", staging)
        if (frontend / "vercel.json").is_file():
            shutil.copyfile(frontend / "vercel.json", staging / RULES)
        # One rename: `_stored`, which runs without the lock, sees a whole build or none.
        staging.replace(target)
        os.utime(target)
        builds = sorted(
            self._home.glob("?" * len(key)), key=lambda directory: directory.stat().st_mtime
        )
        for old in builds[:-MAX_BUILDS]:
            shutil.rmtree(old, ignore_errors=True)
        return target


def _key(frontend: Path, variables: Mapping[str, str], node: Node) -> str:
    """Return the hash of all that a build depends on: files, variables, Node and this module."""
    content = [VERSION, site_files(frontend, frontend), dict(variables), node.version]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _refuse_env_files(frontend: Path) -> None:
    found = [name for name in ENV_FILES if (frontend / name).exists()]
    if found:
        raise UserError(
            f"{frontend / found[0]} would change what is built here, and is not deployed: a site's "
            f"variables come from the program. For `next dev` name it .env.development.local"
        )


@contextlib.contextmanager
def _build_lock(frontend: Path, progress: Progress, cancelled: threading.Event) -> Generator[None]:
    """Hold the checkout's build lock: `next build` always writes to the same directory.

    The lock is on the directory `frontend` itself, so it leaves no file, and the kernel releases
    it when the process ends. It is polled, because a blocking `flock` cannot be cancelled.
    """
    descriptor = os.open(frontend, os.O_RDONLY)
    reported = False
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not reported:
                    progress("waiting for another build of this checkout")
                    reported = True
            if cancelled.wait(0.1):
                raise AbandonedError("the build of the site was cancelled")
        yield
    finally:
        os.close(descriptor)
