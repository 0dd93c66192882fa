"""Trees: the files of a layer or of the code, each with its path in the zip, before they are packed."""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle import exclusions
from common.errors import UserError

SERVICE = "service"


@dataclass(frozen=True)
class Entry:
    """A file: its path in the zip, where it is now, and the distribution it belongs to ("service" for the code)."""

    name: str
    source: Path
    package: str


@dataclass(frozen=True)
class Tree:
    """Entries in the order of their names, and the versions of their distributions."""

    entries: Sequence[Entry]
    versions: Mapping[str, str]


def ordered(entries: Iterable[Entry], versions: Mapping[str, str] | None = None) -> Tree:
    return Tree(sorted(entries, key=lambda entry: entry.name), versions or {})


def layer_tree(site: Path) -> Tree:
    """What of an installed `site` goes into the layer, below `python/`."""
    owners: dict[str, str] = {}
    versions: dict[str, str] = {}
    for record in sorted(site.glob("*.dist-info/RECORD")):
        name, _, version = record.parent.name.removesuffix(".dist-info").rpartition("-")
        distribution = re.sub(r"[-_.]+", "-", name).lower()
        versions[distribution] = version
        with record.open(encoding="utf-8", newline="") as rows:
            owners.update({row[0]: distribution for row in csv.reader(rows) if row})
    entries: list[Entry] = []
    for path in _files(site):
        name = path.relative_to(site).as_posix()
        owner = owners.get(name, "")
        if exclusions.in_layer(name, owner):
            entries.append(Entry(f"python/{name}", path, owner))
    return ordered(entries, versions)


def code_tree(root: Path) -> Tree:
    """What of `service/` goes into the code."""
    service = root / SERVICE
    if not service.is_dir():
        raise UserError(f"{service} is missing: it holds what Lambda runs")
    entries = [
        Entry(path.relative_to(root).as_posix(), path, SERVICE)
        for path in _files(service, code=True)
    ]
    return ordered(entries)


def _files(directory: Path, *, code: bool = False) -> Iterator[Path]:
    for parent, directories, files in os.walk(directory):
        if code:
            directories[:] = filter(exclusions.in_code, directories)
            files = filter(exclusions.in_code, files)
        yield from (Path(parent, name) for name in files)
