"""Reads the files of the migrations without running them, so without Alembic and a database."""

import ast
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"
NOT_MIGRATIONS: Final = ("__init__", ".#")
"""Beginnings of the names of `.py` files that Alembic passes over."""
REVISION: Final = re.compile(r"[^@+:-]{1,32}")
"""Alembic's own rule, and the length of `alembic_version.version_num`."""

# Two threads must not parse at once: CPython 3.11 then raises SystemError (gh-106905).
_parser: Final = threading.Lock()

Down = str | tuple[str, ...] | None
"""The revision before, as Alembic has it: a tuple in a migration that merges branches."""


@dataclass(frozen=True, kw_only=True)
class MigrationFile:
    """A file's name, revision and down revision; `fault` says why it cannot be used."""

    name: str
    revision: str = ""
    down_revision: Down = None
    fault: str = ""

    @property
    def after(self) -> tuple[str, ...]:
        """The revisions that come directly before this one."""
        down = self.down_revision
        return (down,) if isinstance(down, str) else down or ()


def read(directory: Path = VERSIONS) -> list[MigrationFile]:
    """Return all migrations, sorted by the names of their files."""
    return [
        _read(path)
        for path in sorted(directory.glob("*.py"))
        if not path.name.startswith(NOT_MIGRATIONS)
    ]


def migrations(directory: Path = VERSIONS) -> dict[str, Down]:
    """Return the down revision of each revision."""
    return {file.revision: file.down_revision for file in read(directory) if file.revision}


def head(revisions: Mapping[str, Down]) -> str | None:
    """Return the revision that is no other's down revision; None unless there is exactly one."""
    heads = _heads(
        [MigrationFile(name="", revision=it, down_revision=down) for it, down in revisions.items()]
    )
    return heads[0].revision if len(heads) == 1 else None


def faults(directory: Path = VERSIONS) -> list[str]:
    """Return what keeps the files from being one history, each with the files and what to do."""
    files = read(directory)
    return (
        [*(file.fault for file in files if file.fault), *_duplicates(files)]
        or _unknown(files)
        or _circles(files)
        or _branches(files)
    )


def _read(path: Path) -> MigrationFile:
    try:
        with _parser:
            module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte, before Python 3.12
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        return MigrationFile(name=path.name, fault=f"{path.name}{line}: {reason}: correct it")
    found = dict(_assignments(module))
    revision, down = found.get("revision"), found.get("down_revision")
    downs = down if isinstance(down, tuple) else () if down is None else (down,)
    fault = ""
    if not isinstance(revision, str):
        fault = "has no revision: assign a text to it, or move the file if it is no migration"
    elif not REVISION.fullmatch(revision):
        fault = f"has the revision {revision!r}: use 1 to 32 characters other than @, +, : and -"
    elif "down_revision" not in found or not all(isinstance(it, str) for it in downs):
        fault = "has no down_revision: assign the revision before, or None in the first migration"
    elif not any(isinstance(it, ast.FunctionDef) and it.name == "upgrade" for it in module.body):
        fault = "has no function upgrade(): add it"
    return MigrationFile(
        name=path.name,
        revision=revision if isinstance(revision, str) else "",
        down_revision=down if all(isinstance(it, str) for it in downs) else None,
        fault=f"{path.name} {fault}" if fault else "",
    )


def _assignments(module: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield the names and values that a module assigns at its top level, literals only."""
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets: Sequence[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        try:
            value = ast.literal_eval(statement.value or ast.Constant(None))
        except ValueError:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, tuple(value) if isinstance(value, list) else value
            elif isinstance(target, ast.Tuple) and isinstance(value, tuple):
                names = [it.id for it in target.elts if isinstance(it, ast.Name)]
                yield from zip(names, value, strict=False)


def _duplicates(files: Sequence[MigrationFile]) -> list[str]:
    by_revision: dict[str, list[str]] = {}
    for file in files:
        if file.revision:
            by_revision.setdefault(file.revision, []).append(file.name)
    return [
        f"{_listed(names)} have the same revision {revision!r}: give all but one of them another "
        "revision, and set their down_revision so that one follows the other"
        for revision, names in by_revision.items()
        if len(names) > 1
    ]


def _unknown(files: Sequence[MigrationFile]) -> list[str]:
    known = {file.revision for file in files}
    return [
        f"{file.name} follows {revision!r}, which no file has as its revision: add that migration, "
        "or set the down_revision to the revision before"
        for file in files
        for revision in file.after
        if revision not in known
    ]


def _circles(files: Sequence[MigrationFile]) -> list[str]:
    """Drop what nothing follows, then what follows nothing, again and again: circles are left."""
    left = list(files)
    while True:
        downs = {revision for file in left for revision in file.after}
        revisions = {file.revision for file in left}
        inner = [it for it in left if it.revision in downs and revisions & set(it.after)]
        if len(inner) == len(left):
            break
        left = inner
    names = _listed([file.name for file in left])
    return [f"{names} follow each other in a circle: correct down_revision"] if left else []


def _branches(files: Sequence[MigrationFile]) -> list[str]:
    heads = _heads(files)
    if len(heads) < 2:
        return []
    places = [f"{it.name} (after {_listed([repr(r) for r in it.after]) or 'none'})" for it in heads]
    return [
        f"{_listed(places)} are {len(heads)} heads, which no migration follows: set the "
        f"down_revision of {heads[-1].name} to {heads[0].revision!r}, or add a migration "
        "whose down_revision names all of them"
    ]


def _heads(files: Sequence[MigrationFile]) -> list[MigrationFile]:
    followed = {revision for file in files for revision in file.after}
    return [file for file in files if file.revision not in followed]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
