"""Compiles Python files with an interpreter of the target's version.

The bytes are the same on every machine that has the same patch release of that interpreter.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bundle.file_tree import Entry
from bundle.interpreter import Interpreter
from common.errors import UserError

LAYER_ROOT, CODE_ROOT = "/opt", "/var/task"  # where Lambda unpacks a layer and the code
_COMPILER = Path(__file__).with_name("compiler.py")
# Isolated, but not by -I, which would ignore the hash seed that makes the order of sets fixed.
# Without the columns of tracebacks (no_debug_ranges) bytecode is a quarter smaller.
_OPTIONS = ("-S", "-s", "-P", "-X", "utf8", "-X", "no_debug_ranges")


def compile_entries(
    entries: Sequence[Entry], interpreter: Interpreter, scratch: Path, root: str
) -> list[Entry]:
    """Return the bytecode files of the entries; tracebacks will show paths below `root`.

    They are compiled in one process in the given order, because a code object's bytes depend on
    what that process has compiled before. Raises `UserError` for a file of the service with a
    syntax error; such a file of a package is left out.
    """
    scratch.mkdir(parents=True)
    tag = f"cpython-{interpreter.minor.replace('.', '')}"
    compiled: list[Entry] = []
    lines: list[str] = []
    for number, entry in enumerate(entries):
        parent, _, module = entry.name.removesuffix(".py").rpartition("/")
        destination = scratch / f"{number}.pyc"
        name = f"{parent}/__pycache__/{module}.{tag}.pyc"
        compiled.append(Entry(name, destination, entry.package))
        lines.append(f"{entry.source}\0{destination}\0{root}/{entry.name}\n")
    manifest = scratch / "manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    errors = _compile(interpreter, manifest)
    if own := [line for line in errors if line.startswith(f"{CODE_ROOT}/")]:
        raise UserError(
            "the service does not compile:\n"
            + "\n".join(f"  {line.removeprefix(CODE_ROOT + '/')}" for line in own)
        )
    return [entry for entry in compiled if entry.source.exists()]


def _compile(interpreter: Interpreter, manifest: Path) -> list[str]:
    """Run the compiler; return its lines `name: error` on files that do not compile."""
    # No variable of the caller is inherited, so that none can change the bytes.
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):  # an interpreter may need them to start
        if value := os.environ.get(name):
            environment[name] = value
    process = subprocess.run(
        [interpreter.path, *_OPTIONS, str(_COMPILER), str(manifest)],
        env=environment,
        cwd=manifest.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if process.returncode != 0:
        raise UserError(
            f"{interpreter.path} could not compile the bundle:\n{process.stderr.strip()}"
        )
    return process.stdout.splitlines()
