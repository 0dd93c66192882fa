"""A stack's configuration as the CLI would hand it to the program: the defaults of `Pulumi.yaml`, then the stack's own file.

On one machine a third layer is `.local/config.yaml`, which is not committed and may hold secrets in the clear.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from components.config import SECRET_KEYS
from components.errors import UserError
from components.yaml_file import read_mapping

LOCAL_FILE = "config.yaml"


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Project name and the flat configuration, values as texts as the engine sends them."""

    project: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]

    @property
    def region(self) -> str:
        return self.config["aws:region"]


def load(root: Path, stack: str, *, supplied: Mapping[str, str], personal: bool = True, sealed: str | None = None) -> StackSettings:
    """Read the layers; `supplied` (short keys) is what the local cloud itself settles, and wins.

    personal: read `.local/config.yaml` too. sealed: what stands for an encrypted value, which only the CLI can open.
    Raises `UserError` for a file that is no YAML map, and for encrypted values where nothing stands for them.
    """
    document = read_mapping(root / "Pulumi.yaml")
    project = str(document["name"])
    merged = {key: _default(declaration) for key, declaration in document["config"].items()}
    for path in (root / f"Pulumi.{stack}.yaml", *([root / ".local" / LOCAL_FILE] if personal else [])):
        if path.exists():
            layer = read_mapping(path)
            if path.name == LOCAL_FILE:
                path.chmod(0o600)
            merged |= _layer(path, layer if path.name == LOCAL_FILE else layer.get("config") or {}, project, sealed)
    merged |= supplied
    qualified = {key if ":" in key else f"{project}:{key}": _text(value) for key, value in merged.items() if value is not None}
    return StackSettings(project=project, config=qualified, secret_keys=tuple(f"{project}:{key}" for key in SECRET_KEYS))


def _default(declaration: Any) -> Any:
    if not isinstance(declaration, dict):
        return declaration
    fields = cast("Mapping[str, Any]", declaration)
    return fields.get("value", fields.get("default"))


def _layer(path: Path, values: Any, project: str, sealed: str | None) -> dict[str, Any]:
    """A layer by short keys; those of providers and other projects keep their namespace."""
    if not isinstance(values, dict):
        raise UserError(f"{path.name}: config is not a map of keys")
    layer: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", values).items():
        if isinstance(value, dict) and "secure" in value and sealed is not None:
            value = sealed
        if isinstance(value, dict) and "secure" in value:
            raise UserError(
                f"{path.name}: {key} is encrypted, and only the pulumi CLI can open it. "
                f"For this machine put it in the clear into .local/{LOCAL_FILE}, which is not committed."
            )
        layer[key.removeprefix(f"{project}:")] = value
    return layer


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
