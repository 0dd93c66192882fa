"""CloudWatch's log groups and streams as plain text files.

A group is a directory (`/aws/lambda/api` → `aws/lambda/api/`), a stream is a file in it. A record
is a line: its time in UTC, a space, the message; further lines of the message begin with a tab.
Each record is appended by one write, so that other processes can follow the files.
"""

import contextlib
import heapq
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

_DAY_S = 86_400
_GROUP_NAME = re.compile(r"/?[\w.#-]+(/[\w.#-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One log event.

    timestamp: seconds since the epoch. group: begins with a slash. stream: the stem of its file.
    """

    timestamp: float
    group: str
    stream: str
    message: str

    def __str__(self) -> str:
        return f"{_iso_utc(self.timestamp)} {self.message}"


class LogStream:
    """Appends records to one file, which the first record creates."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def write(self, message: str, timestamp: float | None = None) -> None:
        """Append one record without its trailing newlines. Safe from any thread.

        An OSError (a full disk) loses the record: a request must not fail for its log.
        """
        text = (
            message.rstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\n\t")
        )
        time_utc = _iso_utc(time.time() if timestamp is None else timestamp)
        line = f"{time_utc} {text}\n".encode(errors="replace")
        with contextlib.suppress(OSError):
            # The group may have been deleted since the last record: then the file has no name.
            if self._fd is not None and not os.fstat(self._fd).st_nlink:
                self.close()
            if self._fd is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(
                    self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
                )
            os.write(self._fd, line)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@dataclass(frozen=True)
class LogGroup:
    """One group. name: as on AWS. directory: holds its streams."""

    name: str
    directory: Path

    def stream(self, name: str) -> LogStream:
        """Return the stream of an AWS name (`2026/11/23/[1]0f3c…`).

        Characters that need quotes in a shell become dashes in the file's name.
        """
        stem = re.sub(r"[^A-Za-z0-9_.$]+", "-", name).strip("-")
        return LogStream(self.directory / f"{stem}.log")

    def remove(self) -> None:
        """Delete the group's streams, and the directories that are empty then."""
        for path in self.directory.glob("*.log"):
            path.unlink(missing_ok=True)
        parents = self.directory.parents[: self.name.strip("/").count("/")]
        with contextlib.suppress(OSError):  # a directory that holds another group
            for directory in (self.directory, *parents):
                directory.rmdir()

    def expire(self, days: int) -> None:
        """Remove the streams without a record in the last `days` days."""
        oldest = time.time() - days * _DAY_S
        for path in self.directory.glob("*.log"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


class LogStore:
    """All groups below one directory (`.local/logs`)."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def group(self, name: str, retention_days: int | None = None) -> LogGroup:
        """Return the group of that name; with `retention_days`, remove older streams now.

        Raises ValueError for a name that AWS refuses.
        """
        if not _GROUP_NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
            raise ValueError(
                f"log group {name!r}: allowed are letters, digits and . _ - # "
                "in parts separated by single slashes"
            )
        group = LogGroup(name, self.home / name.lstrip("/"))
        if retention_days:
            group.expire(retention_days)
        return group

    def count(self, name: str) -> int:
        """Return the number of a group's records."""
        streams = self.group(name).directory.glob("*.log")
        return sum(1 for path in streams for _ in _LogFile(self.home, path).read())

    def records(self) -> Iterator[Record]:
        """Yield all records that exist now, by time."""
        return heapq.merge(
            *(_LogFile(self.home, path).read() for path in self._paths()), key=_by_time
        )

    def follow(
        self, *, poll_s: float = 0.2, stop: threading.Event | None = None
    ) -> Iterator[Record]:
        """Yield the records that exist now, by time, then new ones until `stop` is set.

        New records are ordered by time within each interval of `poll_s` seconds.
        """
        stop = stop or threading.Event()
        files = {path: _LogFile(self.home, path) for path in self._paths()}
        yield from heapq.merge(*(file.read() for file in files.values()), key=_by_time)
        while not stop.wait(poll_s):
            for path in self._paths():
                if path not in files:
                    files[path] = _LogFile(self.home, path)
            yield from sorted(
                (record for file in files.values() for record in file.read()), key=_by_time
            )

    def _paths(self) -> list[Path]:
        return sorted(self.home.rglob("*.log"))


class _LogFile:
    """Reads the records of one file, each once."""

    def __init__(self, home: Path, path: Path) -> None:
        self._path, self._offset = path, 0
        self._group, self._stream = f"/{path.parent.relative_to(home).as_posix()}", path.stem

    def read(self) -> Iterator[Record]:
        try:
            size = self._path.stat().st_size
            if size == self._offset:
                return
            # A smaller file has been written again from its start.
            start = self._offset if size > self._offset else 0
            with self._path.open("rb") as file:
                file.seek(start)
                text = file.read()
        except FileNotFoundError:
            return
        complete = text[: text.rfind(b"\n") + 1]
        self._offset = start + len(complete)
        if not complete:
            return
        for block in re.split(r"\n(?!\t)", complete.decode(errors="replace").removesuffix("\n")):
            time_utc, _, message = block.partition(" ")
            try:
                timestamp = datetime.fromisoformat(time_utc).timestamp()
            except ValueError:
                continue
            yield Record(timestamp, self._group, self._stream, message.replace("\n\t", "\n"))


def _by_time(record: Record) -> float:
    return record.timestamp


def _iso_utc(timestamp: float) -> str:
    seconds, micros = divmod(int(timestamp * 1e6), 1_000_000)
    return f"{_iso_second(seconds)}.{micros:06}Z"


@lru_cache(maxsize=2)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
