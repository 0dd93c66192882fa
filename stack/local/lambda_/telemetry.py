"""What an execution environment writes: two pipes of lines and one of frames, turned into log records.

`print`, standard error and child processes write lines. `logging` goes through AWS's runtime client, which writes frames to the
descriptor named by `_LAMBDA_TELEMETRY_LOG_FD`: type (4 bytes, `a55a….`), length (4), time in µs (8), message; big-endian.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

LONGEST_LINE = 262_144  # what one CloudWatch Logs event held before April 2025
_CHUNK = 65_536  # a pipe's capacity: one read takes all that was written before it
_MAGIC = b"\xa5\x5a"
_HEADER = 16

Emit = Callable[[str, float], None]
"""Takes a message and its time, in seconds since the epoch."""


class _Decoder(Protocol):
    def feed(self, data: bytes) -> None: ...
    def flush(self) -> None: ...


class Lines:
    """One record a line; a line that is not ended yet waits for its end or for `flush`."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._tail = emit, b""

    def feed(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        now = time.time()
        for line in lines:
            self._emit(line.decode(errors="replace"), now)
        if len(self._tail) > LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        if self._tail:
            self._emit(self._tail.decode(errors="replace"), time.time())
            self._tail = b""


class Frames:
    """One record a frame, however many lines it has. What is not a frame (the function wrote to the descriptor) is logged as it is."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._buffer = emit, b""

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER:
            if not self._buffer.startswith(_MAGIC):
                self.flush()
                return
            end = _HEADER + int.from_bytes(self._buffer[4:8], "big")
            if len(self._buffer) < end:
                return
            micros = int.from_bytes(self._buffer[8:16], "big")
            self._emit(self._buffer[_HEADER:end].decode(errors="replace"), micros / 1e6)
            self._buffer = self._buffer[end:]

    def flush(self) -> None:
        if self._buffer:
            self._emit(self._buffer.decode(errors="replace"), time.time())
            self._buffer = b""


class Output:
    """The reading ends of a child's three pipes, always drained: a full pipe would block the handler.

    `stdout`, `stderr` and `telemetry` are the writing ends, for the child; `started` closes them here once it has them.
    """

    def __init__(self, emit: Emit) -> None:
        self._loop = asyncio.get_running_loop()
        self._readers: dict[int, _Decoder] = {}
        self._writers = [
            self._pipe(decoder) for decoder in (Lines(emit), Lines(emit), Frames(emit))
        ]
        self.stdout, self.stderr, self.telemetry = self._writers

    def _pipe(self, decoder: _Decoder) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._readers[reader] = decoder
        self._loop.add_reader(reader, self._read, reader)
        return writer

    def started(self) -> None:
        while self._writers:
            os.close(self._writers.pop())

    def _read(self, reader: int) -> bool:
        """Takes what one read gives; False when there is nothing, and the pipe is closed when nothing can come any more."""
        try:
            data = os.read(reader, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._readers[reader].feed(data)
            return True
        self._forget(reader)
        return False

    def drain(self) -> None:
        """Take all that was written up to now, with lines that have no end: called when an invocation is over."""
        for reader, decoder in list(self._readers.items()):
            self._read(reader)
            if isinstance(decoder, Lines):
                decoder.flush()

    def close(self) -> None:
        self.started()
        for reader in list(self._readers):
            with contextlib.suppress(OSError):
                while self._read(reader):
                    pass
            self._forget(reader)

    def _forget(self, reader: int) -> None:
        decoder = self._readers.pop(reader, None)
        if decoder is not None:
            decoder.flush()
            self._loop.remove_reader(reader)
            os.close(reader)
