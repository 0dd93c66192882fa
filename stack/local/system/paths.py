"""The paths below `.local/`, for the supervisor and for commands that read without it."""

import fcntl
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 100  # sockaddr_un.sun_path has 104 bytes on macOS, 108 on Linux


@dataclass(frozen=True)
class Home:
    """The paths below `.local/` of one checkout, whose directory is `root`."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / ".local"

    def make(self) -> None:
        """Create `.local/` for its owner alone.

        For root, other users may search it but not list it, because the local database runs as a
        system user.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def log(self) -> Path:
        return self.path / "supervisor.log"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs.json"

    @property
    def secret_outputs(self) -> Path:
        """The names of the secret outputs, which `outputs.json`, a flat map, cannot mark."""
        return self.path / "secret-outputs.json"

    @property
    def run(self) -> Path:
        """The directory of the records of child processes (processes.py)."""
        return self.path / "run"

    def state(self, stack: str) -> Path:
        """Return the file of the stack's resources."""
        return self.path / "stacks" / f"{stack}.json"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket.

        It is in the system's temporary directory when its path in `.local/` is too long for one.
        """
        inside = self.path / "control.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"stack-{os.getuid()}-{digest}" / "control.sock"


class Lock:
    """The lock that a supervisor holds while it runs; the file contains its pid.

    The kernel releases the lock when the process ends, so no stale lock can remain.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock without waiting; return False when another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> int | None:
    """Return the pid of the supervisor that runs now, or None.

    0 for one that has acquired the lock and has not written its pid yet.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32)
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(descriptor)
