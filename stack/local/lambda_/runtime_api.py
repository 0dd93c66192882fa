"""Lambda's Runtime API (2018-06-01): the HTTP server of one execution environment.

Called from both sides: `ExecutionEnvironment` (execution_environment.py) passes an event to `send`,
and AWS's runtime client in the function's process, which polls for events, calls the handler and
posts its result. For the service that handler is service/handler.py.

Each environment has a listening socket of its own, and a token that only its process has: other
processes and web pages must not take its events or post its results. The client puts the value of
`AWS_LAMBDA_RUNTIME_API` before its paths, so the token is in that value, after host and port
(function_version.py).
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Protocol

import httptools

MAX_PAYLOAD = 6_291_556
"""Bytes of an event or of a response: AWS's 6 MB, as its own error messages give it."""

TOO_LARGE = "Function.ResponseSizeTooLarge"

_VERSION = "/2018-06-01/runtime"
_REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Request Entity Too Large",
}


class Listener(Protocol):
    """Receives the calls of the runtime client."""

    def on_next(self) -> None:
        """The client polls for an event: init is over, or the last invocation is."""

    def on_response(self, request_id: str, payload: bytes) -> None: ...

    def on_error(self, request_id: str, error_type: str, payload: bytes) -> None: ...

    def on_init_error(self, payload: bytes) -> None: ...


class RuntimeApi:
    """`open` it, `send` an event after each `on_next`, `close` it with all its connections.

    polling: the connection whose request for the next event has no response yet.
    max_response: bytes; a larger response becomes an error of the type `TOO_LARGE`.
    """

    def __init__(self, listener: Listener, *, max_response: int = MAX_PAYLOAD) -> None:
        self.listener, self.max_response = listener, max_response
        self.connections: set[_Connection] = set()
        self.polling: _Connection | None = None
        self._token = secrets.token_urlsafe(16)
        self.path = f"/{self._token}{_VERSION}/".encode()
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """Listen on a free port of 127.0.0.1; return the value of `AWS_LAMBDA_RUNTIME_API`."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), "127.0.0.1", 0
        )
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{self._token}"

    def send(self, headers: Mapping[str, str], event: bytes) -> None:
        """Respond to the client's poll with an event."""
        if self.polling is None:
            raise RuntimeError("the runtime client has not asked for an event")
        connection, self.polling = self.polling, None
        connection.respond(200, event, headers)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection of the client, which it keeps for all its requests."""

    transport: asyncio.Transport

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._reset()

    def _reset(self) -> None:
        self._url, self._error_type = b"", ""
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._api.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._api.connections.discard(self)
        # Otherwise an environment whose process has just ended would still count as ready.
        if self._api.polling is self:
            self._api.polling = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.transport.abort()

    # Callbacks of the parser; a URL and a body may arrive in several parts

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"lambda-runtime-function-error-type":
            self._error_type = value.decode(errors="replace")

    def on_body(self, body: bytes) -> None:
        # A body over the limit is read to its end but not kept: the client reads the response
        # only after it has sent all of it.
        self._size += len(body)
        if self._size <= self._api.max_response:
            self._body.append(body)

    def on_message_complete(self) -> None:
        url, body = self._url, b"".join(self._body)
        error_type, size = self._error_type, self._size
        limit = self._api.max_response
        self._reset()
        listener = self._api.listener
        prefix = self._api.path
        if not secrets.compare_digest(url[: len(prefix)], prefix):
            message = "This is the Runtime API of one execution environment, for its process only."
            self._respond_with_status(403, message, "AccessDenied")
            return
        match url[len(prefix) :].decode("latin-1").split("/"):
            case ["invocation", "next"] if self._api.polling not in (None, self):
                message = "This execution environment is polled by another connection."
                self._respond_with_status(403, message, "AccessDenied")
            case ["invocation", "next"]:
                # No response yet: `send` gives it when there is an event.
                self._api.polling = self
                listener.on_next()
            case ["invocation", request_id, "response"] if size > limit:
                message = (
                    f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
                )
                listener.on_error(request_id, TOO_LARGE, error_document(message, TOO_LARGE))
                self._respond_with_status(413, message, "RequestEntityTooLarge")
            case ["invocation", request_id, "response"]:
                listener.on_response(request_id, body)
                self._respond_with_status(202)
            case ["invocation", request_id, "error"]:
                listener.on_error(request_id, error_type, body)
                self._respond_with_status(202)
            case ["init", "error"]:
                listener.on_init_error(body)
                self._respond_with_status(202)
            case _:
                message = "This path is not part of the Runtime API here."
                self._respond_with_status(404, message, "NotFound")

    def _respond_with_status(self, status: int, message: str = "", error_type: str = "") -> None:
        body = error_document(message, error_type) if message else b'{"status":"OK"}'
        self.respond(status, body, {})

    def respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n{lines}\r\n"
        self.transport.write(head.encode("latin-1") + body)


def error_document(message: str, error_type: str) -> bytes:
    """Return the JSON document by which Lambda and its runtimes describe an error."""
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()
