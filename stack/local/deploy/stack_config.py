"""Reads a stack's configuration as the Pulumi CLI passes it to the program.

The layers are the defaults of `Pulumi.yaml`, the stack's file `Pulumi.<stack>.yaml`, and locally
`.local/config.yaml`, which is not committed and may hold secrets in the clear.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from common.errors import UserError
from common.yaml_file import read_mapping
from config.location import LOCAL_FILE, PROJECT_FILE, stack_file
from config.stack_config import SECRET_KEYS


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Project name and configuration by full key; values are texts, as the engine sends them."""

    project: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]

    @property
    def region(self) -> str:
        return self.config["aws:region"]


def load(
    root: Path,
    stack: str,
    *,
    config_overrides: Mapping[str, str],
    read_local_file: bool = True,
    encrypted_as: Mapping[str, str] | None = None,
) -> StackSettings:
    """Read the layers and merge them.

    config_overrides: by short key; values that the local cloud determines, over all layers.
    read_local_file: whether to read `.local/config.yaml`.
    encrypted_as: by short key, the values to use for encrypted ones, which only the CLI can
        decrypt; a key that is not there is left out.

    Raises `UserError` for a file that is no YAML map, and for an encrypted value when
    `encrypted_as` is None.
    """
    document = read_mapping(root / PROJECT_FILE)
    project = str(document["name"])
    defaults = {key: _default(declaration) for key, declaration in document["config"].items()}
    merged = {
        **defaults,
        **layers(
            root,
            project,
            (stack,),
            read_local_file=read_local_file,
            encrypted_as=encrypted_as,
        ),
        **config_overrides,
    }
    qualified = {
        qualify(key, project): _text(value) for key, value in merged.items() if value is not None
    }
    return StackSettings(
        project=project,
        config=qualified,
        secret_keys=tuple(qualify(key, project) for key in SECRET_KEYS),
    )


def layers(
    root: Path,
    project: str,
    stacks: Iterable[str],
    *,
    read_local_file: bool = True,
    encrypted_as: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the configuration of the stacks' files by short key, without defaults.

    A later stack's file overrides an earlier one's, and `.local/config.yaml` overrides all.
    """
    merged: dict[str, Any] = {}
    encrypted: dict[str, str] = {}
    names = [stack_file(stack) for stack in stacks] + ([LOCAL_FILE] if read_local_file else [])
    for name in names:
        path = root / name
        if not path.exists():
            continue
        document = read_mapping(path, name=name)
        if name == LOCAL_FILE:
            path.chmod(0o600)
        found = document if name == LOCAL_FILE else document.get("config") or {}
        if not isinstance(found, dict):
            raise UserError(f"{name}: config is not a map of keys")
        for short, value in _short_keys(name, project, cast("dict[str, Any]", found)).items():
            is_encrypted = isinstance(value, dict) and "secure" in value
            encrypted.pop(short, None)
            if not is_encrypted:
                merged[short] = value
            elif encrypted_as is None:
                encrypted[short] = f"{name}: {short}"
            else:
                merged[short] = encrypted_as.get(short)
    if encrypted:
        raise UserError(
            f"{', '.join(encrypted.values())} is encrypted, "
            "and only the pulumi CLI can decrypt it. "
            f"For `stack up` write it in the clear to {LOCAL_FILE}, which is not committed."
        )
    return merged


def _short_keys(name: str, project: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's values by short key. Raises `UserError` for a key with two spellings."""
    short_keys: dict[str, Any] = {}
    for key, value in found.items():
        short = str(key).removeprefix(f"{project}:")
        if short in short_keys:
            raise UserError(f"{name}: {short} is there twice, with and without {project}:")
        short_keys[short] = value
    return short_keys


def qualify(key: str, project: str) -> str:
    """Return a key with its namespace; keys of providers and other projects have one already."""
    return key if ":" in key else f"{project}:{key}"


def _default(declaration: Any) -> Any:
    if not isinstance(declaration, dict):
        return declaration
    fields = cast("Mapping[str, Any]", declaration)
    return fields.get("value", fields.get("default"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
