"""Finds a CPython of the target's minor version on this machine, and runs it to verify it."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundle.uv import uv_python_directory
from common.errors import UserError

_WANTED = ("cpython", "final")
# Free-threaded and debug builds ("t" and "d" in abiflags) write other bytes than Lambda's release.
_IDENTIFY = """
import sys
v = sys.version_info
flags = getattr(sys, "abiflags", "")
version = f"{v.major}.{v.minor}.{v.micro}"
build = sys.implementation.name + flags
print("interpreter", build, v.releaselevel, version, sys.executable, sep="\\t")
"""


@dataclass(frozen=True)
class Interpreter:
    """An installed Python. path: its executable. version: with the patch release, "3.13.0"."""

    path: str
    version: str

    @property
    def minor(self) -> str:
        return self.version.rpartition(".")[0]


def this_interpreter() -> Interpreter:
    """Return the interpreter that runs this process."""
    return Interpreter(sys.executable, ".".join(map(str, sys.version_info[:3])))


def is_this_interpreter(minor: str) -> bool:
    """Return whether the interpreter of this process is a CPython release of that minor version."""
    build = sys.implementation.name + getattr(sys, "abiflags", "")
    return this_interpreter().minor == minor and (build, sys.version_info.releaselevel) == _WANTED


def find_interpreter(minor: str, environ: Mapping[str, str] = os.environ) -> Interpreter:
    """Return this process's interpreter if it fits, else the newest patch release that is found.

    Looks for `pythonX.Y` in the directories of the PATH and in uv's and pyenv's versions, and runs
    each candidate, because a name says little: pyenv's shims fail when their version is not
    selected. Downloads nothing. Raises `UserError`, which names the candidates that do not fit and
    says how to install one that does.
    """
    if is_this_interpreter(minor):
        return this_interpreter()
    unfit: list[str] = []
    found: list[Interpreter] = []
    for path in dict.fromkeys(_candidates(minor, environ)):
        result = verify(path, minor)
        if isinstance(result, Interpreter):
            found.append(result)
        else:
            unfit.append(result)
    if not found:
        raise UserError(_missing(minor, unfit))
    return max(found, key=lambda interpreter: int(interpreter.version.rpartition(".")[2]))


def verify(path: Path, minor: str) -> Interpreter | str:
    """Run a candidate; return the interpreter that it is, or a line on why it does not fit."""
    command = [str(path), "-I", "-S", "-c", _IDENTIFY]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path}: {error}"
    fields = process.stdout.strip().split("\t")
    if process.returncode != 0 or len(fields) != 5 or fields[0] != "interpreter":
        return f"{path}: {_first_line(process.stderr) or 'does not run Python'}"
    _, build, level, version, executable = fields
    if (build, level) != _WANTED or not version.startswith(f"{minor}."):
        return f"{path}: is {build} {version} {level}"
    return Interpreter(executable or str(path), version)


def _candidates(minor: str, environ: Mapping[str, str]) -> Iterator[Path]:
    name = f"python{minor}"
    homes: list[Path] = []
    for directory in environ.get("PATH", "").split(os.pathsep):
        if directory and os.access(path := Path(directory, name), os.X_OK):
            yield path
    managed = uv_python_directory()
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for versions, pattern in ((managed, f"cpython-{minor}.*"), (pyenv / "versions", f"{minor}.*")):
        with contextlib.suppress(OSError):  # a directory that this user may not read
            homes += sorted(versions.glob(pattern)) if versions else []
    for home in homes:
        if os.access(path := home / "bin" / name, os.X_OK):
            yield path


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[0])[:160] if lines else ""


def _missing(minor: str, unfit: list[str]) -> str:
    lines = [
        f"the bundle's bytecode needs CPython {minor}, and none is on this machine"
        f" (looked at this interpreter, python{minor} on the PATH, uv's and pyenv's versions)",
        *(f"  not {reason}" for reason in unfit),
        f"Install one: `uv python install {minor}`, `pyenv install {minor}`,"
        f" or your distribution's package python{minor};",
        "or do without bytecode, for slower cold starts: `pulumi config set bytecode false`",
    ]
    return "\n".join(lines)
