"""A file in a multipart request."""

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
"""Of the file: more would not fit into what Lambda takes, in base64 and with all that comes along."""

PIECE: Final = 2**18

_ASKED: Final = f"Send one part of {MULTIPART} named {PART}, with a filename"

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
    """The request's one part as an open file. Raises `ServiceError`s that say what to send."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MULTIPART:
        raise UnsupportedMediaTypeError(f"{_ASKED}.")
    try:
        form = await _Parser(request).parse()
    except (MultiPartException, ValueError):  # the latter of a charset that is none for text
        raise _invalid(
            "multipart_invalid", "The body is none, has too many parts, or ends too early"
        ) from None
    try:
        file = _the_file(form)
        if (file.size or 0) > MAX_BYTES:
            raise TooLargeError(
                f"The file has {file.size} bytes; at most {MAX_BYTES} are taken. Split it, with the header in each part."
            )
        yield file.file
    finally:
        await form.close()


def fingerprint(file: IO[bytes]) -> bytes:
    """The SHA-256 of a file, which is then at its beginning again."""
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(PIECE), b""):
        digest.update(piece)
    file.seek(0)
    return digest.digest()


class _Parser(MultiPartParser):
    """Starlette's, which is fed in pieces that it may copy, and which minds when a body breaks off."""

    def __init__(self, request: Request) -> None:
        super().__init__(
            request.headers, self._pieces(request), max_files=2, max_fields=1, max_part_size=2**10
        )
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _pieces(self, request: Request) -> AsyncGenerator[bytes]:
        async for body in request.stream():  # Lambda hands over all of it as one
            for start in range(0, len(body), PIECE):
                yield body[start : start + PIECE]
        if not self._ended:
            raise MultiPartException("The body ends too early")


def _the_file(form: FormData) -> UploadFile:
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
    message = f"{found}. {_ASKED}."
    return InvalidRequestError(
        message, errors=[{"loc": ["body", PART], "code": code, "message": message}]
    )
