"""Runs programs of either side in processes of their own, without the credentials of this one."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.environment import inherited
from common.errors import UserError

TIMEOUT_S = 600
ERROR_LINES = 12


class ChildFailedError(UserError):
    """A child process failed; the text is the end of its standard error."""


def run(
    arguments: Sequence[str], directory: Path, *, variables: Mapping[str, str] | None = None
) -> str:
    """Run `python ARGUMENTS` in a directory whose modules are imported first; return its output.

    Raises `ChildFailedError` when it fails or takes longer than 10 minutes.
    """
    command = [sys.executable, *arguments]
    try:
        process = subprocess.run(
            command,
            cwd=directory,
            env={**inherited(), "PYTHONPATH": str(directory), **(variables or {})},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailedError(
            f"`python {' '.join(arguments)}` took longer than {TIMEOUT_S} s"
        ) from None
    if process.returncode != 0:
        errors = [line for line in process.stderr.strip().splitlines() if line.strip()]
        raise ChildFailedError(
            "\n".join(errors[-ERROR_LINES:])
            or f"`python {' '.join(arguments)}` ended with {process.returncode}"
        )
    return process.stdout
