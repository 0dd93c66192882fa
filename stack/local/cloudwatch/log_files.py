"""Reads the files of log groups (see logs.py) in pieces, so that their size does not matter.

The records of a file are in the order of their time but for `DISORDER_S`: they come from several
processes, some with the time at which they were written, some with that at which they were read.
"""

import contextlib
import heapq
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from pathlib import Path

_CHUNK = 65_536
_SMALL_CHUNK = 4_096
DISORDER_S = 1.0
_DISORDER_BYTES = 1_048_576
_NEXT_RECORD = re.compile(rb"\n(?=[^\t])")


@dataclass(frozen=True, slots=True)
class Record:
    """One log event. timestamp: seconds since the epoch. group: begins with a slash."""

    timestamp: float
    group: str
    message: str

    def __str__(self) -> str:
        return f"{iso_utc(self.timestamp)} {self.message}"


class LogFile:
    """Reads the records of one file, each once. The file is open only while a piece is read."""

    def __init__(self, home: Path, path: Path) -> None:
        self.path, self._offset = path, 0
        self._group = f"/{path.parent.relative_to(home).as_posix()}"

    def size(self) -> int:
        """Return the bytes of the file; 0 when it was removed."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self) -> Iterator[Record]:
        """Yield the records since the last call, up to the last one that is complete."""
        size = self.size()
        if size == self._offset:
            return
        if size < self._offset:  # it has been written again from its start
            self._offset = 0
        rest = b""
        while True:
            chunk = self._read(self._offset + len(rest), _CHUNK)
            data = rest + chunk
            # A record ends where the next one begins, or with the last line of the file.
            end = data.rfind(b"\n", 0, len(data) - 1 if chunk else None)
            while chunk and end >= 0 and data[end + 1] == ord("\t"):
                end = data.rfind(b"\n", 0, end)
            rest = data[end + 1 :]
            self._offset += end + 1
            yield from self._records(data[: end + 1])
            if not chunk:
                return

    def backwards(self, end: int, chunk_size: int = _CHUNK) -> Iterator[Record]:
        """Yield the records of the first `end` bytes, the newest first."""
        start, later = end, b""
        while start > 0:
            end, start = start, max(0, start - chunk_size)
            data = self._read(start, end - start) + later
            begin = 0 if start == 0 else _next_record(data)
            later = data[:begin]
            yield from reversed(list(self._records(data[begin:])))

    def newest(self) -> float:
        """Return the time of the last record; that of the file if it has none."""
        with contextlib.suppress(FileNotFoundError):
            status = self.path.stat()
            size = status.st_size
            data = self._read(max(0, size - _SMALL_CHUNK), _SMALL_CHUNK)
            complete = data[
                _next_record(data) if size > _SMALL_CHUNK else 0 : data.rfind(b"\n") + 1
            ]
            for record in reversed(list(self._records(complete))):
                return record.timestamp
            for record in self.backwards(self._complete_size()):
                return record.timestamp
            return status.st_mtime
        return 0.0

    def oldest(self) -> float | None:
        """Return the time of the first record that `read` has not yielded yet; None if none."""
        data = self._read(self._offset, _SMALL_CHUNK)
        return next((record.timestamp for record in self._records(data)), None)

    def skip_to(self, since: float) -> None:
        """Let `read` begin shortly before the first record from `since` on."""
        if self.newest() < since:
            self.skip_to_end()
            return
        low, high = self._offset, self.size()
        while high - low > _CHUNK:
            middle = (low + high) // 2
            data = self._read(middle, _CHUNK)
            begin = _next_record(data)
            found = next(self._records(data[begin:]), None)
            if found is not None and found.timestamp < since - DISORDER_S:
                low = middle + begin
            else:
                high = middle
        self._offset = low

    def skip_to_end(self) -> int:
        """Let `read` begin after the last record that is complete now; return its end in bytes."""
        self._offset = self._complete_size()
        return self._offset

    def _complete_size(self) -> int:
        """Return the bytes up to the end of the last complete line."""
        end = self.size()
        while end > 0:
            start = max(0, end - _SMALL_CHUNK)
            found = self._read(start, end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0

    def _read(self, start: int, size: int) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, size, start)
        finally:
            os.close(descriptor)

    def _records(self, data: bytes) -> Iterator[Record]:
        end = 0
        while end < len(data):
            begin, end = end, _next_record(data, end)
            block = data[begin:end].decode(errors="replace").removesuffix("\n")
            time_utc, _, message = block.partition(" ")
            try:
                timestamp = datetime.fromisoformat(time_utc).timestamp()
            except ValueError:
                continue
            yield Record(timestamp, self._group, message.replace("\n\t", "\n"))


def find(home: Path) -> list[LogFile]:
    """Return all files below a directory."""
    return [LogFile(home, path) for path in sorted(home.rglob("*.log"))]


def records(
    files: Sequence[LogFile], since: float | None = None, last: int | None = None
) -> Iterator[Record]:
    """Yield the records that exist now, by time: from `since` on, or the `last` of them."""
    if last is not None:
        yield from _last(files, since, last)
        return
    if since is not None:
        for file in files:
            file.skip_to(since)
    for record in _merged(files):
        if since is None or record.timestamp >= since:
            yield record


def follow(
    home: Path, since: float | None, last: int | None, stop: threading.Event
) -> Iterator[Record]:
    """Yield records as `records` does, then new ones until `stop` is set."""
    from stack.local.system.file_events import FileEvents  # imports what no other command needs

    files = {file.path: file for file in find(home)}
    yield from records(list(files.values()), since, last)
    file_events = FileEvents(stop, lambda _reason: None)
    directories: frozenset[Path] = frozenset()
    changed: frozenset[Path] | None = None
    while not stop.is_set():
        if changed is None or not all(path.suffix == ".log" for path in changed):
            directories = frozenset(Path(path) for path, _, _ in os.walk(home))
            directories = directories or frozenset({home.parent})  # until there are logs
        changed = file_events.wait(directories)
        for path in home.rglob("*.log") if changed is None else changed:
            if path.suffix == ".log" and path not in files:
                files[path] = LogFile(home, path)
        found = [file for path, file in files.items() if changed is None or path in changed]
        yield from sorted((record for file in found for record in file.read()), key=_time)


def _merged(files: Iterable[LogFile]) -> Iterator[Record]:
    """Merge by time. A file is read only from its first record's time on, and to its end."""
    order = count()
    starts = [(oldest, file) for file in files if (oldest := file.oldest()) is not None]
    waiting = deque(sorted(starts, key=lambda start: start[0]))
    heads: list[tuple[float, int, Record, Iterator[Record]]] = []
    while waiting or heads:
        while waiting and (not heads or waiting[0][0] - DISORDER_S <= heads[0][0]):
            _push(heads, next(order), _in_order(waiting.popleft()[1].read()))
        if heads:
            _, number, record, rest = heapq.heappop(heads)
            yield record
            _push(heads, number, rest)


