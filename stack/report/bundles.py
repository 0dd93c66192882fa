"""The zips on both sides: their sizes, their packages, and how long the function takes to import them here."""

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
from bundle.target import BUNDLES as DIRECTORY
from common.errors import UserError
from stack.report import children, redacted
from stack.report.compare import Snapshot
from stack.report.revisions import Side

ROUNDS = 9
IMPORT = """
import sys, time
sys.path[:0] = sys.argv[1:]
begun = time.perf_counter()
import service.handler
sys.stdout = sys.__stdout__
print("took", time.perf_counter() - begun)
"""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes of a zip, and of what it holds."""

    zipped: int
    unzipped: int


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """sizes: by the zips' names. packages: version and zipped bytes by name."""

    sizes: Mapping[str, Size]
    packages: Mapping[str, tuple[str, int]]


def uploaded(side: Side, snapshot: Snapshot) -> Bundle:
    """What the snapshot's resources upload."""
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
    if isinstance(value, str) and value.startswith(redacted.ARCHIVE):
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


def init_seconds(sides: Sequence[Side], place: Path) -> list[list[float]]:
    """Seconds that a fresh interpreter takes to import each side's function, in turns, the first round left out.

    From the bundle for this machine. Raises `UserError` when one cannot be imported.
    """
    trees = [_unpacked(side, place / side.label) for side in sides]
    times: list[list[float]] = [[] for _ in sides]
    for attempt in range(ROUNDS + 1):
        for tree, taken in zip(trees, times, strict=True):
            seconds = _import_once(tree)
            if attempt:
                taken.append(seconds)
    return times


def build_here(side: Side) -> None:
    """Bring the side's bundle for this machine up to date. Raises `UserError` when it cannot be built or does not boot."""
    children.run(["-m", "bundle", "--host"], side.root)


def share(head: Side, base: Side) -> None:
    """Let the base begin from what the head has built: its builder knows by content what it can use of that."""
    for built in (head.root / DIRECTORY).glob("*-*"):
        shutil.copytree(
            built,
            base.root / DIRECTORY / built.name,
            symlinks=True,
            copy_function=_link,
            ignore=shutil.ignore_patterns("scratch"),
        )


def _link(source: str, target: str) -> None:
    """A second name for a file that is only ever replaced as a whole, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _unpacked(side: Side, place: Path) -> Path:
    for name in ("layer", "code"):
        with zipfile.ZipFile(side.root / DIRECTORY / Target.host().name / f"{name}.zip") as archive:
            archive.extractall(place / name)
    return place


def _import_once(tree: Path) -> float:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        IMPORT,
        str(tree / "code"),
        str(tree / "layer" / "python"),
    ]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=children.environment(),
        stdin=subprocess.DEVNULL,
    )
    took = [line.split()[1] for line in ended.stdout.splitlines() if line.startswith("took ")]
    if ended.returncode != 0 or not took:
        raise UserError(
            "\n".join(ended.stderr.strip().splitlines()[-children.LINES_KEPT :])
            or "the function does not import"
        )
    return float(took[-1])
