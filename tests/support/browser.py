"""A real browser for tests: found or installed by `executable`, driven by `open_browser`."""

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from common.errors import UserError
from stack.local.vercel.node import find_node

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
MAC_APPLICATIONS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
)
PACKAGED = "@sparticuz/chromium@153.0.0"
"""An npm package that carries a Chromium for Linux on x86-64."""
FLAGS = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
HOME = Path(__file__).parents[2] / ".local" / "tests" / "browser"


@functools.cache
def executable() -> str:
    """Return a browser that starts.

    `CHROME`, else one on the PATH, else Debian's package (as root), else one from an npm package.

    Skips the test, with what was tried, when there is none.
    """
    named = os.environ.get("CHROME")
    if named:
        return named if _runs(named) else pytest.skip(f"CHROME={named} does not run")
    found = _installed()
    if found:
        return found
    reasons: list[str] = []
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for install in (_from_debian, _from_npm):
            try:
                return _installed() or install()
            except (OSError, subprocess.SubprocessError, UserError) as error:
                reasons.append(
                    f"{install.__name__.removeprefix('_from_')}: "
                    f"{str(error).strip() or type(error).__name__}"
                )
    return pytest.skip(f"no browser: none on the PATH, no CHROME; {'; '.join(reasons)}")


@contextlib.contextmanager
def open_browser(*, flags: tuple[str, ...] = ()) -> Generator[BrowserContext]:
    """A headless browser with an empty profile of its own, gone with the block."""
    program = executable()
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with (
        tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            headless=True,
            args=[*FLAGS, *sandbox, *flags],
            locale="en-US",
            timezone_id="UTC",
        )
        try:
            yield context
        finally:
            context.close()


def _installed() -> str | None:
    on_path = filter(None, (shutil.which(name) for name in NAMES))
    applications = (
        str(Path("/Applications", name))
        for name in MAC_APPLICATIONS
        if Path("/Applications", name).exists()
    )
    return next((program for program in (*on_path, *applications) if _runs(program)), None)


def _runs(program: str) -> bool:
    """Names are not trusted: Ubuntu's chromium-browser is a script that asks for a snap."""
    try:
        return (
            subprocess.run(
                [program, "--version"], capture_output=True, timeout=60, stdin=subprocess.DEVNULL
            ).returncode
            == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False


def _from_debian() -> str:
    if (
        os.geteuid() != 0
        or shutil.which("apt-get") is None
        or not Path("/etc/debian_version").exists()
    ):
        raise OSError("not root on Debian")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "chromium",
        "fonts-liberation",
    ]

    def run(command: list[str]) -> int:
        return subprocess.run(
            command, env=environment, capture_output=True, timeout=600, stdin=subprocess.DEVNULL
        ).returncode

    if run(install) != 0 and (run(["apt-get", "update", "-q"]) != 0 or run(install) != 0):
        raise OSError("apt-get could not install chromium")
    return _installed() or _fail("what apt-get installed does not run")


def _from_npm() -> str:
    """Unpack it with the package's own code, into this directory instead of the system's."""
    node = find_node(HOME / "node.json")
    unpacked = HOME / "unpacked"
    unpacked.mkdir(exist_ok=True)
    if not (HOME / "node_modules" / "@sparticuz").is_dir():
        _check(
            [
                node.path,
                node.npm_cli,
                "install",
                "--prefix",
                HOME,
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                PACKAGED,
            ]
        )
    script = (
        "import chromium from '@sparticuz/chromium'; console.log(await chromium.executablePath())"
    )
    program = _check([node.path, "--input-type=module", "-e", script], TMPDIR=str(unpacked)).strip()
    return program if _runs(program) else _fail(f"the browser of {PACKAGED} does not run here")


def _check(command: list[str | Path], **environment: str) -> str:
    result = subprocess.run(
        command,
        cwd=HOME,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )
    return result.stdout if result.returncode == 0 else _fail(result.stderr.strip()[-300:])


def _fail(reason: str) -> str:
    raise OSError(reason)
