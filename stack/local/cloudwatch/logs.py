"""CloudWatch's log groups as plain text files.

A group is a directory (`/aws/lambda/api` → `aws/lambda/api/`), which holds files of at most a day
and `FILE_BYTES` each. A record is a line: its time in UTC, a space, the message; further lines of
the message begin with a tab. Each record is appended by one write, so that other processes can
follow the files. A file never gets another name or another content, so that readers need not know
of the rotation.
"""

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from stack.local.cloudwatch import log_files
from stack.local.cloudwatch.log_files import LogFile, Record, iso_utc

FILE_BYTES = 8 * 1024 * 1024
TOTAL_BYTES = 256 * 1024 * 1024
"""Of all groups together: the files with the oldest records are removed first."""
_DAY_S = 86_400
_CHECK_S = 3_600
_OWN_FILE = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z\.log")
_GROUP_NAME = re.compile(r"/?[\w.#-]+(/[\w.#-]+)*", re.ASCII)


class LogGroup:
    """One group, which appends records to the newest of its files.

    name: as on AWS. directory: holds its files. retention_days: for which records are kept.
    """

    def __init__(self, name: str, directory: Path, store: "LogStore") -> None:
        self.name, self.directory = name, directory
        self.retention_days: int | None = None
        self._store = store
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._day = ""

    def write(self, message: str, timestamp: float | None = None) -> None:
        """Append one record without its trailing newlines. Safe from any thread.

        An OSError (a full disk) loses the record: a request must not fail for its log.
        """
        text = (
            message.rstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\n\t")
        )
        now = time.time()
        line = f"{iso_utc(now if timestamp is None else timestamp)} {text}\n"
        with contextlib.suppress(OSError):
            with self._lock:
                os.write(self._file(now), line.encode(errors="replace"))
            self._store.clean_up(now)

    def _file(self, now: float) -> int:
        """Return the descriptor of the file for a record that is written now."""
        day = iso_utc(now)[:10]
        if self._fd is not None:
            status = os.fstat(self._fd)
            # The group may have been deleted since the last record: then the file has no name.
            if day == self._day and status.st_nlink and status.st_size < FILE_BYTES:
                return self._fd
            self._close()
            self._store.clean_up(now, at_once=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        names = (path.name for path in self.directory.iterdir())
        newest = max(filter(_OWN_FILE.fullmatch, names), default="")
        path = self.directory / newest
        if not newest.startswith(day) or path.stat().st_size >= FILE_BYTES:
            path = self.directory / f"{iso_utc(now).replace(':', '')}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd, self._day = os.open(path, flags, 0o600), day
        return self._fd

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def remove(self) -> None:
        """Delete the group's files, and the directories that are empty then."""
        with self._lock:
            self._close()
            for path in self.directory.glob("*.log"):
                path.unlink(missing_ok=True)
            parents = self.directory.parents[: self.name.strip("/").count("/")]
            with contextlib.suppress(OSError):  # a directory that holds another group
                for directory in (self.directory, *parents):
                    directory.rmdir()

    def expire(self, now: float) -> None:
        """Remove the files without a record of the last `retention_days` days."""
        if self.retention_days:
            oldest = now - self.retention_days * _DAY_S
            for path in self.directory.glob("*.log"):
                if LogFile(self._store.home, path).newest() < oldest:
                    path.unlink(missing_ok=True)


class LogStore:
    """All groups below one directory (`.local/logs`)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._groups: dict[str, LogGroup] = {}
        self._lock = threading.Lock()
        self._checked = 0.0

    def group(self, name: str, retention_days: int | None = None) -> LogGroup:
        """Return the group of that name; with `retention_days`, remove older records now.

        Raises ValueError for a name that AWS refuses.
        """
        if not _GROUP_NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
            raise ValueError(
                f"log group {name!r}: allowed are letters, digits and . _ - # "
                "in parts separated by single slashes"
            )
        path = name.lstrip("/")
        with self._lock:
            group = self._groups.setdefault(path, LogGroup(f"/{path}", self.home / path, self))
        if retention_days:
            group.retention_days = retention_days
            group.expire(time.time())
        return group

    def clean_up(self, now: float, *, at_once: bool = False) -> None:
        """Once an hour, or `at_once`, remove what is too old or, in total, too much."""
        if not at_once and 0 <= now - self._checked < _CHECK_S:
            return
        self._checked = now
        with contextlib.suppress(OSError):
            for group in list(self._groups.values()):
                group.expire(now)
            files = sorted(log_files.find(self.home), key=LogFile.newest)
            excess = sum(file.size() for file in files) - TOTAL_BYTES
            for file in files:
                if excess <= 0:
                    break
                excess -= file.size()
                file.path.unlink(missing_ok=True)

    def count(self, name: str) -> int:
        """Return the number of a group's records."""
        paths = self.group(name).directory.glob("*.log")
        return sum(1 for path in paths for _ in LogFile(self.home, path).read())

    def records(self, *, since: float | None = None, last: int | None = None) -> Iterator[Record]:
        """Yield the records that exist now, by time: from `since` on, or the `last` of them."""
        yield from log_files.records(log_files.find(self.home), since, last)

    def follow(
        self,
        *,
        since: float | None = None,
        last: int | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Record]:
        """Yield records as `records` does, then new ones until `stop` is set.

        New records are ordered by time as far as they are found at the same time.
        """
        return log_files.follow(self.home, since, last, stop or threading.Event())
