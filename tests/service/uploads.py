"""Uploads files as a browser and the gateway do: multipart, in base64 inside the event."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.service.lambda_api import Api, Response, event

BOUNDARY = "----boundary7MA4YWxkTrZu0gW"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(content: bytes, disposition: str = 'name="file"; filename="accounts.csv"') -> bytes:
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
        "Content-Type: text/csv\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def send(
    api: Api,
    content: bytes,
    content_type: str = MULTIPART,
    path: str = "/ingest/csv",
    headers: Mapping[str, str] | None = None,
    **query: Any,
) -> Response:
    """Send a request with any body."""
    sent = event(
        "POST",
        path,
        urlencode(query, doseq=True),
        {"content-type": content_type, **(headers or {})},
    )
    return api.send({**sent, "body": base64.b64encode(content).decode(), "isBase64Encoded": True})


def upload(
    api: Api, content: bytes | str, headers: Mapping[str, str] | None = None, **query: Any
) -> Response:
    """Send a CSV file."""
    return send(
        api,
        body(part(content.encode() if isinstance(content, str) else content)),
        headers=headers,
        **query,
    )
