"""Reads the uploaded file of a multipart/form-data request (RFC 7578)."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import IO, Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import InvalidRequestError, TooLargeError, UnsupportedMediaTypeError

PART: Final = "file"
MULTIPART: Final = "multipart/form-data"
MAX_BYTES: Final = 4 * 2**20
"""Of the file: in base64, with the rest of the event, it fits into Lambda's 6 MB of a request."""

CHUNK_BYTES: Final = 2**18

_EXPECTED: Final = f"Send one part of {MULTIPART} named {PART}, with a filename"

REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": [PART],
                "additionalProperties": False,
                "properties": {PART: {"type": "string", "format": "binary"}},
            },
            "encoding": {PART: {"contentType": "text/csv"}},
            "example": {PART: "name,arr,segment\nAlder Ridge Logistics,120000,Mid-Market\n"},
        }
    },
}
"""For the OpenAPI document, to which `service.http.openapi` adds the columns."""


@asynccontextmanager
async def uploaded_file(request: Request) -> AsyncGenerator[IO[bytes]]:
    """Open the file of the request's one part.

    Raises `UnsupportedMediaTypeError`, `InvalidRequestError` or `TooLargeError`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MULTIPART:
        raise UnsupportedMediaTypeError(f"{_EXPECTED}.")
    try:
        form = await _Parser(request).parse()
    except (MultiPartException, ValueError):  # ValueError: the charset is not one of text
        raise _invalid(
            "multipart_invalid", "The body is not multipart, has too many parts, or ends too early"
        ) from None
    try:
        file = _file_part(form)
        if (file.size or 0) > MAX_BYTES:
            raise TooLargeError(
                f"The file has {file.size} bytes; the limit is {MAX_BYTES}. Split it, with the "
                "header in each part."
            )
        yield file.file
    finally:
        await form.close()


def fingerprint(file: IO[bytes]) -> bytes:
    """Return the SHA-256 of a file, and rewind it."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
        digest.update(chunk)
    file.seek(0)
    return digest.digest()


class _Parser(MultiPartParser):
    """Starlette's parser, which also refuses a body that ends before its last boundary.

    It is fed in chunks, because it copies what it is given, and Lambda passes the body as one.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(
            request.headers, self._chunks(request), max_files=2, max_fields=1, max_part_size=2**10
        )
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _chunks(self, request: Request) -> AsyncGenerator[bytes]:
        async for body in request.stream():
            for start in range(0, len(body), CHUNK_BYTES):
                yield body[start : start + CHUNK_BYTES]
        if not self._ended:
            raise MultiPartException("The body ends too early")


def _file_part(form: FormData) -> UploadFile:
    parts = form.multi_items()
    if not parts:
        raise _invalid("missing", "There is no part")
    if len(parts) > 1:
        raise _invalid("too_many_parts", "There is more than one part")
    ((name, part),) = parts
    if name != PART or not isinstance(part, UploadFile):
        raise _invalid("missing", f"There is no file in a part named {PART}")
    return part


def _invalid(code: str, found: str) -> InvalidRequestError:
    message = f"{found}. {_EXPECTED}."
    return InvalidRequestError(
        message, errors=[{"loc": ["body", PART], "code": code, "message": message}]
    )
