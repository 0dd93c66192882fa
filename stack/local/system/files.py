"""Writes small files of the local cloud's state."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str, *, sync: bool = True) -> None:
    """Replace a file atomically, with mode 0600; its directory is created if missing.

    A process that reads it meanwhile, or after a crash, gets the old text or the new one; with
    `sync` also after a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if sync:
                os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
