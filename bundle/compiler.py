"""A script, run by the target's interpreter: compiles Python files to unchecked-hash bytecode.

    python -S -s -P compiler.py MANIFEST

The manifest holds a line `source NUL destination NUL name` for each file, the name being the path that tracebacks
show. A file that is no Python for this version is named on standard output, with the reason, and skipped.
What is imported or interned beforehand shows in a code object's bytes, so this imports only what is built in or frozen.
"""

import _imp
import marshal
import sys
from _frozen_importlib_external import (
    MAGIC_NUMBER,
)  # importlib.util would bring modules along that are not frozen

_UNCHECKED = (0b01).to_bytes(4, "little")  # PEP 552: hash-based, and never compared with the source
_HASH_KEY = int.from_bytes(MAGIC_NUMBER, "little")


def main(manifest: str) -> None:
    # Strings of one character exist once, and are written as interned if anything ever interned them: the standard
    # library does, differently as it was loaded from its bytecode or its source.
    for code_point in range(256):
        sys.intern(chr(code_point))
    with open(manifest, encoding="utf-8") as file:  # noqa: PTH123 (pathlib would be one more import)
        lines = file.read().split("\n")
    for line in filter(None, lines):
        source, destination, name = line.split("\0")
        with open(source, "rb") as file:  # noqa: PTH123
            text = file.read()
        try:
            code = compile(text, name, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError) as error:
            sys.stdout.write(f"{name}: {error}\n")
            continue
        with open(destination, "wb") as file:  # noqa: PTH123
            file.write(
                MAGIC_NUMBER + _UNCHECKED + _imp.source_hash(_HASH_KEY, text) + marshal.dumps(code)
            )


if __name__ == "__main__":
    main(sys.argv[1])
