"""Lists the files of a layer or of the code, each with its path in the zip."""

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle import exclusions
from bundle.imports import imported
from bundle.service_files import service_files
from common.errors import UserError

SERVICE = "service"


@dataclass(frozen=True)
class Entry:
    """A file: its path in the zip, its path on disk, and its distribution ("service": the code)."""

    name: str
    source: Path
    package: str


@dataclass(frozen=True)
class Tree:
    """Entries sorted by name, and the versions of their distributions by normalised name."""

    entries: Sequence[Entry]
    versions: Mapping[str, str]


def sorted_tree(entries: Iterable[Entry], versions: Mapping[str, str] | None = None) -> Tree:
    """Return the entries in the order in which they go into a zip."""
    return Tree(sorted(entries, key=lambda entry: entry.name), versions or {})


def layer_tree(site: Path) -> Tree:
    """Return the files of an installed `site` that go into the layer, below `python/`.

    A module that the rules leave out stays if one that stays imports it.
    """
    distributions: dict[str, str] = {}
    versions: dict[str, str] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").rpartition("-")
        distribution = re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
        versions[distribution] = version
        with record.open(encoding="utf-8", newline="") as rows:
            distributions.update({row[0]: distribution for row in csv.reader(rows) if row})
    kept: dict[str, Path] = {}
    left_out: dict[str, Path] = {}
    for path in site.rglob("*"):
        name = path.relative_to(site).as_posix()
        if not path.is_file() or exclusions.is_dropped(distributions.get(name, "")):
            continue
        (kept if exclusions.in_layer(name) else left_out)[name] = path
    return sorted_tree(
        (
            Entry(f"python/{name}", path, distributions.get(name, ""))
            for name, path in _with_imported(kept, left_out).items()
        ),
        versions,
    )


def code_tree(root: Path) -> Tree:
    """Return the files of `service/` that go into the code. Raises `UserError` without it.

    A module that the rules leave out stays if one that stays imports it.
    """
    service = root / SERVICE
    if not service.is_dir():
        raise UserError(f"{service} is missing: it holds what Lambda runs")
    kept = {path.relative_to(root).as_posix(): path for path in service_files(root, service)}
    tests = {
        path.relative_to(root).as_posix(): path
        for path in service.rglob("tests/**/*.py")
        if not path.is_symlink()
    }
    return sorted_tree(
        Entry(name, path, SERVICE) for name, path in _with_imported(kept, tests).items()
    )


def _with_imported(kept: dict[str, Path], left_out: dict[str, Path]) -> dict[str, Path]:
    return {**kept, **{name: left_out[name] for name in imported(kept, left_out)}}


def content_hash(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256 of names and contents, in the order given."""
    hashed = hashlib.sha256()
    for name, data in files:
        hashed.update(f"{name}\0{len(data)}\0".encode() + data)
    return hashed.hexdigest()
