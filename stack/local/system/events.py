"""The events that the supervisor writes to its standard output, one JSON object a line.

`stack up` starts the supervisor and reads them (stack/cli). Kinds and fields: `message` {text},
`resource` {urn, type, name, step, status, seconds}, `outputs` {outputs: {name: {value, secret}}},
`ready` {seconds}, `error` {text, code}, `question` {text}, which waits for a `reply` on the control
socket.
"""

import contextlib
import json
import sys
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

_lock = threading.Lock()


class Step(StrEnum):
    """The operation that an update plans for a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Status(StrEnum):
    """The state of a resource's operation."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One change of a resource's status. `seconds` counts from the start of the operation."""

    urn: str
    type: str
    name: str
    step: Step
    status: Status
    seconds: float = 0.0


def emit(kind: str, **fields: Any) -> None:
    """Write one event; `message` and `error` go to standard error (the log) as well.

    It is no error when the reader has gone: the supervisor goes on without it.
    """
    with _lock, contextlib.suppress(BrokenPipeError, ValueError):
        sys.stdout.write(json.dumps({"kind": kind, **fields}) + "\n")
        sys.stdout.flush()
    if kind in ("message", "error"):
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{fields['text']}\n")
            sys.stderr.flush()


def message(text: str) -> None:
    """Write a `message` event."""
    emit("message", text=text)


def resource(progress: Progress) -> None:
    """Write a `resource` event."""
    emit("resource", **asdict(progress))
