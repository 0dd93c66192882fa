"""The compiler's process: compiles Python files to unchecked-hash bytecode (PEP 552).

    python -S -s -P compiler.py MANIFEST

The manifest holds a line `source NUL destination NUL name` for each file; the name is the path that
tracebacks show. A file with a syntax error is skipped, and named with its error on standard output.
What a process has imported or interned before changes the bytes of a code object, so this imports
built-in and frozen modules only.
"""

import _imp
import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # importlib.util imports unfrozen modules

# PEP 552 flags: hash-based, and not compared with the source when the module is imported.
_UNCHECKED = (0b01).to_bytes(4, "little")
_HASH_KEY = int.from_bytes(MAGIC_NUMBER, "little")


def main(manifest: str) -> None:
    # CPython has one object for each string of one character up to U+00FF, and `marshal` writes
    # whether it is interned. The standard library interns some of them, and others depending on
    # whether it was loaded from bytecode or source. Interning all of them removes the difference.
    for code_point in range(256):
        sys.intern(chr(code_point))
    with open(manifest, encoding="utf-8") as file:  # noqa: PTH123 (pathlib would be one more import)
        lines = file.read().split("\n")
    for line in filter(None, lines):
        source, destination, name = line.split("\0")
        with open(source, "rb") as file:  # noqa: PTH123 (as above)
            text = file.read()
        try:
            code = compile(text, name, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError) as error:
            sys.stdout.write(f"{name}: {error}\n")
            continue
        with open(destination, "wb") as file:  # noqa: PTH123 (as above)
            file.write(
                MAGIC_NUMBER + _UNCHECKED + _imp.source_hash(_HASH_KEY, text) + marshal.dumps(code)
            )


if __name__ == "__main__":
    main(sys.argv[1])
