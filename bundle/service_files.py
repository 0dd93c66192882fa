"""Lists the files of `service/` that go into the code, and refuses what a zip must not hold."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundle import exclusions
from common.errors import UserError

# A file system has 255 bytes for a name, and the name of its bytecode is longer.
LONGEST_NAME, LONGEST_PATH = 200, 1000
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+[A-Za-z0-9+/=:, -]{16}"
)
_KEY_ADVICE = (
    "Everybody who may read the function's code could read it: move it out of service/ "
    "and pass the value as a secret"
)


def service_files(root: Path, service: Path) -> Iterator[Path]:
    """Yield the files below `service` that stay.

    Raises `UserError`, which names the path, for a link, a special file, a file that cannot be
    read, a key, and a name that is not the same on every system.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{_shown(root, Path(error.filename))} cannot be read: {error.strerror}")

    for parent, directories, files in os.walk(service, onerror=refuse):
        directories[:] = filter(exclusions.in_code, directories)
        paths = [Path(parent, name) for name in filter(exclusions.in_code, files)]
        for path in (*paths, *(Path(parent, name) for name in directories)):
            if problem := _problem(root, path):
                raise UserError(f"{_shown(root, path)} {problem}")
        _refuse_same_names(root, [*paths, *(Path(parent, name) for name in directories)])
        yield from paths


def refuse_keys(files: Iterable[tuple[str, bytes]]) -> None:
    """Raise `UserError` for a file that contains a private key as text. Certificates are fine."""
    for name, data in files:
        if _PRIVATE_KEY.search(data):
            raise UserError(f"{name} contains a private key. {_KEY_ADVICE}")


def _problem(root: Path, path: Path) -> str | None:
    """Return why a file or directory cannot go into the zip, or None."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return (
            f"is a link to {str(path.readlink())!a}: "
            "the bundle follows no links, so put a copy of what it points to in its place"
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is neither a file nor a directory: move it out of service/"
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        return "cannot be read: give its permissions back, or move it out of service/"
    try:
        name, whole = path.name.encode(), path.relative_to(root).as_posix().encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8: rename it"
    if any(unicodedata.category(character) == "Cc" for character in path.name):
        return "has a control character in its name: rename it"
    if len(name) > LONGEST_NAME or len(whole) > LONGEST_PATH:
        return (
            f"is too long: a name may have {LONGEST_NAME} bytes, "
            f"and a path {LONGEST_PATH:,} from the checkout on"
        )
    if stat.S_ISREG(mode) and (what := exclusions.refused(path.name)):
        return f"is {what} by its name. {_KEY_ADVICE}"
    return None


def _refuse_same_names(root: Path, paths: Iterable[Path]) -> None:
    """Raise `UserError` for names that are one name where upper and lower case are the same."""
    seen: dict[str, Path] = {}
    for path in sorted(paths):
        other = seen.setdefault(unicodedata.normalize("NFC", path.name).casefold(), path)
        if other != path:
            raise UserError(
                f"{_shown(root, other)} and {_shown(root, path)} are one file "
                "where upper and lower case are the same, as on macOS: rename one"
            )


def _shown(root: Path, path: Path) -> str:
    """Return the path from the checkout on, without characters that a terminal cannot show."""
    name = path.relative_to(root).as_posix()
    return name if name.isprintable() else ascii(name)
