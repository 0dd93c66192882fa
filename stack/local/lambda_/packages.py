"""The unpacked zips from which functions and layers run."""

import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path


class Packages:
    """Directories below `home`, each named by the SHA-256 of its zip, and read-only.

    lock: held by whoever unpacks a zip, until a record names its directory: `prune` waits for it.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.lock = threading.RLock()

    def unpack(self, archive: Path, digest: str) -> Path:
        """Return the directory with the zip's files, unpacked on the first call.

        Files are 0444, directories 0555, as on Lambda. If the process is killed meanwhile, the
        directory does not exist. `digest`: the zip's SHA-256 in hexadecimal.
        """
        directory = self._home / digest[:16]
        if directory.is_dir():
            return directory
        self._home.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=self._home))
        with zipfile.ZipFile(archive) as source:
            for entry in source.infolist():
                path = Path(source.extract(entry, staging))
                path.chmod(
                    0o755
                    if path.is_dir()
                    else 0o555
                    if entry.external_attr >> 16 & 0o111
                    else 0o444
                )
        for path in staging.rglob("*"):
            if path.is_dir():
                path.chmod(0o555)
        staging.chmod(0o755)
        try:
            staging.rename(directory)
        except OSError:  # another thread was first
            remove(staging)
        return directory

    def prune(self, named: Callable[[], Collection[Path]]) -> None:
        """Remove all directories but those named, remains of interrupted calls included."""
        with self.lock:
            keep = named()
            for directory in self._home.glob("*") if self._home.is_dir() else ():
                if directory not in keep:
                    remove(directory)


def remove(directory: Path) -> None:
    """Delete a directory tree, read-only directories included."""
    for path in [directory, *directory.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(directory)
