"""Packing: a tree becomes a zip, or a directory, its binaries checked and its packages counted on the way."""

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
            # By content: file systems, archives and umasks disagree on the mode.
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


def lay_out(directory: Path, tree: Tree, target: Target) -> None:
    """Lay the files out as the zip would be unpacked, with the content that it holds, as links where nothing changes."""
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
        except OSError:  # a file system without links
            path.write_bytes(data)
    refuse_binaries(problems, target)


def affordable(extras: Sequence[Entry], beside: Sequence[Entry], budget: int) -> list[Entry]:
    """What of the extras fits into a zip of `budget` bytes beside the other entries, the largest first."""
    room = (
        budget
        - EMPTY_SIZE
        - sum(zipped_size(Member(entry.name, entry.source.read_bytes())) for entry in beside)
    )
    chosen: list[Entry] = []
    for entry in sorted(extras, key=lambda entry: (-entry.source.stat().st_size, entry.name)):
        size = zipped_size(Member(entry.name, entry.source.read_bytes()))
        if size <= room:
            room -= size
            chosen.append(entry)
    return chosen


def unpack(archive: Path, directory: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(directory)


def _content(entry: Entry, target: Target, problems: list[str]) -> bytes:
    data = entry.source.read_bytes()
    if problem := binary_problem(entry.name, data, target):
        problems.append(problem)
        return data
    return elf.without_debug(data) if elf.is_elf(data) and target.system == "linux" else data
