"""Waits until files may have changed, by the system's notifications, or else by a short sleep."""

import contextlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import psutil
from watchfiles import _rust_notify  # pyright: ignore[reportPrivateUsage] - documented

LOOK_S = 5.0
"""At the latest after this time the caller looks at the files: an event can be missed."""
POLL_S = 0.1
"""The same without notifications."""
_STEP_MS = 40
_GROUP_MS = 100  # at most ten looks a second while files change continuously
# File systems on which other machines, or the host of a virtual machine, change files without a
# notification here. FUSE is among them: most of its file systems are remote.
_SILENT = re.compile(
    r"nfs|cifs|smb|afp|webdav|davfs|9p|drvfs|virtiofs|fuse(?!blk)|osxfs|macfuse|osxfuse|fakeowner|"
    r"grpcfuse|vboxsf|prl_|vmhgfs|afs|ceph|gluster|lustre|sshfs"
)


class Stop(Protocol):
    """Ends a wait early."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


class FileEvents:
    """Waits for changes in directories.

    say: is called with a sentence when notifications are not used.
    """

    def __init__(self, stop: Stop, say: Callable[[str], None]) -> None:
        self._stop, self._say, self._said = stop, say, ""
        self._watched: frozenset[Path] | None = None
        self._notify: _rust_notify.RustNotify | None = None

    def wait(self, directories: frozenset[Path]) -> frozenset[Path] | None:
        """Return when something may have changed, or when `stop` is set.

        Returns what has been notified, None when anything may have changed. It returns at once when
        other directories are to be watched than before: earlier changes were not notified.
        """
        if directories != self._watched:
            self._watch(directories)
        elif self._notify is None:
            self._stop.wait(POLL_S)
        else:
            changes = self._notify.watch(_GROUP_MS, _STEP_MS, round(LOOK_S * 1000), self._stop)
            # A directory that was replaced by another one of its name has to be watched again.
            if isinstance(changes, str):
                return None
            paths = frozenset(Path(path) for _, path in changes)
            if not directories & paths:
                return paths
            self._watched = None
        return None

    def close(self) -> None:
        """End the system's notifications."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    def _watch(self, directories: frozenset[Path]) -> None:
        self.close()
        self._watched = directories
        if silent := silent_file_system(directories):
            self._poll(f"changes on {silent} are not always notified")
            return
        try:
            self._notify = _rust_notify.RustNotify(
                [str(path) for path in directories], False, False, 0, False, True
            )
        except FileNotFoundError:  # deleted since: the next look sees other directories
            self._watched = None
            self._stop.wait(POLL_S)
        except (OSError, _rust_notify.WatchfilesRustInternalError) as error:
            self._poll(f"the system notifies no changes ({error})")

    def _poll(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            self._say(f"--watch reads the state of all files every {POLL_S} s: {reason}")


def silent_file_system(directories: Iterable[Path]) -> str:
    """Return the type of a file system that does not notify all changes there, or ""."""
    types: dict[Path, str] = {}
    with contextlib.suppress(OSError):
        types = {Path(found.mountpoint): found.fstype for found in psutil.disk_partitions(all=True)}
    for directory in directories:
        resolved = directory.resolve()
        mounted = next((at for at in (resolved, *resolved.parents) if at in types), None)
        if mounted and _SILENT.match(types[mounted].lower()):
            return types[mounted]
    return ""
