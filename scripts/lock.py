"""Compiles the locks, for all platforms and with hashes, and `requirements.txt` from them."""

import re
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
OLDEST_PYTHON = "3.11"
NOTE = """\
# Written by `make lock`: the versions of requirements/all.txt, for `pulumi install` and
# `pip install -r requirements.txt`; without hashes, because pip takes no local package beside them.
"""


def compile_lock(name: str, *more: str) -> None:
    """Compile requirements/NAME.in to NAME.txt. `more` are arguments of `uv pip compile`."""
    fixed = [
        "--universal",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-annotate",
        "--no-header",
        "--quiet",
    ]
    fixed += ["--python-version", OLDEST_PYTHON]
    command = [
        find_uv_bin(),
        "pip",
        "compile",
        *fixed,
        *more,
        f"requirements/{name}.in",
        "--output-file",
        f"requirements/{name}.txt",
    ]
    if subprocess.run(command, check=False, cwd=ROOT).returncode != 0:
        raise SystemExit(f"requirements/{name}.in cannot be resolved")


def plain(lock: str) -> str:
    """Return the pins of a lock without their hashes."""
    pins = re.findall(r"^([A-Za-z0-9][^\\\n]*?)\s*\\?$", lock, re.MULTILINE)
    return NOTE + "\n".join(["-e .", "./sdks/neon", *pins]) + "\n"


def main(arguments: list[str]) -> None:
    compile_lock("service", *arguments)
    compile_lock("all", "--constraint", "requirements/service.txt", *arguments)
    lock = (REQUIREMENTS / "all.txt").read_text()
    uv = re.search(r"^uv==.*?(?=^\S)", lock, re.MULTILINE | re.DOTALL)
    assert uv is not None, "requirements/all.in must hold uv"
    (REQUIREMENTS / "uv.txt").write_text(uv[0])
    (ROOT / "requirements.txt").write_text(plain(lock))


if __name__ == "__main__":
    main(sys.argv[1:])
