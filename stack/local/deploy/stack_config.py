"""A stack's configuration as the CLI would hand it to the program: the defaults of `Pulumi.yaml`, then the stack's own file.

On one machine a third layer is `.local/config.yaml`, which is not committed and may hold secrets in the clear.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from common.errors import UserError
from common.yaml_file import read_mapping
from config.stack_config import SECRET_KEYS

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


def load(
    root: Path,
    stack: str,
    *,
    config_overrides: Mapping[str, str],
    personal: bool = True,
    sealed: str | None = None,
) -> StackSettings:
    """Read the layers; `config_overrides` (short keys) is what the local cloud itself settles, and wins.

    personal: read `.local/config.yaml` too. sealed: what stands for an encrypted value, which only the CLI can open.
    Raises `UserError` for a file that is no YAML map, and for encrypted values where nothing stands for them.
    """
    document = read_mapping(root / "Pulumi.yaml")
    project = str(document["name"])
    defaults = {key: _default(declaration) for key, declaration in document["config"].items()}
    merged = {
        **defaults,
        **layers(root, project, (stack,), personal=personal, sealed=sealed),
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
    personal: bool = True,
    sealed: str | None = None,
) -> dict[str, Any]:
    """What the stacks' own files say, a later one over an earlier one, and over all what is this machine's alone; by short keys."""
    merged: dict[str, Any] = {}
    encrypted: dict[str, str] = {}
    for path in (
        *(root / f"Pulumi.{stack}.yaml" for stack in stacks),
        *([root / ".local" / LOCAL_FILE] if personal else []),
    ):
        if path.exists():
            document = read_mapping(path)
            if path.name == LOCAL_FILE:
                path.chmod(0o600)
            found = document if path.name == LOCAL_FILE else document.get("config") or {}
            if not isinstance(found, dict):
                raise UserError(f"{path.name}: config is not a map of keys")
            for key, value in cast("dict[str, Any]", found).items():
                short = key.removeprefix(f"{project}:")
                is_sealed = isinstance(value, dict) and "secure" in value
                merged[short] = sealed if is_sealed and sealed is not None else value
                encrypted.pop(short, None)
                if is_sealed and sealed is None:
                    encrypted[short] = f"{path.name}: {key}"
    if encrypted:
        raise UserError(
            f"{', '.join(encrypted.values())} is encrypted, and only the pulumi CLI can open it. "
            f"For this machine put it in the clear into .local/{LOCAL_FILE}, which is not committed."
        )
    return merged


def qualify(key: str, project: str) -> str:
    """A key as the engine knows it; those of providers and other projects have their namespace already."""
    return key if ":" in key else f"{project}:{key}"


def _default(declaration: Any) -> Any:
    if not isinstance(declaration, dict):
        return declaration
    fields = cast("Mapping[str, Any]", declaration)
    return fields.get("value", fields.get("default"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
