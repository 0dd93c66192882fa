"""ETags: an answer that the client has already is not sent again, and a change can be bound to what was seen."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import Header
from starlette.responses import Response

from service.errors import PreconditionFailedError
from service.http.compression import without_suffix
from service.http.responses import JsonText

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="The ETag of an answer that you have: 304 if it still is.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", description="The ETag of the account that you saw: 412 if it has changed."
    ),
]


def strong_etag(body: str) -> str:
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'


def json_response(body: str, if_none_match: str | None) -> Response:
    """A JSON text with a strong ETag, or 304."""
    return _answer(body, strong_etag(body), if_none_match)


def answer_of(
    content: Mapping[str, Any], if_none_match: str | None, *, as_of: str | None = None
) -> Response:
    """`content` with a weak ETag, or 304. `as_of` is told beside it, and does not make it another answer."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    etag = f"W/{strong_etag(body)}"
    return _answer(
        body if as_of is None else f'{body[:-1]},"as_of":"{as_of}"}}', etag, if_none_match
    )


def require_match(present: str, if_match: str | None) -> None:
    """Raises `PreconditionFailedError` when `if_match` is given and names neither the ETag of `present` nor `*`."""
    if if_match is None:
        return
    # A weak tag never matches here. The tag of the compressed representation is as good as the other.
    if not {"*", strong_etag(present)} & set(map(without_suffix, _tags(if_match))):
        raise PreconditionFailedError(
            "The account has changed since you read it: read it again, then send the change with its new ETag."
        )


def _answer(body: str, etag: str, if_none_match: str | None) -> Response:
    if if_none_match is not None and {"*", _opaque(etag)} & set(map(_opaque, _tags(if_none_match))):
        return Response(status_code=304, headers={"ETag": etag})
    return JsonText(body, headers={"ETag": etag})


def _tags(header: str) -> Iterator[str]:
    return (tag.strip() for tag in header.split(","))


def _opaque(tag: str) -> str:
    """Return the opaque tag: weak comparison (RFC 9110, 8.8.3.2), whatever the content coding."""
    return without_suffix(tag.removeprefix("W/"))
