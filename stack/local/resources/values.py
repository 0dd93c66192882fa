"""Property values between Pulumi's wire format and Python: unknowns, secrets, archives, whole numbers.

The signatures are those of Pulumi's resource protocol (`sdk/proto` of pulumi/pulumi, "special signatures").
"""

import hashlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import struct_pb2

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type's signature
_ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that is not known before the resource exists. There is one: `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> "Unknown":
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that is shown as [secret]."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True)
class Archive:
    """A zip by its path as the program wrote it, and the SHA-256 of its bytes ("" until it is known)."""

    path: str
    hash: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archive) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def hashed(self, root: Path) -> "Archive":
        """Raises `FileNotFoundError` when there is no such file below `root`."""
        return Archive(self.path, hashlib.sha256((root / self.path).read_bytes()).hexdigest())


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Wire → Python: `UNKNOWN`, `Secret`, `Archive`, and whole numbers as int (the wire has floats only)."""
    return {name: _decode(value) for name, value in struct.fields.items()}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_signed(decode(value.struct_value))
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value == _UNKNOWN_TEXT else value.string_value
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return value.bool_value if kind == "bool_value" else None


def _decode_signed(value: dict[str, Any]) -> Any:
    signature = value.get(_SIGNATURE)
    if signature is None:
        return value
    if signature == _SECRET:
        return Secret(value["value"])
    if signature == _OUTPUT:
        inner = value.get("value", UNKNOWN)
        return Secret(inner) if value.get("secret") else inner
    if signature == _ARCHIVE and "assets" not in value and {"path", "hash"} & value.keys():
        return Archive(
            value.get("path", ""), value.get("hash", "")
        )  # an engine's state keeps the hash alone
    if signature in (_ARCHIVE, _ASSET):
        raise ValueError(
            'only pulumi.FileArchive("….zip") is uploaded byte for byte; other archives and assets are not realised'
        )
    raise ValueError(f"a property with the signature {signature} is not realised")


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Python → wire, the inverse of `decode`."""
    struct = struct_pb2.Struct()
    struct.update({name: _encode(value) for name, value in properties.items()})
    return struct


def _encode(value: Any) -> Any:
    match value:
        case Unknown():
            return _UNKNOWN_TEXT
        case Secret():
            return {_SIGNATURE: _SECRET, "value": _encode(value.value)}
        case Archive():
            return {_SIGNATURE: _ARCHIVE, "path": value.path, "hash": value.hash}
        case Mapping():
            return {name: _encode(item) for name, item in value.items()}
        case list() | tuple():
            return [_encode(item) for item in value]
        case _:
            return value


def transform(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Apply `leaf` to everything that is not a map or a list; secrets are leaves."""
    if isinstance(value, Mapping):
        return {name: transform(item, leaf) for name, item in value.items()}
    if isinstance(value, list):
        return [transform(item, leaf) for item in value]
    return leaf(value)


def reveal(value: Any) -> Any:
    """The value without its secret wrappers."""
    return transform(value, lambda leaf: reveal(leaf.value) if isinstance(leaf, Secret) else leaf)


def mark(properties: Mapping[str, Any], secret: Container[str]) -> dict[str, Any]:
    """The properties, with those of these names as secrets."""
    return {
        name: Secret(value) if name in secret and value is not None else value
        for name, value in properties.items()
    }


def redact(value: Any) -> Any:
    """The value as it may be shown."""
    return transform(
        value,
        lambda leaf: (
            "[secret]" if isinstance(leaf, Secret) else "[unknown]" if leaf is UNKNOWN else leaf
        ),
    )


def holds(value: Any, kind: type) -> bool:
    """Whether a value of `kind` stands anywhere inside, secrets included."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return holds(value.value, kind)
    if isinstance(value, Mapping):
        return any(holds(item, kind) for item in value.values())
    return isinstance(value, list) and any(holds(item, kind) for item in value)


def to_json(value: Any) -> Any:
    """For files of ours: archives become maps with their signature; secrets must have been revealed."""
    return transform(value, lambda leaf: _encode(leaf) if isinstance(leaf, Archive) else leaf)


def from_json(value: Any) -> Any:
    """The inverse of `to_json`."""
    if isinstance(value, dict) and value.get(_SIGNATURE) == _ARCHIVE:
        return Archive(value["path"], value["hash"])
    if isinstance(value, dict):
        return {name: from_json(item) for name, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value
