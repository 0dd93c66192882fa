"""Responses that are files to download."""

import gzip
from typing import Final

from fastapi import Request
from starlette.responses import Response

from service.errors import InvalidRequestError

MAX_BYTES: Final = 32 * 2**20
"""Of a file before it is compressed. Memory holds the file and about a fifth of it compressed."""
MAX_UNCOMPRESSED_BYTES: Final = 5_000_000
"""A text of this size, escaped as JSON, fits into the 6,291,556 bytes of a Lambda response."""
MAX_COMPRESSED_BYTES: Final = 4_500_000
"""A compressed file of this size fits as base64."""


def csv_file(request: Request, content: bytes | None, name: str) -> Response:
    """Return `content` as a download, compressed where it is too large otherwise.

    content: None for a file of more than `MAX_BYTES`.

    Raises `InvalidRequestError` when the file does not fit into one response.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if (
        content is not None
        and len(content) > MAX_UNCOMPRESSED_BYTES
        and "gzip" in request.headers.get("accept-encoding", "")
    ):
        content = gzip.compress(content, 6)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if content is None or len(content) > (
        MAX_COMPRESSED_BYTES if "Content-Encoding" in headers else MAX_UNCOMPRESSED_BYTES
    ):
        message = (
            "These accounts do not fit into one file: narrow the filter, by segment or owner for "
            "example, and download several files."
        )
        raise InvalidRequestError(
            message, errors=[{"loc": ["query"], "code": "too_many_accounts", "message": message}]
        )
    return Response(content, media_type="text/csv", headers=headers)
