"""Hashes what decides the effect of the migration call, so that a change of it repeats the call."""

import ast
from collections.abc import Iterator
from pathlib import Path

from bundle.file_tree import SERVICE, content_hash
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
    """Yield where the modules that a file imports would be, packages included."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):  # the migration call will name it
        return
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = path.parts[: -node.level] if node.level else ()
            base = [*parents, *(node.module.split(".") if node.module else [])]
            names = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == SERVICE:
                for length in range(1, len(parts) + 1):
                    place = Path(*parts[:length])
                    yield from (place.with_suffix(".py"), place / "__init__.py")
