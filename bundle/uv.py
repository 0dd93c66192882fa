"""uv: installs the locked wheels for a target, without Docker and without building anything."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from uv import find_uv_bin

from bundle.target import Target
from common.errors import UserError

# What of uv's settings may reach it: where wheels come from and are kept. The rest could change what is installed.
_SETTINGS = (
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_OFFLINE",
    "UV_PYTHON_INSTALL_DIR",
    "UV_SYSTEM_CERTS",
)

_searching = (
    threading.Lock()
)  # the search reads sysconfig, which two threads must not initialise at once


def uv_python_directory() -> Path | None:
    """Where uv keeps the Pythons that it manages."""
    answer = _uv("python", "dir")
    return Path(answer.stdout.strip()) if answer.returncode == 0 and answer.stdout.strip() else None


def install(lock: Path, target: Target, into: Path, python: str = sys.executable) -> None:
    """Install what the lock names, by its hashes, as wheels for the target into an empty directory.

    Raises `UserError` with uv's own words: a wheel that does not exist for the target, an incomplete lock, no network.
    """
    platform = ["--python-platform", target.uv_platform] if target.uv_platform else []
    command = [
        *(
            "pip",
            "install",
            "--quiet",
            "--no-compile-bytecode",
            "--only-binary",
            ":all:",
            "--require-hashes",
        ),
        *("--python", python, "--python-version", target.python, *platform),
        *("--target", str(into), "--requirements", str(lock)),
    ]
    # What the hashes name is the same wherever it comes from: uv asks its index only for what its cache lacks.
    answer = _uv(*command, "--offline")
    if answer.returncode != 0:
        answer = _uv(*command)
    if answer.returncode != 0:
        said = "\n".join(f"  {line}" for line in answer.stderr.strip().splitlines()[-20:])
        raise UserError(
            f"uv could not install {lock.parent.name}/{lock.name} for {target.platform}, Python {target.python}:\n{said}\n"
            "Every package needs a wheel for that platform and a hash in the lock (`make lock` writes it)"
        )


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PYTHON", "VIRTUAL_ENV"))
    }
    settings = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    environment = {**kept, **settings, "NO_COLOR": "1"}
    try:
        with _searching:
            binary = find_uv_bin()
    except FileNotFoundError:
        raise UserError(
            "uv is not installed beside this Python: install requirements/all.txt into the environment"
        ) from None
    return subprocess.run(
        [binary, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
