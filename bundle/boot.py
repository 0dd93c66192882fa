"""A script, run by the twin's interpreter: boots the service as Lambda would and sends it `GET /`, without a network.

    python -I -S boot.py CODE LAYER

Answers one line of JSON on standard output, `{"status": 200}` or `{"error": …}`; what the service prints goes to
standard error. Everything that would leave the process through a socket is refused, and told even if the service
swallows the refusal.
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
    """What Lambda hands to a handler beside the event, as far as a library reads it."""

    aws_request_id = _REQUEST_ID
    function_name = "bundle-check"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bundle-check"
    memory_limit_in_mb = "512"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def get_root() -> dict[str, Any]:
    """`GET /` as an HTTP API sends it, payload format 2.0."""
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


def boot(code: str, layer: str) -> dict[str, Any]:
    reached_for: list[str] = []

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK:
            where = f"{event} {arguments[1:] if event == 'socket.connect' else arguments!r}"
            reached_for.append(where)
            raise PermissionError(f"no network while the bundle is checked: {where}")

    sys.addaudithook(refuse)
    sys.path[:0] = [code, layer]
    try:
        answer = importlib.import_module("service.handler").handler(get_root(), Context())
        if os.path.exists(os.path.join(code, "service", "migrate.py")):  # noqa: PTH110, PTH118 (pathlib may not be imported ahead)
            importlib.import_module("service.migrate").handler  # noqa: B018
    except BaseException:  # noqa: BLE001 (SystemExit at import is a failure to boot as well)
        trace = traceback.format_exc()
        return {"error": trace, "network": reached_for}
    if reached_for:
        return {
            "error": "the service reaches for the network while it boots",
            "network": reached_for,
        }
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    if status != 200:
        return {"error": f"GET / answered {str(answer)[:500]}", "network": []}
    return {"status": status}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    result = boot(sys.argv[1], sys.argv[2])
    answers.write(json.dumps(result) + "\n")
    answers.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the service are not waited for
