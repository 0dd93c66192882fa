"""Files as answers."""

import gzip
from typing import Final

from fastapi import Request
from starlette.responses import Response

from service.errors import InvalidRequestError

MAX_BYTES: Final = 32 * 2**20
"""Of a file before it is compressed: in memory once, and about a fifth of it again."""
PLAIN_BYTES: Final = 5_000_000
"""A text of so many fits, with its escapes in JSON, into the 6,291,556 bytes that Lambda lets a function answer."""
PACKED_BYTES: Final = 4_500_000
"""So many fit in base64."""


def csv_file(request: Request, content: bytes | None, name: str) -> Response:
    """`content` as a download, compressed where it would not fit otherwise. Raises `InvalidRequestError` where it does not fit at all,
    or has more than `MAX_BYTES` (None)."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if (
        content is not None
        and len(content) > PLAIN_BYTES
        and "gzip" in request.headers.get("accept-encoding", "")
    ):
        content = gzip.compress(content, 6)
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if content is None or len(content) > (
        PACKED_BYTES if "Content-Encoding" in headers else PLAIN_BYTES
    ):
        message = "These accounts do not fit into one file: narrow the filter, by segment or owner for example, and fetch several."
        raise InvalidRequestError(
            message, errors=[{"loc": ["query"], "code": "too_many_accounts", "message": message}]
        )
    return Response(content, media_type="text/csv", headers=headers)
