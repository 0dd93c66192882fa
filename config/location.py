"""Finds the file that a configuration value is in, for the errors about the value."""

from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError
from common.yaml_file import read_mapping
from config.types import StackIdentity

PROJECT_FILE = "Pulumi.yaml"
LOCAL_FILE = ".local/config.yaml"
"""The file of one checkout for its local stacks, which is not committed and may hold secrets."""


def stack_file(stack: str) -> str:
    """Return the name of a stack's configuration file."""
    return f"Pulumi.{stack}.yaml"


def how_to_change(key: str, stack: StackIdentity) -> str:
    """Return a sentence that says where a value is and how to change it.

    key: as in an error, such as `memory`, `aws:region` or `extraOrigins[0]`.
    """
    name = key.partition("[")[0]
    file = _file_of(name, stack)
    origin = f"It is from {file}: " if file else ""
    if stack.local:
        if file == LOCAL_FILE:
            return f"Change it in {LOCAL_FILE}."
        return f"{origin}write another value of {name} to {LOCAL_FILE}."
    path = key if name == key else f"--path '{key}'"
    return f"{origin}change it with `pulumi config set {path} VALUE -s {stack.stack}`."


def how_to_remove(key: str, stack: StackIdentity) -> str:
    """Return a sentence that says where a key is and how to remove it."""
    file = _file_of(key, stack)
    if stack.local or file == PROJECT_FILE:
        return f"Remove it from {file or LOCAL_FILE}."
    return f"Remove it with `pulumi config rm {key} -s {stack.stack}`."


def _file_of(key: str, stack: StackIdentity) -> str:
    """Return the file whose value of a key is in force; "" if no file has the key."""
    layers = [stack_file(stack.stack), PROJECT_FILE]
    for name in [LOCAL_FILE, *layers] if stack.local else layers:
        if _has(Path(name), (key, f"{stack.project}:{key}")):
            return name
    return ""


def _has(path: Path, spellings: Sequence[str]) -> bool:
    try:
        document = read_mapping(path)
    except (UserError, OSError):
        return False
    found = document if str(path) == LOCAL_FILE else document.get("config")
    return isinstance(found, dict) and any(spelling in found for spelling in spellings)
