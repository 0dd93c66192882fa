"""The process of the smoke test: imports the service as Lambda does and sends it `GET /`.

    python -I -S smoke_test_process.py CODE LAYER

Prints one line of JSON on standard output, `{"status": 200}` or `{"error": …}`; what the service
prints goes to standard error. Every use of the network is refused, and reported even if the
service catches the exception.
"""

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any

_NETWORK = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
    "socket.sendmsg",
    "socket.sendto",
}
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class Context:
    """Lambda's context object, with the attributes that Mangum and the service read."""

    aws_request_id = _REQUEST_ID
    function_name = "bundle-check"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bundle-check"
    memory_limit_in_mb = "512"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def get_root_event() -> dict[str, Any]:
    """Return the event of `GET /` that an HTTP API sends, payload format 2.0."""
    host = "bundle-check.execute-api.us-east-1.amazonaws.com"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {
            "host": host,
            "accept": "*/*",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "https",
            "x-forwarded-port": "443",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bundle-check",
            "domainName": host,
            "domainPrefix": "bundle-check",
            "http": {
                "method": "GET",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bundle-check",
            },
            "requestId": _REQUEST_ID,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }


def run(code: str, layer: str) -> dict[str, Any]:
    """Import all handlers and call the service's. Returns `status`, or `error` and `network`."""
    refused: list[str] = []

    def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK:
            call = f"{event} {arguments[1:] if event == 'socket.connect' else arguments!r}"
            refused.append(call)
            raise PermissionError(f"no network while the bundle is checked: {call}")

    sys.addaudithook(refuse_network)
    sys.path[:0] = [code, layer]
    try:
        response = importlib.import_module("service.handler").handler(get_root_event(), Context())
        # os.path, because pathlib must not be imported before the service: it may hide a
        # missing module.
        for name in ("migrate", "upkeep"):
            if os.path.exists(os.path.join(code, "service", f"{name}.py")):  # noqa: PTH110, PTH118
                importlib.import_module(f"service.{name}").handler  # noqa: B018
    except BaseException:  # noqa: BLE001 - SystemExit at import is a failure too
        return {"error": traceback.format_exc(), "network": refused}
    if refused:
        return {"error": "the service uses the network while it starts", "network": refused}
    status = response.get("statusCode") if isinstance(response, dict) else None
    if status != 200:
        return {"error": f"GET / returned {str(response)[:500]}", "network": []}
    return {"status": status}


if __name__ == "__main__":
    # The service prints to descriptor 1; the result goes to a copy of the original one.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    result = run(sys.argv[1], sys.argv[2])
    output.write(json.dumps(result) + "\n")
    output.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # without waiting for threads that the service has started
