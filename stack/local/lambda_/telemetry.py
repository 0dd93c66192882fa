"""The output of an execution environment, from three pipes into log records.

`print`, standard error and child processes write lines. `logging` goes through AWS's runtime
client, which writes frames to the file descriptor in `_LAMBDA_TELEMETRY_LOG_FD`: type (4 bytes,
`a55a….`), length (4), time in µs (8), message; the numbers are big-endian.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import Protocol

_LONGEST_LINE = 262_144
"""Bytes: the size of a CloudWatch Logs event before April 2025."""
_CHUNK = 65_536  # a pipe's capacity, so that one read takes all that is in it
_MAGIC = b"\xa5\x5a"
_HEADER = 16

Emit = Callable[[str, float], None]
"""Takes a message and its time, in seconds since the epoch."""


class _Decoder(Protocol):
    def feed(self, data: bytes) -> None: ...
    def flush(self) -> None: ...


class LineDecoder:
    """Emits one record a line; an incomplete line is emitted when its end comes, or by `flush`."""

    def __init__(self, emit: Emit) -> None:
        self._emit, self._tail = emit, b""

    def feed(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        now = time.time()
        for line in lines:
            self._emit(line.decode(errors="replace"), now)
        if len(self._tail) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        if self._tail:
            self._emit(self._tail.decode(errors="replace"), time.time())
            self._tail = b""


class FrameDecoder:
    """Emits one record a frame, however many lines it has.

    Other data, which the function itself wrote to the file descriptor, is emitted as it is.
    """

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
    """The reading ends of a child's pipes. They are always read: a full pipe blocks its writer.

    `stdout_fd`, `stderr_fd` and `telemetry_fd` are the writing ends, for the child; `close_writers`
    closes them in this process once the child has them.
    """

    def __init__(self, emit: Emit) -> None:
        self._loop = asyncio.get_running_loop()
        self._readers: dict[int, _Decoder] = {}
        self._writers = [
            self._pipe(decoder)
            for decoder in (LineDecoder(emit), LineDecoder(emit), FrameDecoder(emit))
        ]
        self.stdout_fd, self.stderr_fd, self.telemetry_fd = self._writers

    def _pipe(self, decoder: _Decoder) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._readers[reader] = decoder
        self._loop.add_reader(reader, self._read, reader)
        return writer

    def close_writers(self) -> None:
        while self._writers:
            os.close(self._writers.pop())

    def _read(self, reader: int) -> bool:
        """Read once; False when the pipe is empty. At its end the pipe is closed."""
        try:
            data = os.read(reader, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._readers[reader].feed(data)
            return True
        self._close_reader(reader)
        return False

    def drain(self) -> None:
        """Emit all that was written up to now, incomplete lines included: an invocation is over."""
        for reader, decoder in list(self._readers.items()):
            self._read(reader)
            if isinstance(decoder, LineDecoder):
                decoder.flush()

    def close(self) -> None:
        self.close_writers()
        for reader in list(self._readers):
            with contextlib.suppress(OSError):
                while self._read(reader):
                    pass
            self._close_reader(reader)

    def _close_reader(self, reader: int) -> None:
        decoder = self._readers.pop(reader, None)
        if decoder is not None:
            decoder.flush()
            self._loop.remove_reader(reader)
            os.close(reader)
