"""Runs programs of either side in processes of their own, without the credentials of this one."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import UserError

TIMEOUT_S = 600
ERROR_LINES = 12
INHERITED = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "TZ", "PYENV_ROOT", "NODE_EXTRA_CA_CERTS")
INHERITED_PREFIXES = (
    "LC_",
    "UV_",
    "PIP_",
    "SSL_CERT_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""Variables that programs and packages are found by; credentials of clouds are not among them."""


class ChildFailedError(UserError):
    """A child process failed; the text is the end of its standard error."""


def environment(**more: str) -> dict[str, str]:
    """Return the variables for a child process, with `more` added."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    }
    return {**inherited, **more}


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
            env=environment(PYTHONPATH=str(directory), **(variables or {})),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
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
