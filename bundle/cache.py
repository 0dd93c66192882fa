"""State: what was built last, of what, so that an unchanged input is known by a look at its files."""

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
from bundle.size_report import Part, part_from

Stat = list[int]  # size, modification and change time in ns, inode
_SETTLED_NS = 2 * 10**9  # a file changed within it may change again without its times showing it


def stat_of(path: Path) -> Stat:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def digest(value: object) -> str:
    """SHA-256 of a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Digests:
    """SHA-256 of files, read again only when their status has changed."""

    known: dict[str, tuple[Stat, str]] = field(default_factory=dict[str, tuple[Stat, str]])
    used: dict[str, tuple[Stat, str]] = field(default_factory=dict[str, tuple[Stat, str]])

    def of(self, path: Path) -> str:
        status = stat_of(path)
        known, value = self.known.get(str(path), (None, ""))
        if known != status:
            value = file_digest(path)
        if max(status[1], status[2]) < time.time_ns() - _SETTLED_NS:
            self.used[str(path)] = (status, value)
        return value

    def of_all(self, files: Iterable[tuple[str, Path]]) -> str:
        """Of names and contents, in the order given."""
        return digest([(name, self.of(path)) for name, path in files])


@dataclass
class Built:
    """A zip that was built: key of its input, its figures, and the status of its file."""

    key: str
    part: Part
    status: Stat

    def is_at(self, path: Path) -> bool:
        """Whether the file still is what was built."""
        try:
            status = stat_of(path)
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
    """proof: key of what booted, and the sentence on it."""

    digests: Digests = field(default_factory=Digests)
    interpreter: tuple[Interpreter, Stat] | None = None
    layer: Built | None = None
    code: Built | None = None
    proof: tuple[str, str] | None = None

    @classmethod
    def load(cls, path: Path) -> "State":
        """An empty state where there is none, or none that can be read."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            interpreter = fields["interpreter"]
            return cls(
                digests=Digests(
                    {name: (status, value) for name, (status, value) in fields["digests"].items()}
                ),
                interpreter=(Interpreter(**interpreter[0]), interpreter[1])
                if interpreter
                else None,
                layer=_built(fields["layer"]),
                code=_built(fields["code"]),
                proof=(fields["proof"][0], fields["proof"][1]) if fields["proof"] else None,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, path: Path) -> None:
        fields = {
            "digests": self.digests.used,
            "interpreter": (asdict(self.interpreter[0]), self.interpreter[1])
            if self.interpreter
            else None,
            "layer": asdict(self.layer) if self.layer else None,
            "code": asdict(self.code) if self.code else None,
            "proof": self.proof,
        }
        write_atomically(path, json.dumps(fields))


def _built(fields: dict[str, Any] | None) -> Built | None:
    return Built(fields["key"], part_from(fields["part"]), fields["status"]) if fields else None


def write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Generator[None, None, None]:
    """Hold the lock file; says that it waits when another process, or another thread, holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
