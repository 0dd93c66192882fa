"""Converts property values to JSON that may be published: no secrets, no contents of archives."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stack.local.resources import values

SECRET, ARCHIVE, UNKNOWN = "secret ", "content ", "unknown"
"""Prefixes of the texts that replace secrets and archives, and the text for unknown values."""


def redact(value: Any, root: Path) -> Any:
    """Return a JSON value in which secrets and archives are replaced by their hashes.

    root: the directory that archive paths are relative to. A map that is secret as a whole keeps
    its keys.
    """
    return values.transform(value, lambda leaf: _redact_leaf(leaf, root))


def _redact_leaf(leaf: Any, root: Path) -> Any:
    match leaf:
        case values.Secret(value=inner) if isinstance(inner, dict):
            return {key: _hashed(item) for key, item in inner.items()}
        case values.Secret():
            return _hashed(leaf.value)
        case values.Archive():
            return f"{ARCHIVE}{leaf.hashed(root).hash[:12]} of {leaf.path}"
        case values.Unknown():
            return UNKNOWN
        case _:
            return leaf


def _hashed(secret: Any) -> str:
    known = values.transform(
        values.reveal(secret), lambda leaf: UNKNOWN if leaf is values.UNKNOWN else leaf
    )
    text = json.dumps(known, sort_keys=True)
    return f"{SECRET}{hashlib.sha256(text.encode()).hexdigest()[:12]}"
