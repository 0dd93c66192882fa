"""Remembers what the last build made from which files, so that an unchanged input is recognised.

A lookup compares the status of the input files (size, times, inode) and reads the content of those
only whose status has changed.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bundle.interpreter import Interpreter
from bundle.size_report import Part, part_from_json

Status = list[int]  # size, modification time and change time in ns, inode
_SETTLED_NS = 2 * 10**9


def status_of(path: Path) -> Status:
    """Return what changes when a file is written or replaced.

    The change time is part of it because a program can set the modification time back, but not
    the change time.
    """
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Digests:
    """SHA-256 of files, which are read again only when their status has changed.

    known: entries of the last build by path. used: those of this build.
    """

    known: dict[str, tuple[Status, str]] = field(default_factory=dict[str, tuple[Status, str]])
    used: dict[str, tuple[Status, str]] = field(default_factory=dict[str, tuple[Status, str]])

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file's content."""
        status = status_of(path)
        known, value = self.known.get(str(path), (None, ""))
        if known != status:
            value = file_digest(path)
        # The status was read before the content: a write in between gives the next build another
        # status, and it reads the file again.
        # File times have a coarse resolution: two writes within it leave the same status. A file
        # that changed just now is therefore not remembered, and read again by the next build.
        if max(status[1], status[2]) < time.time_ns() - _SETTLED_NS:
            self.used[str(path)] = (status, value)
        return value

    def of_all(self, files: Iterable[tuple[str, Path]]) -> str:
        """Return the SHA-256 of names and contents, in the order given."""
        return digest([(name, self.of(path)) for name, path in files])


@dataclass
class BuiltZip:
    """A zip that was built: the key of its input, its sizes, and the status of its file."""

    key: str
    part: Part
    status: Status

    def is_at(self, path: Path) -> bool:
        """Return whether the file still is the zip that was built.

        A copied or touched file has another status and the same content; its status is updated.
        """
        try:
            status = status_of(path)
            if status != self.status and (
                status[0] != self.status[0] or file_digest(path) != self.part.sha256
            ):
                return False
        except OSError:
            return False
        self.status = status
        return True


@dataclass
class State:
    """The content of `state.json`. smoke_test: key of the verified zips, and a sentence on it."""

    digests: Digests = field(default_factory=Digests)
    interpreter: tuple[Interpreter, Status] | None = None
    layer: BuiltZip | None = None
    code: BuiltZip | None = None
    smoke_test: tuple[str, str] | None = None

    @classmethod
    def load(cls, path: Path) -> "State":
        """Read the state, or return an empty one, which leads to a full build.

        A file of another version of this package has other keys and counts as none.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            interpreter, smoke_test = fields["interpreter"], fields["smoke_test"]
            return cls(
                digests=Digests(
                    {name: (status, value) for name, (status, value) in fields["digests"].items()}
                ),
                interpreter=(Interpreter(**interpreter[0]), interpreter[1])
                if interpreter
                else None,
                layer=_built_zip(fields["layer"]),
                code=_built_zip(fields["code"]),
                smoke_test=(smoke_test[0], smoke_test[1]) if smoke_test else None,
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return cls()

    def save(self, path: Path) -> None:
        """Replace the file as a whole."""
        fields = {
            # Only what this build has looked at, so that entries of deleted files are dropped.
            "digests": self.digests.used,
            "interpreter": (asdict(self.interpreter[0]), self.interpreter[1])
            if self.interpreter
            else None,
            "layer": asdict(self.layer) if self.layer else None,
            "code": asdict(self.code) if self.code else None,
            "smoke_test": self.smoke_test,
        }
        write_atomically(path, json.dumps(fields))


def _built_zip(fields: dict[str, Any] | None) -> BuiltZip | None:
    if not fields:
        return None
    return BuiltZip(fields["key"], part_from_json(fields["part"]), fields["status"])


def write_atomically(path: Path, text: str) -> None:
    """Write beside the file and rename, so that a reader sees the old content or the new."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Generator[None, None, None]:
    """Hold a lock file; call `on_wait` first when another process or thread holds it.

    `flock` belongs to the open file, not to the process, so it also excludes threads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
