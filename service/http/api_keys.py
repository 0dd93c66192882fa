"""API keys: who may read and who may write. The environment holds only hashes, and several keys may be live at once."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ForbiddenError, UnauthorizedError
from service.settings import ApiKey, Settings

HEADER: Final = "X-API-Key"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN: Final = frozenset({"/", "/docs", "/health/live", "/health/ready"})
"""Never need a key: monitors have none, and the page /docs has no data and asks for one."""
READING_BY_POST: Final = frozenset({"/scoring/what-if", "/actions/recommend"})
"""Change nothing, and ask by POST because their questions are long."""
_HEADER: Final = HEADER.lower().encode()
_NOBODY: Final = ApiKey(scope="", digest=bytes(32))


@dataclass(frozen=True)
class ApiKeyMiddleware:
    """ASGI middleware, inside of CORS and of what answers errors. Without keys everything is open."""

    app: ASGIApp
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.settings.api_keys:
            needed = needed_scope(
                scope["method"], scope["path"], reads=self.settings.api_keys_protect_reads
            )
            if needed:
                scope["state"]["api_key_id"] = authorize(
                    self.settings.api_keys, _given(scope), needed
                )
        await self.app(scope, receive, send)


def needed_scope(method: str, path: str, *, reads: bool) -> str:
    """The scope that a request needs where there are keys, "" for none. `reads`: whether reads are protected too."""
    if path in OPEN or method == "OPTIONS":
        return ""
    if method in READING or path in READING_BY_POST:
        return "read" if reads else ""
    return "write"


def authorize(keys: Mapping[str, ApiKey], given: bytes, needed: str) -> str:
    """The id of the key; `given` is `id.secret`.

    Raises `UnauthorizedError` for a missing or wrong key, `ForbiddenError` when its scope does not suffice.

    An unknown id takes the same comparison as a known one, so that time does not tell which ids there are.
    """
    first, _, secret = given.partition(b".")
    name = first.decode("ascii", "replace")
    key = keys.get(name, _NOBODY)
    right = hmac.compare_digest(hashlib.sha256(secret).digest(), key.digest)
    if not right or key is _NOBODY:
        raise UnauthorizedError
    if needed not in (key.scope, "read"):
        raise ForbiddenError
    return name


def _given(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == _HEADER), b"")
