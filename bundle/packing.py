"""Writes a tree as a zip or as a directory, checks its binaries and adds up its packages' sizes."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundle import elf
from bundle.archive import EMPTY_SIZE, Member, write_zip, zipped_size
from bundle.cache import file_digest
from bundle.file_tree import Entry, Tree
from bundle.limits import binary_problem, refuse_binaries
from bundle.size_report import Package, Part
from bundle.target import Target


def write_archive(tree: Tree, target: Target, path: Path) -> Part:
    """Write the zip. Raises `UserError` when it holds binaries that the target cannot load."""
    problems: list[str] = []
    sizes: list[int] = []

    def members() -> Iterator[Member]:
        for entry in tree.entries:
            data = _content(entry, target, problems)
            sizes.append(len(data))
            # Decided by content, because the mode on disk depends on file system and umask.
            yield Member(entry.name, data, executable=data.startswith(b"#!"))

    zipped = write_zip(path, members())
    refuse_binaries(problems, target)
    packed, unpacked = Counter[str](), Counter[str]()
    for entry, small, large in zip(tree.entries, zipped, sizes, strict=True):
        packed[entry.package] += small
        unpacked[entry.package] += large
    return Part(
        sha256=file_digest(path),
        zipped=path.stat().st_size,
        unzipped=sum(sizes),
        files=len(tree.entries),
        packages=tuple(
            Package(
                name=name,
                version=tree.versions.get(name, ""),
                zipped=packed[name],
                unzipped=unpacked[name],
            )
            for name in sorted(packed)
        ),
    )


def write_directory(directory: Path, tree: Tree, target: Target) -> None:
    """Write the files that unpacking the zip would give.

    Files that packing does not change are hard links. Raises `UserError` as `write_archive` does.
    """
    problems: list[str] = []
    directory.joinpath("python").mkdir(parents=True)
    for entry in tree.entries:
        path = directory / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = _content(entry, target, problems)
        if elf.is_elf(data):
            path.write_bytes(data)
            continue
        try:
            path.hardlink_to(entry.source)
        except OSError:  # another file system, or one without hard links
            path.write_bytes(data)
    refuse_binaries(problems, target)


def fit_into_budget(
    candidates: Sequence[Entry], entries: Sequence[Entry], budget: int
) -> list[Entry]:
    """Return the candidates, largest first, that fit into `budget` bytes of zip with `entries`."""
    left = budget - EMPTY_SIZE - sum(map(_zipped_size, entries))
    chosen: list[Entry] = []
    for entry in sorted(candidates, key=lambda entry: (-entry.source.stat().st_size, entry.name)):
        size = _zipped_size(entry)
        if size <= left:
            left -= size
            chosen.append(entry)
    return chosen


def _zipped_size(entry: Entry) -> int:
    return zipped_size(Member(entry.name, entry.source.read_bytes()))


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a zip."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(directory)


def _content(entry: Entry, target: Target, problems: list[str]) -> bytes:
    """Return what the zip holds of the entry; add a line to `problems` for an unfit binary."""
    data = entry.source.read_bytes()
    if problem := binary_problem(entry.name, data, target):
        problems.append(problem)
        return data
    return elf.without_debug(data) if elf.is_elf(data) and target.system == "linux" else data
