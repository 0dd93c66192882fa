"""Unpacks the code of `service/` for `stack up --watch`, without a zip, bytecode or smoke test."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bundle.file_tree import code_tree, content_hash
from bundle.service_files import refuse_keys
from bundle.target import BUNDLES

_KEPT = 8  # directories that execution environments of older versions may still run from
_READ_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class CodeDirectory:
    """A directory that holds `service/` without bytecode.

    path: relative to the project's root. version: 12 hex digits of the hash of its content.
    """

    path: Path
    version: str


def build_code(root: Path) -> CodeDirectory:
    """Copy the files that the code zip would hold into a directory named by their hash.

    There is no bytecode: compiling takes longer than it saves for one version, and bytecode that
    is checked by time is unreliable beside files that are being edited. A directory is never
    written to again once it has its name.
    """
    files = _read_files(root)
    refuse_keys(files)
    version = content_hash(files)[:12]
    path = BUNDLES / "watch" / version
    directory = root / path
    if directory.exists():
        os.utime(directory)
    else:
        _write_directory(directory, files)
    return CodeDirectory(path=path, version=version)


def _read_files(root: Path, attempts: int = _READ_ATTEMPTS) -> list[tuple[str, bytes]]:
    try:
        return [(entry.name, entry.source.read_bytes()) for entry in code_tree(root).entries]
    except FileNotFoundError:  # a temporary file of an editor, deleted after it was listed
        if attempts == 1:
            raise
        return _read_files(root, attempts - 1)


def _write_directory(directory: Path, files: list[tuple[str, bytes]]) -> None:
    """Write under a temporary name first, so that a directory with its final name is complete."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=directory.parent))
    for name, data in files:
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    try:
        temporary.replace(directory)
    except OSError:  # another build has written it in the meantime
        shutil.rmtree(temporary, ignore_errors=True)
        if not directory.exists():
            raise
    versions = sorted(
        directory.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for old in versions[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
