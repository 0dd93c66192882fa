"""Describes in a sentence why a file or directory cannot be written or read."""

import errno
import os
import shutil
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full: make room and try again",
    errno.EDQUOT: "your disk quota is used up: make room and try again",
    errno.EROFS: "the file system is mounted read-only: mount it writable, or work elsewhere",
    errno.EACCES: "this user may not use it: change its owner or its permissions",
    errno.EPERM: "this user may not use it: change its owner or its permissions",
    errno.EEXIST: "it is no directory, and has to be one: remove it, or give it another name",
    errno.ENOTDIR: "it is no directory, and has to be one: remove it, or give it another name",
    errno.EISDIR: "it is a directory, and has to be a file: remove it, or give it another name",
    errno.ELOOP: "it is a link that leads to itself: remove it",
    errno.ENAMETOOLONG: "its path is too long: move the checkout",
    errno.EIO: "the disk reports an error",
}


def storage_problem(error: BaseException, directory: Path) -> str | None:
    """Return the path and what to change; None when the error does not concern the storage.

    directory: named when the error has no path, as after a failed write to an open file.
    """
    if isinstance(error, shutil.Error):  # of copytree: source, target and text of each error
        _, target, text = error.args[0][0]
        number = next((code for code in _REASONS if os.strerror(code) in text), None)
        error = OSError(number, "", target)
    if not isinstance(error, OSError) or error.errno not in _REASONS:
        return None
    name = error.filename2 or error.filename  # of a copy, the second is the target
    path = Path(name) if isinstance(name, str | os.PathLike) else directory
    if error.errno == errno.ENOTDIR:  # the path is below the file that is meant
        path = next((parent for parent in path.parents if parent.is_file()), path)
    return f"{path}: {_REASONS[error.errno]}"
