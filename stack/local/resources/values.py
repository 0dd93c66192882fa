"""Converts property values between Pulumi's wire format, Python and JSON files.

On the wire (`google.protobuf.Struct`) there are only nulls, booleans, floats, texts, lists and
maps. Pulumi's resource protocol encodes everything else in them: an unknown value is a fixed text,
and a secret, an asset or an archive is a map with a signature under a fixed key (`sdk/proto` of
pulumi/pulumi, "special signatures"). A test compares the constants with the SDK's.
"""

import hashlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import struct_pb2

# The key of the signature, then the signatures, then the text of an unknown value.
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type's signature
_ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that is not known before the resource exists. The only instance is `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> "Unknown":
        return self  # code compares with `is UNKNOWN`, so a copy must stay the same object


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A secret value; its representation does not show it."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True)
class Archive:
    """A zip archive: its path as the program wrote it, and the SHA-256 of its bytes.

    hash: "" until the file has been read (`hashed`). Archives with the same bytes are equal, so
    that another path alone is no change, as in Pulumi's engine.
    """

    path: str
    hash: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archive) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def hashed(self, root: Path) -> "Archive":
        """Return the archive with the hash of its file. FileNotFoundError when `root` lacks it."""
        return Archive(self.path, hashlib.sha256((root / self.path).read_bytes()).hexdigest())


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Convert wire → Python: `UNKNOWN`, `Secret`, `Archive`, and whole numbers as int."""
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
        # The wire has only floats. An input that the SDK declares as int has to be one again.
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return value.bool_value if kind == "bool_value" else None


def _decode_signed(value: dict[str, Any]) -> Any:
    signature = value.get(_SIGNATURE)
    if signature is None:
        return value
    if signature == _SECRET:
        return Secret(value["value"])
    if signature == _OUTPUT:
        # An output value: without "value" it is unknown; it may be secret at the same time.
        inner = value.get("value", UNKNOWN)
        return Secret(inner) if value.get("secret") else inner
    if signature == _ARCHIVE and "assets" not in value and {"path", "hash"} & value.keys():
        # In an engine's state the path may be missing, in a program's request the hash.
        return Archive(value.get("path", ""), value.get("hash", ""))
    if signature in (_ARCHIVE, _ASSET):
        raise ValueError(
            'only pulumi.FileArchive("….zip") is uploaded byte for byte; '
            "other archives and assets are not supported locally"
        )
    raise ValueError(f"a property with the signature {signature} is not supported locally")


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Convert Python → wire, the inverse of `decode`."""
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
        case Mapping():  # the protocol allows the signatures at any depth
            return {name: _encode(item) for name, item in value.items()}
        case list() | tuple():
            return [_encode(item) for item in value]
        case _:
            return value


def transform(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Apply `leaf` to each value in maps and lists. A `Secret` is passed to `leaf` as a whole."""
    if isinstance(value, Mapping):
        return {name: transform(item, leaf) for name, item in value.items()}
    if isinstance(value, list):
        return [transform(item, leaf) for item in value]
    return leaf(value)


def reveal(value: Any) -> Any:
    """Return the value without its `Secret` wrappers."""
    return transform(value, lambda leaf: reveal(leaf.value) if isinstance(leaf, Secret) else leaf)


def mark_secrets(properties: Mapping[str, Any], secret: Container[str]) -> dict[str, Any]:
    """Return the properties, those whose names are in `secret` as `Secret`."""
    return {
        name: Secret(value) if name in secret and value is not None else value
        for name, value in properties.items()
    }


def redact(value: Any) -> Any:
    """Return the value for display: "[secret]" and "[unknown]" replace what must not be shown."""
    return transform(
        value,
        lambda leaf: (
            "[secret]" if isinstance(leaf, Secret) else "[unknown]" if leaf is UNKNOWN else leaf
        ),
    )


def holds(value: Any, kind: type) -> bool:
    """Return whether the value is, or contains at any depth (in secrets too), a `kind`."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return holds(value.value, kind)
    if isinstance(value, Mapping):
        return any(holds(item, kind) for item in value.values())
    return isinstance(value, list) and any(holds(item, kind) for item in value)


def to_json(value: Any) -> Any:
    """Convert a value for a JSON file; archives become maps with their signature.

    Secrets must have been revealed, and nothing may be unknown.
    """
    return transform(value, lambda leaf: _encode(leaf) if isinstance(leaf, Archive) else leaf)


def from_json(value: Any) -> Any:
    """Convert a value from a JSON file, the inverse of `to_json`."""
    if isinstance(value, dict) and value.get(_SIGNATURE) == _ARCHIVE:
        return Archive(value["path"], value["hash"])
    if isinstance(value, dict):
        return {name: from_json(item) for name, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, list) else value
