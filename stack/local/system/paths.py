"""The paths below `.local/`, for the supervisor and for commands that read without it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 100  # sockaddr_un.sun_path has 104 bytes on macOS, 108 on Linux


@dataclass(frozen=True)
class LocalPaths:
    """The paths below `.local/` of one checkout, whose directory is `root`."""

    root: Path

    @property
    def directory(self) -> Path:
        """`.local/` itself."""
        return self.root / ".local"

    def create(self) -> None:
        """Create `.local/` for its owner alone.

        For root, other users may search it but not list it, because the local database runs as a
        system user.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711 if os.geteuid() == 0 else 0o700)

    @property
    def lock(self) -> Path:
        return self.directory / "lock"

    @property
    def log(self) -> Path:
        return self.directory / "supervisor.log"

    @property
    def postgres_log(self) -> Path:
        return self.directory / "postgres" / "postgres.log"

    @property
    def outputs(self) -> Path:
        return self.directory / "outputs.json"

    @property
    def secret_outputs(self) -> Path:
        """The names of the secret outputs, which `outputs.json`, a flat map, cannot mark."""
        return self.directory / "secret-outputs.json"

    @property
    def run(self) -> Path:
        """The directory of the records of child processes (processes.py)."""
        return self.directory / "run"

    def state(self, stack: str) -> Path:
        """Return the file of the stack's resources."""
        return self.directory / "stacks" / f"{stack}.json"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket.

        It is below `/tmp` when its path in `.local/` is too long for one: shells differ in TMPDIR.
        """
        inside = self.directory / "control.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        directory = Path("/tmp") / f"stack-{os.getuid()}-{digest}"  # noqa: S108 - mode 0700
        return directory / "control.sock"
