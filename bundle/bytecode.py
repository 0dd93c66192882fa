"""Bytecode: made by an interpreter of the target's version, the same on every machine that has the same patch release."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bundle.file_tree import Entry
from bundle.interpreter import Interpreter
from common.errors import UserError

LAYER_ROOT, CODE_ROOT = "/opt", "/var/task"  # where Lambda unpacks a layer and the code
_COMPILER = Path(__file__).with_name("compiler.py")
# Isolated, but not by -I, which would ignore the hash seed. Without columns in tracebacks it is a quarter smaller.
_OPTIONS = ("-S", "-s", "-P", "-X", "utf8", "-X", "no_debug_ranges")


def compiled(
    entries: Sequence[Entry], interpreter: Interpreter, scratch: Path, root: str
) -> list[Entry]:
    """Bytecode of the entries, made in one process in their order, with paths of tracebacks below `root`.

    Raises `UserError` for a file of the service that is no Python; others are left to whoever imports them.
    """
    scratch.mkdir(parents=True)
    tag = f"cpython-{interpreter.minor.replace('.', '')}"
    made: list[Entry] = []
    lines: list[str] = []
    for number, entry in enumerate(entries):
        parent, _, module = entry.name.removesuffix(".py").rpartition("/")
        destination = scratch / f"{number}.pyc"
        made.append(Entry(f"{parent}/__pycache__/{module}.{tag}.pyc", destination, entry.package))
        lines.append(f"{entry.source}\0{destination}\0{root}/{entry.name}\n")
    manifest = scratch / "manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    refused = _compile(interpreter, manifest)
    if own := [line for line in refused if line.startswith(f"{CODE_ROOT}/")]:
        raise UserError(
            "the service does not compile:\n"
            + "\n".join(f"  {line.removeprefix(CODE_ROOT + '/')}" for line in own)
        )
    return [entry for entry in made if entry.source.exists()]


def _compile(interpreter: Interpreter, manifest: Path) -> list[str]:
    # Built from nothing, so that nothing of this shell shows in the bytes.
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):  # an interpreter may need them to start
        if value := os.environ.get(name):
            environment[name] = value
    answer = subprocess.run(
        [interpreter.path, *_OPTIONS, str(_COMPILER), str(manifest)],
        env=environment,
        cwd=manifest.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if answer.returncode != 0:
        raise UserError(
            f"{interpreter.path} could not compile the bundle:\n{answer.stderr.strip()}"
        )
    return answer.stdout.splitlines()
