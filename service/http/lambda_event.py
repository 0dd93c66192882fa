"""The gateway's events, made safe for the adapter: what it cannot take would fail the whole invocation."""

import re
from collections.abc import Mapping
from typing import Any, Final

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")


def is_http(event: Mapping[str, Any]) -> bool:
    """A payload-2.0 event of an HTTP API."""
    return event.get("version") == "2.0" and "http" in event.get("requestContext", {})


def sanitize_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with text that can be encoded and a host that can be taken apart; header names in lower case, cookies left out."""
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
    """JSON may hold halves of surrogate pairs, UTF-8 may not. What is ASCII, as every body in base64 is, is not copied."""
    return text if text.isascii() else text.encode(errors="replace").decode()
