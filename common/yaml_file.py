"""YAML as the project's files hold it."""

from pathlib import Path
from typing import Any, cast

import yaml

from common.errors import UserError

_LOADER = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml's, where PyYAML was built with it, is ten times faster


def read_mapping(path: Path) -> dict[str, Any]:
    """A file's map, empty for an empty file. Raises `UserError` for anything else, naming the file."""
    try:
        document = yaml.load(path.read_text(), Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is not YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UserError(f"{path.name}: a map of keys is expected")
    return cast("dict[str, Any]", document)
