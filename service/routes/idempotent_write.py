"""What all writes have in common: one transaction, and the `Idempotency-Key`.

A record of the key, the request and the response is written in the same transaction as the write
itself. So either both exist or neither, and a client that lost the response, or whose connection
broke while the database committed, can send the request again: it gets the recorded response.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Header, Request
from starlette.responses import Response

from service.database.connection import Statements
from service.errors import ConflictError, InvalidRequestError
from service.http.responses import JsonText
from service.http.state import database
from service.queries import idempotency, rollups
from service.queries.idempotency import WriteResult

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7E]+$",
        description="Identifies the request: when it is sent again within 24 hours, the first "
        "response is returned, with `Idempotent-Replayed: true`.",
    ),
]

REPLAYED: Final = {"Idempotent-Replayed": "true"}


def write(
    request: Request,
    key: str | None,
    work: Callable[[Statements], dict[str, Any] | WriteResult],
    *,
    content: bytes = b"",
) -> Response:
    """Run `work` in one transaction, commit it, and return its result as the response.

    work: may be called twice, in different transactions.
    content: what identifies the request's body, without parts that differ when it is sent again,
    such as a multipart boundary.

    Raises `ConflictError` while a request with the same key runs, and `InvalidRequestError` when
    the key was used for another request.
    """
    record_key, fingerprint = _record_key(request, key or ""), _fingerprint(request, content)

    def run(statements: Statements) -> tuple[WriteResult, bool]:
        if key is not None:
            # First, because it takes the lock of the key: of two concurrent requests the second
            # fails here, before it waits for rows that the first has locked.
            recorded = _recorded_result(statements, record_key, fingerprint)
            if recorded is not None:
                return recorded, True
        done = work(statements)
        result = (
            done
            if isinstance(done, WriteResult)
            else WriteResult(json.dumps(done, separators=(",", ":")), {})
        )
        rollups.compact(statements)
        if key is not None:
            # An error in `work` leaves no record: the client can correct the request and send it
            # with the same key.
            idempotency.keep(statements, record_key, fingerprint, result)
        return result, False

    result, replayed = database(request).write(run)
    return JsonText(result.body, headers={**result.headers, **(REPLAYED if replayed else {})})


def _recorded_result(
    statements: Statements, record_key: bytes, fingerprint: bytes
) -> WriteResult | None:
    if not idempotency.take(statements, record_key):
        raise ConflictError(
            "A request with this Idempotency-Key is still running. Send it again in a few seconds.",
            retry=True,
        )
    found = idempotency.find(statements, record_key)
    if found is None:
        return None
    recorded_fingerprint, result = found
    if recorded_fingerprint != fingerprint:
        raise InvalidRequestError(
            "This Idempotency-Key was used for another request. Use a new key for a new request.",
            errors=[
                {
                    "loc": ["header", "Idempotency-Key"],
                    "code": "key_reused",
                    "message": "Must not be that of another request",
                }
            ],
        )
    return result


def _record_key(request: Request, key: str) -> bytes:
    """Return the hash under which a key is stored. Each API key has its own idempotency keys."""
    caller = getattr(request.state, "api_key_id", "")
    return hashlib.sha256(f"{caller}\n{key}".encode()).digest()


def _fingerprint(request: Request, content: bytes) -> bytes:
    head = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(head.encode() + content).digest()
