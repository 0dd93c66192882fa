"""Reads YAML files of the project."""

from pathlib import Path
from typing import Any, cast

import yaml

from common.errors import UserError

# libyaml's loader is ten times faster; a PyYAML that was built without it lacks the class.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the map in a YAML file, empty for an empty file.

    Raises `UserError` with the file's name for anything else.
    """
    try:
        document = yaml.load(path.read_text(), Loader=_LOADER)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is not YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UserError(f"{path.name}: a map of keys is expected")
    return cast("dict[str, Any]", document)
