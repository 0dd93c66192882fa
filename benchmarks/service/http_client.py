"""Real requests over one kept connection, timed by the client, for whatever serves at a URL."""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE = 900.0
"""Seconds for an answer: a peer may take minutes for what takes a second here."""


@dataclass
class Client:
    url: str
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[float, bytes]:
        """Seconds, and the body. Raises RuntimeError for an answer other than 200."""
        if self._connection is None:
            address = urlsplit(self.url)
            self._connection = http.client.HTTPConnection(
                address.hostname or "", address.port, timeout=PATIENCE
            )
            self._connection.connect()
        began = time.perf_counter()
        self._connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = self._connection.getresponse()
        content = answer.read()
        taken = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(
                f"{method} {self.url}{path} answered {answer.status}: {content[:300]!r}"
            )
        return taken, content

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
