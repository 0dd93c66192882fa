"""Creates `.venv` with the packages of the locks. Needs Python 3.11 or newer and nothing else."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
NEWEST = (3, 14)
PROGRESS_S = 4


def main() -> None:
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        found, oldest, newest = (".".join(map(str, pair)) for pair in (version, OLDEST, NEWEST))
        raise SystemExit(
            f"Python {oldest} to {newest} is needed, {sys.executable} is {found}: "
            "`make PYTHON=python3.13 …` chooses another"
        )
    ready = VENV / ".ready"
    ready.unlink(missing_ok=True)
    print("Setting up .venv …", flush=True)
    kept = usable()
    if not kept:
        create_environment()
    try:
        install()
    except SystemExit:
        if not kept:
            raise
        print("The packages of .venv are damaged: creating it again …", flush=True)
        create_environment()
        install()
    ready.write_text(f"{ROOT}\n", encoding="utf-8")


def install() -> None:
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        pip(
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
            str(ROOT / "requirements/uv.txt"),
        )
    run(
        str(uv),
        "pip",
        "sync",
        "--quiet",
        "--require-hashes",
        "--python",
        str(python()),
        str(ROOT / "requirements/all.txt"),
    )
    run(
        str(uv),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        str(python()),
        "--editable",
        str(ROOT),
        str(ROOT / "sdks/neon"),
    )


def python() -> Path:
    return VENV / "bin" / "python"


def usable() -> bool:
    """Return whether the environment is complete, not moved, and of this interpreter's version.

    The scripts in `bin/` start with the path that the environment was made for.
    """
    program = "import sys, pip; print(*sys.version_info[:2], sys.prefix, sep=chr(10))"
    try:
        made_for = (VENV / "bin/pip").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    if f"{VENV}/bin/python" not in made_for:
        return False
    try:
        process = subprocess.run(
            [str(python()), "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return False
    return process.stdout.splitlines() == [
        str(sys.version_info[0]),
        str(sys.version_info[1]),
        str(VENV),
    ]


def create_environment() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return
    # Debian and Ubuntu have ensurepip in a package of its own.
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
        shutil.rmtree(VENV, ignore_errors=True)
        run(*command)
        return
    shutil.rmtree(VENV, ignore_errors=True)
    raise SystemExit(
        f"{sys.executable} cannot create a virtual environment: "
        f"on Debian and Ubuntu install {package}, then try again"
    )


def pip(*arguments: str) -> None:
    run(str(python()), "-m", "pip", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    """Run a command, and print every few seconds that it goes on."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(command, cwd=ROOT)
    except OSError as error:
        raise SystemExit(f"{command[0]} cannot be run: {error.strerror}") from None
    while True:
        try:
            code = process.wait(PROGRESS_S)
            break
        except subprocess.TimeoutExpired:
            print(f"  … {time.monotonic() - started:.0f} s", flush=True)
    if code != 0:
        raise SystemExit(f"`{' '.join(command)}` failed")


if __name__ == "__main__":
    main()