def _push(
    heads: list[tuple[float, int, Record, Iterator[Record]]],
    number: int,
    rest: Iterator[Record],
) -> None:
    for record in rest:
        heapq.heappush(heads, (record.timestamp, number, record, rest))
        return


def _in_order(found: Iterable[Record]) -> Iterator[Record]:
    """Sort records whose order differs by less than `DISORDER_S`, within a bounded memory."""
    held: list[tuple[float, int, Record]] = []
    size = 0
    for number, record in enumerate(found):
        heapq.heappush(held, (record.timestamp, number, record))
        size += len(record.message)
        while held[0][0] < record.timestamp - DISORDER_S or size > _DISORDER_BYTES:
            _, _, earliest = heapq.heappop(held)
            size -= len(earliest.message)
            yield earliest
            if not held:
                break
    while held:
        yield heapq.heappop(held)[2]


def _last(files: Sequence[LogFile], since: float | None, last: int) -> list[Record]:
    """Return the last records, read from the ends of the files, which they skip."""
    kept: list[tuple[float, int, Record]] = []
    order = count(0, -1)  # the later of two records of the same time is found first
    for newest, file in sorted(
        ((file.newest(), file) for file in files), key=lambda end: end[0], reverse=True
    ):
        end = file.skip_to_end()
        if last and not (len(kept) == last and newest < kept[0][0] - DISORDER_S):
            for record in file.backwards(end):
                oldest = kept[0][0] if len(kept) == last else record.timestamp
                if record.timestamp < max(oldest, since or 0) - DISORDER_S:
                    break
                if since is None or record.timestamp >= since:
                    heapq.heappush(kept, (record.timestamp, next(order), record))
                    if len(kept) > last:
                        heapq.heappop(kept)
    return [record for _, _, record in sorted(kept)]


def _next_record(data: bytes, start: int = 0) -> int:
    """Return where the first record begins after `start`; the end of the data if nowhere."""
    found = _NEXT_RECORD.search(data, start)
    return found.end() if found else len(data)


def _time(record: Record) -> float:
    return record.timestamp


def iso_utc(timestamp: float) -> str:
    """Return a time as text, with microseconds."""
    seconds, micros = divmod(int(timestamp * 1e6), 1_000_000)
    return f"{_iso_second(seconds)}.{micros:06}Z"


@lru_cache(maxsize=2)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
