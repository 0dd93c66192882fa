"""Refuses requests that web pages of other sites send to the servers on loopback.

A browser lets a page of any site send requests to `localhost`; they carry the page's `Origin`. To a
page whose own name resolves to 127.0.0.1 (DNS rebinding) it also gives the responses; these
requests carry that name in `Host`.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
AllowsOrigin = Callable[[str], bool]

_LOOPBACK = rb"(?:localhost\.?|127\.0\.0\.1|\[::1\])(?::\d{1,5})?"
_LOOPBACK_HOST = re.compile(_LOOPBACK, re.IGNORECASE)
_LOOPBACK_ORIGIN = re.compile(rb"https?://" + _LOOPBACK, re.IGNORECASE)
_HOST = re.compile(rb"[\w.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_READS = ("GET", "HEAD", "OPTIONS")


class LoopbackRequests:
    """An ASGI application that passes the requests of this machine's clients on to another one.

    what: names the server ("the API"). allows_origin: whether pages of an origin that is not
    loopback may send requests that write. A request without one valid Host is passed on: browsers
    send none, and the application has a response for it.
    """

    def __init__(self, app: Application, what: str, allows_origin: AllowsOrigin) -> None:
        self._app, self._what, self._allows_origin = app, what, allows_origin

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, sentence = refusal
        body = json.dumps({"message": sentence}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason of a refused request."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) == 1 and not _LOOPBACK_HOST.fullmatch(hosts[0]) and _HOST.fullmatch(hosts[0]):
            port = scope["server"][1]
            return 421, (
                f"This is {self._what} of a local stack, which is open to this machine only: "
                f"its address is http://localhost:{port}"
            )
        if scope["method"] in _READS:
            return None
        for name, value in headers:
            if (
                name == b"origin"
                and not _LOOPBACK_ORIGIN.fullmatch(value)
                and not self._allows_origin(value.decode("latin-1"))
            ):
                return 403, (
                    f"A page of another site must not write to {self._what} of a local stack: "
                    "extraOrigins in .local/config.yaml permits an origin"
                )
        return None
