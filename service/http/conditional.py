"""Conditional requests (RFC 9110, 13): 304 Not Modified and 412 Precondition Failed."""

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
        description="The ETag of a response that you have: 304 if it is still current.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the account that you read: 412 if it has changed since.",
    ),
]


def strong_etag(body: str) -> str:
    """Return the ETag of a body, quoted: its SHA-256, cut to 128 bits."""
    return f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'


def strong_json_response(body: str, if_none_match: str | None) -> Response:
    """Return a JSON text with a strong ETag, or 304."""
    return _response(body, strong_etag(body), if_none_match)


def weak_json_response(
    content: Mapping[str, Any], if_none_match: str | None, *, as_of: str | None = None
) -> Response:
    """Return `content` as JSON with a weak ETag, or 304.

    as_of: a member that is added to the body and does not count for the ETag.
    """
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    etag = f"W/{strong_etag(body)}"
    return _response(
        body if as_of is None else f'{body[:-1]},"as_of":"{as_of}"}}', etag, if_none_match
    )


def require_match(current: str, if_match: str | None) -> None:
    """Raise `PreconditionFailedError` if `if_match` is given and does not match `current`.

    current: the account as JSON, as a GET would return it now.
    """
    if if_match is None:
        return
    # If-Match compares strongly (RFC 9110, 13.1.1): a weak tag never matches. The tag of the
    # compressed representation identifies the same state.
    if not {"*", strong_etag(current)} & set(map(without_suffix, _tags(if_match))):
        raise PreconditionFailedError(
            "The account has changed since you read it: read it again, "
            "then send the change with its new ETag."
        )


def _response(body: str, etag: str, if_none_match: str | None) -> Response:
    if if_none_match is not None and {"*", _opaque(etag)} & set(map(_opaque, _tags(if_none_match))):
        return Response(status_code=304, headers={"ETag": etag})
    return JsonText(body, headers={"ETag": etag})


def _tags(header: str) -> Iterator[str]:
    return (tag.strip() for tag in header.split(","))


def _opaque(tag: str) -> str:
    """Return the opaque tag, for the weak comparison (RFC 9110, 8.8.3.2) of any content coding."""
    return without_suffix(tag.removeprefix("W/"))
