"""What all writes have in common: one transaction, committed here, and the same answer to the same `Idempotency-Key`."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Header, Request
from starlette.responses import Response

from service.database.connection import Statements
from service.errors import ConflictError, InvalidRequestError
from service.http.responses import JsonText
from service.queries import idempotency, rollups
from service.queries.idempotency import WriteResult

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7E]+$",
        description="Sent again with the same request within 24 hours, the first answer comes again, with `Idempotent-Replayed: true`.",
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
    """The answer to what `work` did and returned, all of it committed. `content` is the request's, without what differs when it is sent
    again. `work` may run twice, in another transaction.

    Raises `ConflictError` while a request with the same key runs, `InvalidRequestError` when the key was another request's.
    """
    name, fingerprint = _key(request, key or ""), _fingerprint(request, content)

    def once(statements: Statements) -> tuple[WriteResult, bool]:
        if key is not None:
            earlier = _earlier(statements, name, fingerprint)
            if earlier is not None:
                return earlier, True
        done = work(statements)
        answer = (
            done
            if isinstance(done, WriteResult)
            else WriteResult(json.dumps(done, separators=(",", ":")), {})
        )
        rollups.compact(statements)
        if key is not None:
            idempotency.keep(statements, name, fingerprint, answer)
        return answer, False

    answer, replayed = request.app.state.database.write(once)
    return JsonText(answer.body, headers={**answer.headers, **(REPLAYED if replayed else {})})


def _earlier(statements: Statements, key: bytes, fingerprint: bytes) -> WriteResult | None:
    if not idempotency.take(statements, key):
        raise ConflictError(
            "A request with this Idempotency-Key is still running. Send it again in a few seconds.",
            retry=True,
        )
    found = idempotency.find(statements, key)
    if found is None:
        return None
    request, answer = found
    if request != fingerprint:
        raise InvalidRequestError(
            "This Idempotency-Key was used for another request. Take a new key for a new request.",
            errors=[
                {
                    "loc": ["header", "Idempotency-Key"],
                    "code": "key_reused",
                    "message": "Must not be that of another request",
                }
            ],
        )
    return answer


def _key(request: Request, key: str) -> bytes:
    """Everyone's keys are their own."""
    caller = getattr(request.state, "api_key_id", "")
    return hashlib.sha256(f"{caller}\n{key}".encode()).digest()


def _fingerprint(request: Request, content: bytes) -> bytes:
    head = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(head.encode() + content).digest()
