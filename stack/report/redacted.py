"""Property values as they may be written down: secrets by their hash, archives by their content, unknowns by a word."""

import hashlib
import json
from pathlib import Path
from typing import Any

from stack.local.resources import values

SECRET, ARCHIVE, UNKNOWN = "secret ", "content ", "unknown"


def value(found: Any, root: Path) -> Any:
    """JSON. A map that is secret as a whole keeps its keys."""
    return values.transform(found, lambda leaf: _leaf(leaf, root))


def _leaf(leaf: Any, root: Path) -> Any:
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
    text = json.dumps(
        values.transform(
            values.reveal(secret), lambda leaf: UNKNOWN if leaf is values.UNKNOWN else leaf
        ),
        sort_keys=True,
    )
    return f"{SECRET}{hashlib.sha256(text.encode()).hexdigest()[:12]}"
