"""Validates and sanitizes API Gateway events before Mangum sees them.

Mangum raises for some odd events that API Gateway lets through, and a raised exception fails the
whole invocation with a 502 or 500 of the gateway, without CORS headers.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard, cast

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")


def is_http(event: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether an event is a complete payload-2.0 event of an HTTP API."""
    if not isinstance(event, dict):
        return False
    fields = cast("dict[str, Any]", event)
    context = fields.get("requestContext")
    http = cast("dict[str, Any]", context).get("http") if isinstance(context, dict) else None
    if fields.get("version") != "2.0" or not isinstance(http, dict):
        return False
    parts = cast("dict[str, Any]", http)
    texts = (parts.get("method"), parts.get("path"), parts.get("sourceIp"))
    headers, body = fields.get("headers"), fields.get("body")
    return (
        all(isinstance(text, str) for text in texts)
        and (headers is None or isinstance(headers, dict))
        and (body is None or isinstance(body, str))
    )


def sanitize_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the event that Mangum can convert.

    Text can be encoded as UTF-8, header names are in lower case, `host` and `x-forwarded-port` can
    be parsed, and cookies, which the service never reads, are left out.
    """
    headers = {
        _encodable(name).lower(): _encodable(value)
        for name, value in (event.get("headers") or {}).items()
    }
    if not _HOST.fullmatch(headers.get("host", "")):
        headers["host"] = event["requestContext"].get("domainName") or "localhost"
    if not headers.get("x-forwarded-port", "0").isdecimal():
        del headers["x-forwarded-port"]
    return {
        **event,
        "headers": headers,
        "rawQueryString": _encodable(event.get("rawQueryString") or ""),
        "body": _encodable(event.get("body") or ""),
        "cookies": [],
    }


def _encodable(text: str) -> str:
    """Replace lone surrogates, which JSON allows and UTF-8 does not. ASCII text is not copied."""
    return text if text.isascii() else text.encode(errors="replace").decode()
