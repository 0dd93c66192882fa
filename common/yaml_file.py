"""Reads YAML files of the project."""

from pathlib import Path
from typing import Any, cast

import yaml

from common.errors import UserError

# libyaml's loader is ten times faster; a PyYAML that was built without it lacks the class.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE_LOADER):
    """Refuses a key that is in one map twice; YAML forbids that, and PyYAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode) and lines.setdefault(key.value, line) != line:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} is there twice, "
                    f"in lines {lines[key.value]} and {line}"
                )
        return super().construct_mapping(node, deep=deep)


def read_mapping(path: Path, *, name: str = "") -> dict[str, Any]:
    """Return the map in a YAML file, empty for an empty file.

    name: of the file in errors; by default its own, without directories. Raises `UserError` for a
    file that cannot be read, and for anything but a map of keys that differ.
    """
    name = name or path.name
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506 - safe
    except yaml.YAMLError as error:
        raise UserError(f"{name} is not YAML: {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8: {error}") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UserError(f"{name}: a map of keys is expected")
    return cast("dict[str, Any]", document)
