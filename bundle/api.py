"""The bundle as the rest of the program calls it."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundle.builder import Builder
from bundle.cache import exclusive
from bundle.file_tree import SERVICE, code_tree
from bundle.limits import Limits
from bundle.size_report import Report
from bundle.target import Target

DIRECTORY = Path(".local", "bundle")
_WATCHED_KEPT = 8  # unpacked trees that environments of older versions may still run from


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Two zips, as paths relative to the project's root that stay the same from build to build.

    version: 12 hex digits of the content of both.
    """

    layer: Path
    code: Path
    version: str
    report: Report


@dataclass(frozen=True, kw_only=True)
class CodeTree:
    """An unpacked `service/` without bytecode: its parent directory, relative to the project's root, and 12 hex digits of it."""

    path: Path
    version: str


def _quiet(_: str) -> None:
    """Progress that nobody follows."""


def build(
    root: Path,
    target: Target,
    *,
    bytecode: bool = True,
    limits: Limits | None = None,
    progress: Callable[[str], None] = _quiet,
) -> Bundle:
    """Bring the target's bundle up to date, and prove it; next to nothing is done when nothing has changed.

    root: of the project, with `service/` and `requirements/service.txt`. bytecode: compile what a request imports, by
    an interpreter of the target's minor version. progress: told in a sentence what is being done.
    Same input, same bytes: on every machine, for the same patch release of that interpreter.
    Raises `UserError` when it cannot be built, or when Lambda would refuse it or fail with it.
    """
    home = root / DIRECTORY / target.name
    with exclusive(
        root / DIRECTORY / "lock", lambda: progress("waiting for another build of this checkout")
    ):
        report = Builder(root, home, target, bytecode, limits or Limits(), progress).build()
    version = hashlib.sha256(f"{report.layer.sha256} {report.code.sha256}".encode()).hexdigest()[
        :12
    ]
    relative = DIRECTORY / target.name
    return Bundle(
        layer=relative / "layer.zip", code=relative / "code.zip", version=version, report=report
    )


def build_code(root: Path) -> CodeTree:
    """Only what the code would hold, unpacked and unproven: for a watcher that wants it served at once.

    Source only: bytecode would take longer to make than it saves, and none that is trusted by time may lie beside code that
    is being edited. The directory is named by its content, and never written to again.
    """
    entries = _read_code(root)
    hashed = hashlib.sha256()
    for name, data in entries:
        hashed.update(f"{name}\0{len(data)}\0".encode() + data)
    version = hashed.hexdigest()[:12]
    path = DIRECTORY / "watch" / version
    final = root / path
    if final.exists():
        os.utime(final)
    else:
        _write_tree(final, entries)
    return CodeTree(path=path, version=version)


def migrations_hash(root: Path) -> str:
    """SHA-256 of the migrations: paths and contents of the Python files below `service/migrations/`."""
    directory = root / SERVICE / "migrations"
    hashed = hashlib.sha256()
    for name, path in sorted(
        (path.relative_to(directory).as_posix(), path) for path in directory.rglob("*.py")
    ):
        data = path.read_bytes()
        hashed.update(f"{name}\0{len(data)}\0".encode() + data)
    return hashed.hexdigest()


def _read_code(root: Path, attempts: int = 3) -> list[tuple[str, bytes]]:
    try:
        return [(entry.name, entry.source.read_bytes()) for entry in code_tree(root).entries]
    except FileNotFoundError:  # an editor's temporary file, gone since it was listed
        if attempts == 1:
            raise
        return _read_code(root, attempts - 1)


def _write_tree(final: Path, entries: list[tuple[str, bytes]]) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=final.parent))
    for name, data in entries:
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    try:
        temporary.replace(final)
    except OSError:  # another build was faster
        shutil.rmtree(temporary, ignore_errors=True)
        if not final.exists():
            raise
    trees = sorted(final.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in trees[_WATCHED_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
