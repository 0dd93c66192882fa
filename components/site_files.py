"""The input `files` of a Vercel deployment: path → `size~sha1`.

The map has to be the same on every machine. So it omits what Vercel ignores in every project and
what `.vercelignore` names; local build output then changes nothing. The rules are those of Vercel's
Terraform provider (data source `project_directory`): ignored directories are not read, and
`.vercelignore` cannot include a file that Vercel ignores. Files of editors are left out as well.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from common.editor_files import is_editor_file
from common.errors import UserError

ALWAYS_IGNORED = (
    *(".hg", ".git", ".gitmodules", ".svn", "CVS", ".gitignore", ".npmignore", ".dockerignore"),
    *(
        ".cache",
        ".next",
        ".now",
        ".vercel",
        ".vercel_build_output",
        "node_modules",
        "__pycache__",
        ".venv",
        "venv",
    ),
    *(
        ".*.swp",
        ".DS_Store",
        ".wafpicke-*",
        ".lock-wscript",
        ".env.local",
        ".env.*.local",
        "npm-debug.log",
        "config.gypi",
    ),
    *(".terraform*", "*.tfstate", "*.tfstate.backup"),
)
"""Patterns that Vercel ignores in every project, in the syntax of `.vercelignore`."""

_UNSUPPORTED = re.compile(r"[?\[\]\\!]|\*\*|^[^/]+/.")
"""Patterns that git and Vercel interpret differently, or that this project does not need."""


class _Pattern(NamedTuple):
    """One line of `.vercelignore`, for whole paths when `anchored`, for file names otherwise."""

    expression: re.Pattern[str]
    anchored: bool
    directories_only: bool

    def matches(self, path: str, name: str, *, is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return False
        return self.expression.fullmatch(path if self.anchored else name) is not None


def site_files(directory: Path, base: Path) -> dict[str, str]:
    """Map each file to deploy below `directory` to `size~sha1`, sorted by path.

    The keys are POSIX paths relative to `base`. Raises `UserError` for a missing directory, for a
    link or special file in it, and for a pattern of `.vercelignore` that is not supported.
    """
    if not directory.is_dir():
        raise UserError(f"there is no directory {directory}: it should contain the dashboard")
    patterns = [*_read_patterns(directory / ".vercelignore"), *_parse(ALWAYS_IGNORED, "")]
    prefix = directory.relative_to(base)
    paths = sorted(_walk(str(directory), "", patterns))
    return {(prefix / path).as_posix(): _describe(directory / path) for path in paths}


def _walk(directory: str, prefix: str, patterns: list[_Pattern]) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = prefix + entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if is_editor_file(entry.name) or any(
                pattern.matches(path, entry.name, is_directory=is_directory) for pattern in patterns
            ):
                continue
            if is_directory:
                yield from _walk(entry.path, f"{path}/", patterns)
            elif entry.is_file(follow_symlinks=False):
                yield path
            else:
                raise UserError(
                    f"{entry.path} is no plain file: Vercel accepts no links; "
                    "replace it, or name it in .vercelignore"
                )


def _describe(file: Path) -> str:
    content = file.read_bytes()
    return f"{len(content)}~{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"


def _read_patterns(file: Path) -> list[_Pattern]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return list(_parse(text.splitlines(), str(file)))


def _parse(lines: Iterable[str], file: str) -> Iterator[_Pattern]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if _UNSUPPORTED.search(text):
            raise UserError(
                f"{file}, line {number}: {text!r} is not supported; a pattern is a name with `*` "
                "for any part of it, or a path that starts with `/`, with `/` at its end for a "
                "directory"
            )
        body = text.strip("/")
        expression = re.compile("[^/]*".join(re.escape(part) for part in body.split("*")))
        yield _Pattern(expression, text.startswith("/"), text.endswith("/"))
