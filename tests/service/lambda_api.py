"""Calls the function as Lambda does: with payload-2.0 events, for proxy responses."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from service.app import create_app
from service.database.connection import Database
from service.handler import make_handler
from service.settings import Settings

ORIGIN = "https://insights.example"
SAMPLES = 60
"""The number of accounts in the database that is shared by tests that only read."""
SETTINGS: dict[str, Any] = {
    "cors_origins": frozenset({ORIGIN}),
    "stage": "test",
    "version": "abc123",
}


def event(
    method: str,
    path: str,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    age: float = 0,
    **more: Any,
) -> dict[str, Any]:
    """Return an event that the gateway accepted `age` seconds ago."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example.com", **(headers or {})},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "request",
            "stage": "$default",
            "timeEpoch": int((time.time() - age) * 1000),
        },
        "isBase64Encoded": False,
        **more,
    }


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """The function with the settings of a test."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        self.handler = make_handler(self.app)

    @property
    def database(self) -> Database:
        return self.app.state.database

    def close(self) -> None:
        self.database.close()

    def __call__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        age: float = 0,
        body: str | None = None,
        **query: Any,
    ) -> Response:
        """Send a request. A list in `query` is a repeated parameter; `body` is JSON."""
        more = {} if body is None else {"body": body}
        return self.send(
            event(method, path, urlencode(query, doseq=True), headers, age=age, **more)
        )

    def send(self, sent: dict[str, Any]) -> Response:
        response = self.handler(sent, None)
        body = response.get("body", "")
        text = base64.b64decode(body).decode() if response["isBase64Encoded"] else body
        return Response(response["statusCode"], response["headers"], text)

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Response:
        return self("GET", path, headers, **query)

    def patch(
        self, path: str, content: Any, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Response:
        return self("PATCH", path, headers, body=json.dumps(content), **query)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Response:
        return self("POST", path, headers, **query)


def api(database_url: str = "", **settings: Any) -> Api:
    values: dict[str, Any] = {**SETTINGS, "database_url": database_url, **settings}
    return Api(Settings(**values))
