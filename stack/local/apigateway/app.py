"""API Gateway's HTTP API on one machine, as an ASGI application.

It makes payload-2.0 events and enforces what API Gateway enforces: routes, sizes, timeouts, throttles. What it answers itself has the
statuses and bodies of an HTTP API.
"""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stack.local.apigateway.access_log import Value
from stack.local.apigateway.events import (
    HttpRequest,
    HttpResponse,
    MalformedResponseError,
    RequestContext,
    clock,
    host,
    http_response,
    proxy_event,
)
from stack.local.apigateway.http_api import Api, ApiConfig, RouteConfig
from stack.local.lambda_.invoke import PayloadTooLargeError, trace_id
from stack.local.lambda_.pool import ThrottledError

MAX_HEAD = 10_240
"""Bytes of request line and headers together."""
MAX_BODY = 10 * 1024 * 1024
_MAX_DISCARDED = 4 * MAX_BODY
_MESSAGES = {
    400: "Bad Request",
    404: "Not Found",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_WITHOUT_BODY = (204, 304)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Refusal(Exception):  # noqa: N818 - no error of this program: an answer of the gateway's own
    """`reason` is what the access log has as integrationErrorMessage; `close` ends the connection."""

    def __init__(self, status: int, reason: str = "", *, close: bool = False) -> None:
        self.status, self.reason, self.close = status, reason, close

    def response(self) -> HttpResponse:
        headers = [
            (b"content-type", b"application/json"),
            *([(b"connection", b"close")] if self.close else []),
        ]
        return HttpResponse(
            status=self.status,
            headers=headers,
            body=json.dumps({"message": _MESSAGES[self.status]}).encode(),
        )


class HttpApi:
    """The ASGI application. `configure` switches to another configuration between two requests; without one all is 404."""

    def __init__(self) -> None:
        self._api: Api | None = None

    def configure(self, config: ApiConfig | None) -> None:
        """ValueError for a route key that AWS would refuse; then the configuration stays as it was."""
        self._api = Api(config) if config is not None else None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"{scope['type']} is not served")
        await _Exchange(self._api, scope, receive, send).run()


class _Exchange:
    """One request and its response."""

    def __init__(
        self, api: Api | None, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        self._api, self._receive, self._send = api, receive, send
        self._request = _http_request(scope)
        self._time, self._started = time.time(), time.monotonic()
        self._id = base64.b64encode(secrets.token_bytes(11)).decode()
        self._route_key: str | None = None
        self._refusal: _Refusal | None = None
        self._integration_s: float | None = None

    async def run(self) -> None:
        try:
            response = await self._respond()
        except _Refusal as refusal:
            self._refusal, response = refusal, refusal.response()
        await self._answer(response)
        if self._api is not None and self._api.config.access_log is not None:
            self._api.config.access_log(
                self._api.log_format.line(self._log_variables(self._api.config, response))
            )

    async def _respond(self) -> HttpResponse:
        request = self._request
        if request.size > MAX_HEAD:
            raise _Refusal(431, close=True)
        if host(request.headers) is None:
            raise _Refusal(400, close=True)
        found = self._api.route(request.method, request.decoded_path) if self._api else None
        if self._api is None or found is None:
            raise _Refusal(404)
        route, parameters = found
        self._route_key = route.key
        if not self._api.admits(route):
            raise _Refusal(429)
        body = await self._body()
        trace = (request.header(b"x-amzn-trace-id") or b"").decode("latin-1")
        config = self._api.config
        context = RequestContext(
            account_id=config.account_id,
            api_id=config.api_id,
            domain=config.domain,
            stage=config.stage,
            route_key=route.key,
            request_id=self._id,
            time=self._time,
            trace_id=trace if trace.startswith("Root=") else trace_id(),
            path_parameters=parameters,
        )
        started = time.monotonic()
        try:
            return await _integrate(route, proxy_event(request, body, context), context.trace_id)
        finally:
            self._integration_s = time.monotonic() - started

    async def _body(self) -> bytes:
        """The body, within the limit. A larger one is read on, within reason, because a client that is not done sending does not
        read the answer; but not from a client that asks first."""
        declared = self._request.header(b"content-length") or b""
        if declared.isdigit() and int(declared) > MAX_BODY and self._request.header(b"expect"):
            raise _Refusal(413, close=True)
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= _MAX_DISCARDED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Refusal(400, "The client left before its body was complete.", close=True)
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= MAX_BODY:
                parts.append(part)
        if size > MAX_BODY:
            raise _Refusal(413, close=True)
        return b"".join(parts)

    async def _answer(self, response: HttpResponse) -> None:
        body = b"" if response.status in _WITHOUT_BODY else response.body
        headers = [*response.headers, (b"apigw-requestid", self._id.encode())]
        if body or (response.status not in _WITHOUT_BODY and self._request.method != "HEAD"):
            headers.append((b"content-length", str(len(body)).encode()))
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})

    def _log_variables(self, config: ApiConfig, response: HttpResponse) -> dict[str, Value]:
        request, refusal = self._request, self._refusal
        latency = None if self._integration_s is None else round(self._integration_s * 1000)
        reason = refusal.reason if refusal else None
        return {
            "accountId": config.account_id,
            "apiId": config.api_id,
            "domainName": config.domain,
            "domainPrefix": config.domain.partition(".")[0],
            "error.message": _MESSAGES[refusal.status] if refusal else None,
            "extendedRequestId": self._id,
            "httpMethod": request.method,
            "identity.sourceIp": request.source_ip,
            "identity.userAgent": (request.header(b"user-agent") or b"").decode("latin-1"),
            "integration.error": reason,
            "integration.latency": latency,
            "integrationErrorMessage": reason,
            "integrationLatency": latency,
            "path": request.decoded_path,
            "protocol": request.protocol,
            "requestId": self._id,
            "requestTime": clock(int(self._time)),
            "requestTimeEpoch": int(self._time * 1000),
            "responseLatency": round((time.monotonic() - self._started) * 1000),
            "responseLength": len(response.body),
            "routeKey": self._route_key,
            "stage": config.stage,
            "status": response.status,
        }


async def _integrate(route: RouteConfig, event: bytes, trace: str) -> HttpResponse:
    try:
        async with asyncio.timeout(route.timeout_ms / 1000):
            invocation = await route.invoke(event, trace)
        if invocation.error is not None:
            error = f"The Lambda function returned the following error: {invocation.message}. Check your Lambda function code and try again."
            raise _Refusal(500, error)
        return http_response(invocation.payload)
    except _Refusal:
        raise
    except TimeoutError:
        raise _Refusal(503, "Endpoint request timed out") from None
    except ThrottledError as error:
        raise _Refusal(503, str(error)) from None
    except PayloadTooLargeError as error:
        raise _Refusal(413, str(error)) from None
    except MalformedResponseError as error:
        raise _Refusal(
            500,
            f"The Lambda function's response does not have the format that API Gateway expects: {error}.",
        ) from None
    except (
        Exception
    ) as error:  # whatever the integration raises, the client gets an answer and the log the reason
        raise _Refusal(500, f"{type(error).__name__}: {error}") from error


def _http_request(scope: MutableMapping[str, Any]) -> HttpRequest:
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=scope["headers"],
        protocol=f"HTTP/{scope['http_version']}",
        source_ip=(scope["client"] or ("127.0.0.1", 0))[0],
        scheme=scope["scheme"],
        port=(scope["server"] or ("", 0))[1] or 0,
    )
