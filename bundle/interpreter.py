"""Interpreter: a CPython of the target's minor version, found on this machine and proven by running it."""

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
# Free-threaded and debug builds ("t", "d" in abiflags) write other bytes than the release that Lambda runs.
_PROOF = """
import sys
v = sys.version_info
flags = getattr(sys, "abiflags", "")
print("proof", sys.implementation.name + flags, v.releaselevel, f"{v.major}.{v.minor}.{v.micro}", sys.executable, sep="\\t")
"""


@dataclass(frozen=True)
class Interpreter:
    """path: of its executable. version: with the patch release, "3.13.0"."""

    path: str
    version: str

    @property
    def minor(self) -> str:
        return self.version.rpartition(".")[0]


def this_interpreter() -> Interpreter:
    return Interpreter(sys.executable, ".".join(map(str, sys.version_info[:3])))


def serves(minor: str) -> bool:
    """Whether this interpreter is a CPython release of that minor version."""
    build = sys.implementation.name + getattr(sys, "abiflags", "")
    return this_interpreter().minor == minor and (build, sys.version_info.releaselevel) == _WANTED


def find_interpreter(minor: str, environ: Mapping[str, str] = os.environ) -> Interpreter:
    """This interpreter if it is a CPython of that minor version, else the newest patch release that can be found.

    Looks at `pythonX.Y` in every directory of the PATH, uv's and pyenv's versions. Each is run: a name proves
    nothing (pyenv's shims fail when their version is not selected). Downloads nothing.
    Raises `UserError`, with what was found wanting and how to get one.
    """
    if serves(minor):
        return this_interpreter()
    wanting: list[str] = []
    found: list[Interpreter] = []
    for path in dict.fromkeys(_candidates(minor, environ)):
        proven = prove(path, minor)
        if isinstance(proven, Interpreter):
            found.append(proven)
        else:
            wanting.append(proven)
    if not found:
        raise UserError(_missing(minor, wanting))
    return max(found, key=lambda interpreter: int(interpreter.version.rpartition(".")[2]))


def prove(path: Path, minor: str) -> Interpreter | str:
    """Run it: the interpreter that it is, or a line on why it does not serve."""
    command = [str(path), "-I", "-S", "-c", _PROOF]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path}: {error}"
    fields = answer.stdout.strip().split("\t")
    if answer.returncode != 0 or len(fields) != 5 or fields[0] != "proof":
        return f"{path}: {_first_line(answer.stderr) or 'does not run Python'}"
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
        with contextlib.suppress(OSError):  # another user's, perhaps
            homes += sorted(versions.glob(pattern)) if versions else []
    for home in homes:
        if os.access(path := home / "bin" / name, os.X_OK):
            yield path


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[0])[:160] if lines else ""


def _missing(minor: str, wanting: list[str]) -> str:
    lines = [
        f"the bundle's bytecode needs CPython {minor}, and none is on this machine"
        f" (looked at this interpreter, python{minor} on the PATH, uv's and pyenv's versions)",
        *(f"  not {reason}" for reason in wanting),
        f"Get one: `uv python install {minor}`, `pyenv install {minor}`, or your distribution's package python{minor};",
        "or do without bytecode, for slower cold starts: `pulumi config set bytecode false`",
    ]
    return "\n".join(lines)
