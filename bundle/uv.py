"""Runs uv, which installs the locked wheels for a target, without Docker and without a build."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from uv import find_uv_bin

from bundle.target import Target
from common.errors import UserError

# The settings that uv inherits: where wheels come from and are cached. Others could change what is
# installed.
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

# `find_uv_bin` reads sysconfig, whose initialisation is not safe in two threads.
_search_lock = threading.Lock()


def uv_python_directory() -> Path | None:
    """Return the directory of the Pythons that uv manages, or None."""
    process = _uv("python", "dir")
    directory = process.stdout.strip()
    return Path(directory) if process.returncode == 0 and directory else None


def install(lock: Path, target: Target, into: Path, python: str = sys.executable) -> None:
    """Install the lock's packages, verified by their hashes, into an empty directory.

    Raises `UserError` with uv's message: no wheel for the target, an incomplete lock, no network.
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
    # The hashes decide what is installed, not its source, so the cache is enough where it is full.
    process = _uv(*command, "--offline")
    if process.returncode != 0:
        process = _uv(*command)
    if process.returncode != 0:
        errors = "\n".join(f"  {line}" for line in process.stderr.strip().splitlines()[-20:])
        raise UserError(
            f"uv could not install {lock.parent.name}/{lock.name} "
            f"for {target.platform}, Python {target.python}:\n{errors}\n"
            "Every package needs a wheel for that platform and a hash in the lock "
            "(`make lock` writes it)"
        )


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PYTHON", "VIRTUAL_ENV"))
    }
    settings = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    environment = {**inherited, **settings, "NO_COLOR": "1"}
    try:
        with _search_lock:
            binary = find_uv_bin()
    except FileNotFoundError:
        raise UserError(
            "uv is not installed beside this Python: "
            "install requirements/all.txt into the environment"
        ) from None
    return subprocess.run(
        [binary, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
