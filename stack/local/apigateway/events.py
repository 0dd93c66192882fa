"""HTTP request → event of payload format 2.0, and the function's result → HTTP response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    }
) | {"transfer-encoding"}
_NOT_FORWARDED = _HOP_BY_HOP | {"content-length", "cookie", "forwarded", "host", "x-amzn-trace-id"}
_NOT_RETURNED = _HOP_BY_HOP | {"content-length", "date"}

# Bodies of these types stay text, as observed on AWS, which does not document it. All others are
# base64, forms and bodies without a type included.
_TEXT = re.compile(r"text/.*|application/(json|xml|javascript)", re.ASCII)
_HOST = re.compile(rb"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?")
# strftime would use the locale's names.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Headers = Sequence[tuple[bytes, bytes]]


class MalformedResponseError(Exception):
    """API Gateway cannot make a response of the function's result; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """A request as received: `path` and `query` encoded, headers in order, names in lower case."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    protocol: str
    source_ip: str
    scheme: str
    port: int

    @property
    def size(self) -> int:
        """Bytes of the request line and all headers, which API Gateway limits together."""
        target = len(self.path) + (1 + len(self.query) if self.query else 0)
        line = len(self.method) + 1 + target + len(" HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    @property
    def decoded_path(self) -> str:
        """The path, decoded and cut at an encoded question mark, as API Gateway does."""
        return unquote(self.path.decode("latin-1"), errors="replace").partition("?")[0]

    def header(self, name: bytes) -> bytes | None:
        return next((value for other, value in self.headers if other == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestContext:
    """What API Gateway adds to a request. time: seconds since the epoch."""

    account_id: str
    api_id: str
    domain: str
    stage: str
    route_key: str
    request_id: str
    time: float
    trace_id: str
    path_parameters: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


def request_host(headers: Headers) -> str | None:
    """Return the value of the Host header; None unless there is exactly one and it is valid.

    `[::1]:80` becomes `localhost:80`: on AWS no IPv6 literal reaches a function, and Mangum raises
    an exception for one.
    """
    hosts = [value for name, value in headers if name == b"host"]
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None:
        return None
    name, port = match["name"].decode(), (match["port"] or b"").decode()
    return f"localhost{port}" if name.startswith("[") else f"{name}{port}"


@lru_cache(maxsize=2)
def common_log_time(seconds: int) -> str:
    """Return a time in the common log format: `12/Mar/2020:19:03:58 +0000`."""
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time:%d}/{_MONTHS[time.month - 1]}/{time:%Y:%H:%M:%S} +0000"


def proxy_event(request: HttpRequest, body: bytes, context: RequestContext) -> bytes:
    """Return the event as JSON. `request_host` must have accepted the request's headers."""
    headers = _event_headers(request, len(body), context)
    path = request.decoded_path
    cookies = [
        part.strip()
        for name, value in request.headers
        if name == b"cookie"
        for part in _text(value).split(";")
        if part.strip()
    ]
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query.decode("latin-1"), keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    http = {
        "method": request.method,
        "path": path,
        "protocol": request.protocol,
        "sourceIp": request.source_ip,
        "userAgent": headers.get("user-agent", ""),
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": context.route_key,
        "rawPath": path,
        "rawQueryString": request.query.decode("latin-1"),
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        **({"queryStringParameters": query} if query else {}),
        "requestContext": {
            "accountId": context.account_id,
            "apiId": context.api_id,
            "domainName": context.domain,
            "domainPrefix": context.domain.partition(".")[0],
            "http": http,
            "requestId": context.request_id,
            "routeKey": context.route_key,
            "stage": context.stage,
            "time": common_log_time(int(context.time)),
            "timeEpoch": int(context.time * 1000),
        },
        **({"pathParameters": dict(context.path_parameters)} if context.path_parameters else {}),
        **_event_body(body, headers.get("content-type", "")),
    }
    return _encode(event).encode(errors="replace")


def _event_headers(request: HttpRequest, length: int, context: RequestContext) -> dict[str, str]:
    """Return the event's headers: names in lower case, repeated ones joined by commas.

    API Gateway moves the client's own `x-forwarded-*` into `forwarded`; to `x-forwarded-for` it
    also appends the client's address.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name = raw_name.decode("latin-1")
        if name not in _NOT_FORWARDED:
            value = _text(raw_value)
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    incoming = {
        part: headers.pop(f"x-forwarded-{part}", "") for part in ("for", "host", "proto", "port")
    }
    forwarded = [f"{part}={incoming[part]}" for part in ("for", "host", "proto") if incoming[part]]
    earlier = [_text(value) for name, value in request.headers if name == b"forwarded"]
    if forwarded or earlier:
        headers["forwarded"] = ",".join([*earlier, ";".join(forwarded)] if forwarded else earlier)
    headers["content-length"] = str(length)
    headers["host"] = request_host(request.headers) or ""
    headers["x-amzn-trace-id"] = context.trace_id
    headers["x-forwarded-for"] = ", ".join(filter(None, [incoming["for"], request.source_ip]))
    headers["x-forwarded-port"] = str(request.port)
    headers["x-forwarded-proto"] = request.scheme
    return dict(sorted(headers.items()))


def _event_body(body: bytes, content_type: str) -> dict[str, object]:
    if not body:
        return {"isBase64Encoded": False}
    if _TEXT.fullmatch(content_type.partition(";")[0].strip().lower()):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def http_response(payload: bytes) -> HttpResponse:
    """Return the response for a function's result, which is JSON.

    An object with `statusCode` is a whole response; any other JSON is the body of a 200. Raises
    `MalformedResponseError`.
    """
    try:
        result = json.loads(payload)
    except ValueError:
        raise MalformedResponseError("it is not JSON") from None
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result.encode(errors="replace") if isinstance(result, str) else payload
        return HttpResponse(status=200, headers=[(b"content-type", b"application/json")], body=body)
    fields = cast("dict[str, Any]", result)
    status = _status(fields["statusCode"])
    headers = list(_response_headers(fields))
    if all(name != b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"text/plain;charset=UTF-8"))
    return HttpResponse(status=status, headers=headers, body=_response_body(fields))


def _status(value: object) -> int:
    if (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.isdecimal()
    ):
        status = int(value)
        if 200 <= status <= 599:
            return status
    raise MalformedResponseError(f"statusCode is {value!r}, not a number from 200 to 599")


def _response_headers(fields: Mapping[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    headers, cookies = fields.get("headers") or {}, fields.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise MalformedResponseError("headers must be an object and cookies a list")
    pairs = [
        *cast("dict[str, Any]", headers).items(),
        *(("set-cookie", cookie) for cookie in cast("list[Any]", cookies)),
    ]
    for name, value in pairs:
        if (
            not isinstance(value, str | int | float)
            or not _HEADER_NAME.fullmatch(name)
            or _CONTROL.search(str(value))
        ):
            raise MalformedResponseError(f"header {name!r} is {value!r}, not a line of text")
        if name.lower() not in _NOT_RETURNED:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield name.lower().encode(), text.strip().encode("utf-8", errors="replace")


def _response_body(fields: Mapping[str, Any]) -> bytes:
    body = fields.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponseError(f"body is a {type(body).__name__}, not a string")
    if fields.get("isBase64Encoded") is not True:
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedResponseError("isBase64Encoded is true and body is not base64") from None
