"""A local HTTP API of API Gateway, as an ASGI application.

Called by uvicorn (system/http_server.py) for each HTTP request. The request goes on, as an event of
payload format 2.0, to the `invoke` of its route (apis.py), which invokes the Lambda function
(lambda_/functions.py); the function's result comes back as the HTTP response.

It enforces what API Gateway enforces: routes, sizes, timeouts, throttling. The responses that it
gives itself have the statuses and bodies of an HTTP API.
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
    common_log_time,
    http_response,
    proxy_event,
    request_host,
)
from stack.local.apigateway.http_api import ApiConfig, ConfiguredApi, RouteConfig
from stack.local.lambda_.invoke import PayloadTooLargeError, trace_id
from stack.local.lambda_.pool import ThrottledError

MAX_HEAD = 10_240
"""Bytes of request line and headers together (API Gateway's quotas for HTTP APIs)."""
MAX_BODY = 10 * 1024 * 1024
"""Bytes of a request's body (the same quotas)."""
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


class _GatewayError(Exception):
    """Raised where the gateway gives the response itself.

    reason: `integrationErrorMessage` in the access log. close: end the connection afterwards.
    """

    def __init__(self, status: int, reason: str = "", *, close: bool = False) -> None:
        self.status, self.reason, self.close = status, reason, close

    def response(self) -> HttpResponse:
        headers = [(b"content-type", b"application/json")]
        if self.close:
            headers.append((b"connection", b"close"))
        body = json.dumps({"message": _MESSAGES[self.status]}).encode()
        return HttpResponse(status=self.status, headers=headers, body=body)


class HttpApi:
    """The ASGI application. Until it is configured, every response is 404."""

    def __init__(self) -> None:
        self._api: ConfiguredApi | None = None

    def configure(self, config: ApiConfig | None) -> None:
        """Replace the configuration; running requests keep the one they started with.

        Raises ValueError for a route key that AWS would refuse; then nothing changes.
        """
        self._api = ConfiguredApi(config) if config is not None else None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"{scope['type']} is not served")
        await _RequestCycle(self._api, scope, receive, send).run()


class _RequestCycle:
    """One request, its response, and its line in the access log."""

    def __init__(
        self,
        api: ConfiguredApi | None,
        scope: MutableMapping[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        self._api, self._receive, self._send = api, receive, send
        self._request = _http_request(scope)
        self._time, self._started = time.time(), time.monotonic()
        self._id = base64.b64encode(secrets.token_bytes(11)).decode()
        self._route_key: str | None = None
        self._error: _GatewayError | None = None
        self._integration_s: float | None = None

    async def run(self) -> None:
        try:
            response = await self._handle()
        except _GatewayError as error:
            self._error, response = error, error.response()
        await self._send_response(response)
        if self._api is not None and self._api.config.access_log is not None:
            self._api.config.access_log(
                self._api.log_format.line(self._log_variables(self._api.config, response))
            )

    async def _handle(self) -> HttpResponse:
        """Return the function's response. Raises `_GatewayError` for a response of the gateway."""
        request = self._request
        # The order matters: an oversized or malformed request has no route, only requests with a
        # route count for throttling, and the body is read last, so that a rejected request costs
        # no memory.
        if request.size > MAX_HEAD:
            raise _GatewayError(431, close=True)
        if request_host(request.headers) is None:
            raise _GatewayError(400, close=True)
        found = self._api.route(request.method, request.decoded_path) if self._api else None
        if self._api is None or found is None:
            raise _GatewayError(404)
        route, parameters = found
        self._route_key = route.key
        if not self._api.admits(route):
            raise _GatewayError(429)
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
        """Return the request's body. Raises 413 when it is over the limit."""
        declared = self._request.header(b"content-length") or b""
        # A client that sends `Expect` waits for a response before it sends the body.
        if declared.isdigit() and int(declared) > MAX_BODY and self._request.header(b"expect"):
            raise _GatewayError(413, close=True)
        parts: list[bytes] = []
        size, more = 0, True
        # Other clients read the response only after they have sent all of the body. So a body over
        # the limit is read on, up to four times the limit, and discarded; if the connection were
        # closed earlier, the client would see a reset instead of the 413.
        while more and size <= _MAX_DISCARDED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                reason = "The client left before its body was complete."
                raise _GatewayError(400, reason, close=True)
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= MAX_BODY:
                parts.append(part)
        if size > MAX_BODY:
            raise _GatewayError(413, close=True)
        return b"".join(parts)

    async def _send_response(self, response: HttpResponse) -> None:
        body = b"" if response.status in _WITHOUT_BODY else response.body
        headers = [*response.headers, (b"apigw-requestid", self._id.encode())]
        # The length of a HEAD response without a body is unknown here: it would be that of GET.
        if body or (response.status not in _WITHOUT_BODY and self._request.method != "HEAD"):
            headers.append((b"content-length", str(len(body)).encode()))
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})

    def _log_variables(self, config: ApiConfig, response: HttpResponse) -> dict[str, Value]:
        """Return the values of `$context.*`, some of which have two names."""
        request, error = self._request, self._error
        latency = None if self._integration_s is None else round(self._integration_s * 1000)
        reason = error.reason if error else None
        return {
            "accountId": config.account_id,
            "apiId": config.api_id,
            "domainName": config.domain,
            "domainPrefix": config.domain.partition(".")[0],
            "error.message": _MESSAGES[error.status] if error else None,
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
            "requestTime": common_log_time(int(self._time)),
            "requestTimeEpoch": int(self._time * 1000),
            "responseLatency": round((time.monotonic() - self._started) * 1000),
            "responseLength": len(response.body),
            "routeKey": self._route_key,
            "stage": config.stage,
            "status": response.status,
        }


async def _integrate(route: RouteConfig, event: bytes, trace: str) -> HttpResponse:
    """Invoke the route's function and return its response, or raise the gateway's error for it."""
    try:
        # The timeout cancels only the wait for the result: the function runs on, as on AWS.
        async with asyncio.timeout(route.timeout_ms / 1000):
            invocation = await route.invoke(event, trace)
        if invocation.error is not None:
            reason = (
                "The Lambda function returned the following error: "
                f"{invocation.message}. Check your Lambda function code and try again."
            )
            raise _GatewayError(500, reason)
        return http_response(invocation.payload)
    except _GatewayError:
        raise
    except TimeoutError:
        raise _GatewayError(503, "Endpoint request timed out") from None
    except ThrottledError as error:
        raise _GatewayError(503, str(error)) from None
    except PayloadTooLargeError as error:
        raise _GatewayError(413, str(error)) from None
    except MalformedResponseError as error:
        reason = (
            "The Lambda function's response does not have the format "
            f"that API Gateway expects: {error}."
        )
        raise _GatewayError(500, reason) from None
    except Exception as error:
        # Whatever the integration raises, the client gets a response, the access log the reason.
        raise _GatewayError(500, f"{type(error).__name__}: {error}") from error


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
