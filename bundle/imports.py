"""Finds which of the files that the rules leave out are imported by files that stay.

`numpy.testing`, for example, imports `numpy._core.tests._natype`.
"""

import ast
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

_STATEMENT = re.compile(
    rb"^[ \t]*(?:from\s[\w. \t]+\simport\s*(?:\([^)]*\)|(?:\\\n|[^\n])*)|import\s(?:\\\n|[^\n])*)",
    re.MULTILINE,
)

# Two threads must not parse at once: CPython 3.11 then raises SystemError (gh-106905).
_parser = threading.Lock()


def imported(kept: Mapping[str, Path], left_out: Mapping[str, Path]) -> set[str]:
    """Return the paths in `left_out` of modules that files of `kept` import, and what these import.

    Both map paths below the import path to files. A module's packages come with it. Imports inside
    functions count, those for type checkers (`if TYPE_CHECKING:`) do not.
    """
    modules = {name: path for path in left_out if (name := _module(path))}
    if not modules:
        return set()
    words = re.compile(rb"\b(?:" + b"|".join(map(re.escape, _words(kept, modules))) + rb")\b")
    found: set[str] = set()
    waiting = [path for path in kept if path.endswith(".py")]
    while waiting:
        path = waiting.pop()
        if path in found:
            source = left_out[path].read_bytes()
        else:
            source = kept[path].read_bytes()
            # Parsing thousands of files takes seconds, and few of them import such a module.
            if not words.search(b"\n".join(_STATEMENT.findall(source))):
                continue
        names = {part for name in imported_names(path, source) for part in with_packages(name)}
        new = {modules[name] for name in names & modules.keys()} - found
        found |= new
        waiting += (path for path in new if path.endswith(".py"))
    return found


def _words(kept: Mapping[str, Path], modules: Mapping[str, str]) -> set[bytes]:
    """Return words of which an import of such a module from outside must contain one.

    That is the first directory of its path without files that stay, else its own name.
    """
    directories = {parent for path in kept for parent in PurePosixPath(path).parents}
    words: set[bytes] = set()
    for name, path in modules.items():
        parents = reversed(PurePosixPath(path).parents)
        first = next((parent.name for parent in parents if parent not in directories), None)
        words.add((first or name.rpartition(".")[2]).encode())
    return words


def _module(path: str) -> str | None:
    """`a/b.py` → `a.b`, `a/__init__.py` → `a`, `a/c.cpython-313-x86_64-linux-gnu.so` → `a.c`."""
    parent, _, file = path.rpartition("/")
    stem, _, suffixes = file.partition(".")
    if suffixes != "py" and not suffixes.endswith("so"):
        return None
    parts = [*parent.split("/"), *([] if stem == "__init__" else [stem])]
    return ".".join(filter(None, parts))


def with_packages(name: str) -> Iterator[str]:
    """Yield a dotted name and those of its packages."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def imported_names(path: str, source: bytes) -> Iterator[str]:
    """Yield the absolute names of what a file imports: `from a import b` as `a.b`."""
    try:
        with _parser:
            waiting: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):
        return
    package = path.split("/")[:-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
