"""Authorizes requests by API key.

The environment holds SHA-256 hashes only. Several keys can be valid at once, so that a key can be
rotated without an interruption.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ForbiddenError, UnauthorizedError
from service.settings import ApiKey, Settings

HEADER: Final = "X-API-Key"
READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC_PATHS: Final = frozenset({"/", "/docs", "/health/live", "/health/ready"})
"""Never need a key: monitors have none, and /docs holds no data and asks for a key itself."""
READ_ONLY_POSTS: Final = frozenset({"/scoring/what-if", "/actions/recommend"})
"""Use POST because their input is long; they write nothing."""
_HEADER: Final = HEADER.lower().encode()
_UNKNOWN_KEY: Final = ApiKey(scope="", digest=bytes(32))


@dataclass(frozen=True)
class ApiKeyMiddleware:
    """ASGI middleware, inside CORS and the exception middleware. Without keys, all paths are open.

    It sets `scope["state"]["api_key_id"]` for a request that needed a key.
    """

    app: ASGIApp
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.settings.api_keys:
            required = required_scope(
                scope["method"], scope["path"], protect_reads=self.settings.api_keys_protect_reads
            )
            if required:
                scope["state"]["api_key_id"] = authorize(
                    self.settings.api_keys, _credentials(scope), required
                )
        await self.app(scope, receive, send)


def required_scope(method: str, path: str, *, protect_reads: bool) -> str:
    """Return the scope that a request needs where keys are configured: "read", "write" or ""."""
    if path in PUBLIC_PATHS or method == "OPTIONS":
        return ""
    if method in READ_METHODS or path in READ_ONLY_POSTS:
        return "read" if protect_reads else ""
    return "write"


def authorize(keys: Mapping[str, ApiKey], credentials: bytes, required: str) -> str:
    """Return the id of the key that `credentials`, `id.secret`, belong to.

    Raises `UnauthorizedError` for a missing or wrong key, and `ForbiddenError` when its scope does
    not include `required`.

    An unknown id takes the same comparison as a known one: the response time does not reveal which
    ids exist.
    """
    prefix, _, secret = credentials.partition(b".")
    key_id = prefix.decode("ascii", "replace")
    key = keys.get(key_id, _UNKNOWN_KEY)
    equal = hmac.compare_digest(hashlib.sha256(secret).digest(), key.digest)
    if not equal or key is _UNKNOWN_KEY:
        raise UnauthorizedError
    if required not in (key.scope, "read"):
        raise ForbiddenError
    return key_id


def _credentials(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == _HEADER), b"")
