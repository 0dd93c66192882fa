"""Hashes what decides the effect of the migration call, so that a change of it repeats the call."""

from collections.abc import Iterator
from pathlib import Path

from bundle.file_tree import SERVICE, content_hash
from bundle.imports import imported_names, with_packages
from common.editor_files import is_editor_file

HANDLER = Path(SERVICE, "migrate.py")
MIGRATIONS = Path(SERVICE, "migrations")


def migrations_hash(root: Path) -> str:
    """Return the SHA-256 of the sources below `root`: paths and contents.

    They are the migrations, the module of the handler, and the modules of the service that any of
    these imports.
    """
    waiting = [HANDLER]
    for path in (root / MIGRATIONS).rglob("*.py"):
        if not is_editor_file(path.name):
            waiting.append(path.relative_to(root))
    found: dict[str, bytes] = {}
    while waiting:
        path = waiting.pop()
        if path.as_posix() not in found and (root / path).is_file():
            source = found[path.as_posix()] = (root / path).read_bytes()
            waiting += _imported(path, source)
    return content_hash(sorted(found.items()))


def _imported(path: Path, source: bytes) -> Iterator[Path]:
    """Yield where the modules of the service that a file imports would be, packages included."""
    for name in imported_names(path.as_posix(), source):
        for module in with_packages(name):
            if module.partition(".")[0] == SERVICE:
                location = Path(*module.split("."))
                yield from (location.with_suffix(".py"), location / "__init__.py")
