"""What the supervisor tells whoever started it: one JSON object a line on its standard output.

Kinds: `message` {text}, `resource` {urn, type, name, step, status, seconds}, `outputs` {outputs: {name: {value, secret}}},
`ready` {seconds}, `error` {text, code}.
"""

import contextlib
import json
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.passes import Progress

_lock = threading.Lock()


def emit(kind: str, **fields: Any) -> None:
    """Write one line; nobody may be listening any more."""
    with _lock, contextlib.suppress(BrokenPipeError, ValueError):
        sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")
        sys.stdout.flush()
    if kind in ("message", "error"):
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{fields['text']}\n")
            sys.stderr.flush()


def message(text: str) -> None:
    emit("message", text=text)


def resource(progress: "Progress") -> None:
    emit("resource", **asdict(progress))
