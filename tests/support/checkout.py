"""A copy of this checkout for tests that run `stack`, which does not affect what runs here."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bundle import Target, build
from tests.support.built_site import built_site

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "Pulumi.yaml",
    "Pulumi.local.yaml",
    "__main__.py",
    "bundle",
    "common",
    "components",
    "config",
    "requirements",
    "service",
    "stack",
)
NOT_COPIED = shutil.ignore_patterns("node_modules", ".next", "out", "__pycache__", "*.tsbuildinfo")
PATIENCE_S = 420


@dataclass(frozen=True)
class Checkout:
    """`stack` in a copy of the checkout."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "stack.cli.main", "--root", str(self.root), *arguments]

    def start(self, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.environment}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        pipes = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "stdin": subprocess.DEVNULL,
            "text": True,
        }
        return subprocess.Popen(
            self.command(*arguments), cwd=self.root, env=environment, **{**pipes, **popen}
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command that must end with `code`; return its output and errors."""
        process = self.start(*arguments)
        text, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code, (
            f"stack {' '.join(arguments)} ended with {process.returncode}:\n{text}\n{self.log()}"
        )
        return text

    @contextlib.contextmanager
    def up(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """Run the stack detached and stop it at the end; yields its outputs."""
        self.run("up", "--detach", *arguments)
        try:
            yield self.outputs()
        finally:
            self.run("down")

    def outputs(self) -> dict[str, Any]:
        return json.loads((self.root / ".local/outputs.json").read_text())

    def supervisor(self) -> int:
        return int((self.root / ".local/lock").read_text())

    def log(self) -> str:
        path = self.root / ".local/supervisor.log"
        return path.read_text() if path.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """Return every process of this copy: the supervisor, its guard and its children.

        They are recognised by their environment, working directory or command line.
        """
        return [process for process in psutil.process_iter() if self._ours(process)]

    def _ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            texts = [
                *process.cmdline(),
                process.environ().get("LAMBDA_TASK_ROOT", ""),
                process.cwd(),
            ]
            directories = (str(self.root), *map(str, self.data()))
            return any(directory in text for text in texts for directory in directories)
        return False

    def data(self) -> list[Path]:
        """Return the database's directories outside of the checkout."""
        from stack.local.neon.postgres import data_directory

        return [data_directory.private_directory(self.root / ".local/postgres")]

    def gone(self, within_s: float) -> list[psutil.Process]:
        """Wait until all processes have ended; return those that still run after `within_s`."""
        deadline = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left


def make(root: Path, *, pages: bool = False) -> Checkout:
    """Copy the program and its bundle into an empty directory.

    pages: also copy the npm packages that the site is built with.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=NOT_COPIED)
        else:
            shutil.copy(source, root / name)
    shutil.copytree(ROOT / "frontend", root / "frontend", ignore=NOT_COPIED)
    if pages:
        built_site()  # so that the locked packages are installed here
        shutil.copytree(
            ROOT / "frontend/node_modules",
            root / "frontend/node_modules",
            symlinks=True,
            copy_function=_link,
        )
    built = build(ROOT, Target.host()).code.parent
    shutil.copytree(ROOT / built, root / built)
    return Checkout(root)


def _link(source: str, target: str) -> None:
    """Create a hard link, or a copy on another file system: 400 MB of packages are only read."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def request(
    url: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send a request; return status, headers (lower-case names) and body."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=40)
    with contextlib.closing(connection):
        target = address.path + (f"?{address.query}" if address.query else "")
        connection.request(method, target or "/", body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return (
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )


def get_json(url: str) -> Any:
    status, _, body = request(url)
    assert status == 200, f"{url} returned {status}: {body[:300]!r}"
    return json.loads(body)
