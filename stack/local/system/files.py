"""Writes small files of the local cloud's state, and limits logs."""

import contextlib
import os
import shutil
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


LOG_BYTES = 4 * 1024 * 1024


def limit_log(path: Path) -> None:
    """Move the text of a log of more than `LOG_BYTES` to PATH.1, whose text before is lost.

    The file itself stays, because processes append to it. A line that they write during the copy
    may be lost.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size > LOG_BYTES:
            shutil.copy(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)
