"""Runs PgBouncer for tests (`pooled`), which `executable` finds or downloads."""

import contextlib
import fcntl
import functools
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

HOME = Path(__file__).parents[2] / ".local" / "tests" / "pgbouncer"
NAME = "pgbouncer"
LIBRARIES = re.compile(r"Depends: (libc-ares\S+|libevent\S+)")
"""The libraries that it needs and a minimal Debian lacks."""


@functools.cache
def executable() -> tuple[str, dict[str, str]]:
    """Return a PgBouncer that runs, and its environment variables.

    It is on the PATH, else from Debian's package, which is unpacked below `.local/` and not
    installed. Skips the test, with the reason, when there is none.
    """
    found = shutil.which(NAME)
    if found:
        return found, {}
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _unpacked()
        except (OSError, subprocess.SubprocessError) as error:
            return pytest.skip(
                f"no PgBouncer: none on the PATH; from Debian: "
                f"{str(error).strip() or type(error).__name__}"
            )


def _unpacked() -> tuple[str, dict[str, str]]:
    root = HOME / "root"
    program, environment = (
        root / "usr/sbin" / NAME,
        {"LD_LIBRARY_PATH": ":".join(map(str, root.glob("usr/lib/*-linux-*")))},
    )
    if not program.exists():
        if shutil.which("apt-get") is None:
            raise OSError("there is no apt-get")
        try:
            _download()
        except subprocess.CalledProcessError:
            if os.geteuid() != 0:
                raise
            _run("apt-get", "update", "-q")
            _download()
        for package in HOME.glob("*.deb"):
            _run("dpkg-deb", "-x", str(package), str(root))
        return _unpacked()
    _run(str(program), "--version", **environment)
    return str(program), environment


def _download() -> None:
    _run("apt-get", "download", "-q", NAME, *LIBRARIES.findall(_run("apt-cache", "depends", NAME)))


def _run(*command: str, **environment: str) -> str:
    try:
        return subprocess.run(
            command,
            cwd=HOME,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise


@contextlib.contextmanager
def pooled(url: str, directory: Path, port: int, *, server_connections: int) -> Generator[str]:
    """Run PgBouncer before the database of `url`; yield the URL for clients.

    It is in transaction mode, and refuses startup options, like Neon's pooler.
    """
    program, environment = executable()
    target = urlsplit(url)
    settings = directory / "pgbouncer.ini"
    settings.write_text(f"""
[databases]
* = host=127.0.0.1 port={target.port} user={target.username} password={target.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {server_connections}
max_client_conn = 100
""")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    log = directory / "pgbouncer.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, "-q", *user, str(settings)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
        )
    try:
        _wait(port, process, log)
        yield f"postgresql://{target.username}@127.0.0.1:{port}{target.path}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
