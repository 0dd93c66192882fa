"""Builds the dashboard with its project's variables, once for each content."""

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

from common.errors import UserError
from components.site_files import site_files
from stack.local.system.processes import AbandonedError, Guard
from stack.local.vercel.command import Command
from stack.local.vercel.node import Node, find_node
from stack.local.vercel.routing import read_rules
from stack.local.vercel.server import RULES

VERSION = 1
"""To be raised when the builder makes something else of the same input."""
KEPT = 3
ROUNDS = 3
STAMP = ".installed"

ENV_FILES = (".env", ".env.local", ".env.production", ".env.production.local")
"""What `next build` would read beside the variables, and what is not deployed."""

Progress = Callable[[str], None]


class SiteBuilder:
    """Keeps built sites in `home/<key>/`, the last three. Blocking; to be called from threads."""

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
        """The directory of the static site that `frontend` gives with `variables`; a known one is there at once.

        Builds of one checkout wait for each other. `progress` gets sentences. Raises UserError when Node, the packages or the
        build fail, with the end of their output, and AbandonedError once `cancelled` is set.
        """
        cancelled = cancelled or threading.Event()
        read_rules(frontend / "vercel.json")
        _refuse_env_files(frontend)
        node = find_node(self._home / "node.json")
        known = self._known(_key(frontend, variables, node))
        if known is not None:
            return known
        with _alone(frontend, progress, cancelled):
            for _ in range(ROUNDS):
                key = _key(frontend, variables, node)
                known = self._known(key)
                if known is not None:
                    return known
                self._install(frontend, node, progress, cancelled)
                self._build(frontend, variables, node, progress, cancelled)
                if key == _key(frontend, variables, node):
                    return self._keep(frontend, key)
                progress(f"{frontend.name}/ changed while it was built: building again")
        raise UserError(f"{frontend} changed during each of {ROUNDS} builds: what writes to it?")

    def install(
        self,
        frontend: Path,
        *,
        progress: Progress = lambda _: None,
        cancelled: threading.Event | None = None,
    ) -> Node:
        """Installs the locked packages where they are not yet, and returns the Node that they were installed with."""
        cancelled = cancelled or threading.Event()
        node = find_node(self._home / "node.json")
        with _alone(frontend, progress, cancelled):
            self._install(frontend, node, progress, cancelled)
        return node

    def _install(
        self, frontend: Path, node: Node, progress: Progress, cancelled: threading.Event
    ) -> None:
        stamp = frontend / "node_modules" / STAMP
        lock = frontend / "package-lock.json"
        if not lock.is_file():
            raise UserError(
                f"there is no {lock}: it says which packages the site is built with (`npm install` writes it)"
            )
        wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {node.version} {platform.system()} {platform.machine()}\n"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
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
        Command(
            "npm ci", [node.path, *arguments], frontend, self._environment(node, _npm_settings())
        ).run(self._guard, progress, cancelled)
        stamp.write_text(wanted, encoding="utf-8")

    def _build(
        self,
        frontend: Path,
        variables: Mapping[str, str],
        node: Node,
        progress: Progress,
        cancelled: threading.Event,
    ) -> None:
        progress("building the site (next build)")
        arguments = [frontend.resolve() / "node_modules/next/dist/bin/next", "build"]
        Command(
            "next build", [node.path, *arguments], frontend, self._environment(node, variables)
        ).run(self._guard, progress, cancelled)
        if not (frontend / "out" / "index.html").is_file():
            raise UserError(
                f"`next build` left no {frontend.name}/out/index.html: next.config.ts must say output: 'export'"
            )

    def _environment(self, node: Node, more: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the caller's but what a program needs to run at all: what is built depends on the variables alone."""
        base = {name: os.environ[name] for name in ("HOME", "USER", "TMPDIR") if name in os.environ}
        fixed = {"LANG": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1", "NEXT_TELEMETRY_DISABLED": "1"}
        return {**base, **fixed, **more, "PATH": node.on_path(self._home.resolve() / "bin")}

    def _known(self, key: str) -> Path | None:
        directory = self._home / key
        if not directory.is_dir():
            return None
        os.utime(directory)
        return directory

    def _keep(self, frontend: Path, key: str) -> Path:
        target, fresh = self._home / key, self._home / ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.move(frontend / "out", fresh)
        if (frontend / "vercel.json").is_file():
            shutil.copyfile(frontend / "vercel.json", fresh / RULES)
        fresh.replace(target)
        os.utime(target)
        built = sorted(
            self._home.glob("?" * len(key)), key=lambda directory: directory.stat().st_mtime
        )
        for old in built[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return target


def _key(frontend: Path, variables: Mapping[str, str], node: Node) -> str:
    content = [VERSION, site_files(frontend, frontend), dict(variables), node.version]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _refuse_env_files(frontend: Path) -> None:
    found = [name for name in ENV_FILES if (frontend / name).exists()]
    if found:
        raise UserError(
            f"{frontend / found[0]} would change what is built here, and is not deployed: a site's variables come from the program. "
            "For `next dev` name it .env.development.local"
        )


def _npm_settings() -> dict[str, str]:
    """Where npm is told by the environment which registry, proxy and certificates to use."""
    proxy = {
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "node_extra_ca_certs",
        "ssl_cert_file",
        "ssl_cert_dir",
    }
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() in proxy or name.lower().startswith("npm_config_")
    }


@contextlib.contextmanager
def _alone(frontend: Path, progress: Progress, cancelled: threading.Event) -> Generator[None]:
    """Holds the checkout's build lock, on the directory itself: it leaves no file, and the kernel frees it on any death."""
    descriptor = os.open(frontend, os.O_RDONLY)
    told = False
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress("waiting for another build of this checkout")
                    told = True
            if cancelled.wait(0.1):
                raise AbandonedError("the build of the site was given up")
        yield
    finally:
        os.close(descriptor)
