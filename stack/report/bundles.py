"""Compares the zips of both sides: sizes, packages, and the import time of the function."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle import Target
from bundle.target import BUNDLES
from common.environment import inherited
from common.errors import UserError
from stack.report import child_process, redaction
from stack.report.compare import Snapshot
from stack.report.revisions import Side

ROUNDS = 9
IMPORT = """
import sys, time
sys.path[:0] = sys.argv[1:]
start = time.perf_counter()
import service.handler
sys.stdout = sys.__stdout__
print("took", time.perf_counter() - start)
"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes of a zip, and of its content."""

    zipped: int
    unzipped: int


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """sizes: by the names of the zips. packages: version and zipped bytes by name."""

    sizes: Mapping[str, Size]
    packages: Mapping[str, tuple[str, int]]


def uploaded(side: Side, snapshot: Snapshot) -> Bundle:
    """Return the zips that the snapshot's resources upload."""
    paths = {
        path.name: path
        for path in _archives(side.root, [resource["inputs"] for resource in snapshot["resources"]])
    }
    reports = {path.parent / "report.json" for path in paths.values()}
    packages = [package for path in reports if path.is_file() for package in _packages(path)]
    return Bundle(
        sizes={name: _size(path) for name, path in paths.items()}, packages=dict(packages)
    )


def _archives(root: Path, value: Any) -> Iterator[Path]:
    """Yield the zips that redacted inputs name: `content HASH of PATH`."""
    if isinstance(value, str) and value.startswith(redaction.ARCHIVE):
        path = root / value.partition(" of ")[2]
        if path.is_file():
            yield path
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _archives(root, item)


def _size(path: Path) -> Size:
    with zipfile.ZipFile(path) as archive:
        return Size(
            zipped=path.stat().st_size,
            unzipped=sum(entry.file_size for entry in archive.infolist()),
        )


def _packages(report: Path) -> Iterator[tuple[str, tuple[str, int]]]:
    document = json.loads(report.read_text(encoding="utf-8"))
    for part in ("layer", "code"):
        for package in document[part]["packages"]:
            yield package["name"], (package["version"], package["zipped"])


def init_seconds(sides: Sequence[Side], directory: Path) -> list[list[float]]:
    """Return the seconds that a new interpreter takes to import each side's function, nine times.

    The sides alternate, so that load of the machine affects both; a first round, which fills the
    file cache, is not counted. The bundles are those for this machine, unpacked below `directory`.
    Raises `UserError` when one cannot be imported.
    """
    unpacked = [_unpack(side, directory / side.label) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    for attempt in range(ROUNDS + 1):
        for bundle, seconds in zip(unpacked, times, strict=True):
            taken = _import_once(bundle)
            if attempt:
                seconds.append(taken)
    return times


def build_host_bundle(side: Side) -> None:
    """Bring the side's bundle for this machine up to date, with the side's own builder.

    Raises `UserError` when it cannot be built or fails its smoke test.
    """
    child_process.run(["-m", "bundle", "--host"], side.root)


def share(head: Side, base: Side) -> None:
    """Link the head's bundles into the base, whose builder reuses what has not changed."""
    for built in (head.root / BUNDLES).glob("*-*"):
        shutil.copytree(
            built,
            base.root / BUNDLES / built.name,
            symlinks=True,
            copy_function=_link,
            ignore=shutil.ignore_patterns("scratch"),
        )


def _link(source: str, target: str) -> None:
    """Create a hard link, or a copy on another file system.

    A link is safe because the builder replaces files and never writes into one.
    """
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _unpack(side: Side, directory: Path) -> Path:
    for name in ("layer", "code"):
        with zipfile.ZipFile(side.root / Target.host().directory / f"{name}.zip") as archive:
            archive.extractall(directory / name)
    return directory


def _import_once(bundle: Path) -> float:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        IMPORT,
        str(bundle / "code"),
        str(bundle / "layer" / "python"),
    ]
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=inherited(),
        stdin=subprocess.DEVNULL,
    )
    taken = [line.split()[1] for line in process.stdout.splitlines() if line.startswith("took ")]
    if process.returncode != 0 or not taken:
        raise UserError(
            "\n".join(process.stderr.strip().splitlines()[-child_process.ERROR_LINES :])
            or "the function does not import"
        )
    return float(taken[-1])
