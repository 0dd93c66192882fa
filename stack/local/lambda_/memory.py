"""Peak memory of a running process."""

import contextlib
import os

import psutil

_MIB = 1_048_576


class PeakMemory:
    """The peak as the kernel counts it on Linux; elsewhere the highest value that was read.

    The kernel's file stays open, because it is read at every invocation.
    """

    def __init__(self, pid: int) -> None:
        self._bytes = 0
        self._status: int | None = None
        self._process: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):
            try:
                self._status = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._process = psutil.Process(pid)

    def read(self) -> int:
        """Return the peak in MiB, rounded up; the last value read when the process is gone."""
        now = 0
        with contextlib.suppress(OSError, psutil.Error):
            if self._status is not None:
                _, _, rest = os.pread(self._status, 4096, 0).partition(b"VmHWM:")
                now = int(rest[: rest.index(b"kB")]) * 1024 if rest else 0
            elif self._process is not None:
                now = self._process.memory_info().rss
        self._bytes = max(self._bytes, now)
        return -(-self._bytes // _MIB)

    def close(self) -> None:
        self._process = None
        if self._status is not None:
            os.close(self._status)
            self._status = None
