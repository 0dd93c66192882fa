"""Programs of either side run in processes of their own, with nothing in their environment that opens anything."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import UserError

TIMEOUT_S = 600
LINES_KEPT = 12
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "TZ", "PYENV_ROOT", "NODE_EXTRA_CA_CERTS")
PASSED_ON_FAMILIES = (
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
"""What finds programs and packages; tokens and keys of clouds are not among them."""


class ChildFailedError(UserError):
    """A child that did not do what it was for; the text is the end of what it said."""


def environment(**more: str) -> dict[str, str]:
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_FAMILIES)
    }
    return {**passed, **more}


def run(
    arguments: Sequence[str], directory: Path, *, variables: Mapping[str, str] | None = None
) -> str:
    """Standard output of `python ARGUMENTS`, run in a directory whose modules come first. Raises `ChildFailedError`."""
    command = [sys.executable, *arguments]
    try:
        ended = subprocess.run(
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
    if ended.returncode != 0:
        said = [line for line in ended.stderr.strip().splitlines() if line.strip()]
        raise ChildFailedError(
            "\n".join(said[-LINES_KEPT:])
            or f"`python {' '.join(arguments)}` ended with {ended.returncode}"
        )
    return ended.stdout
