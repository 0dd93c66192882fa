"""AWS's `runtime_client` in pure Python, for systems where awslambdaric has no native part (macOS).

It has the same four functions, over one connection to the Runtime API. It reads only what
stack/local/lambda_/runtime_api.py sends: a status line, headers, and `Content-Length` bytes.
"""

import os
import socket

_BASE = "/2018-06-01/runtime/invocation"
_JSON = "application/json"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"


class _Client:
    user_agent = address = token = ""

    def __init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.reader = self.socket.makefile("rb")

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        fields = {
            "Host": self.address,
            "User-Agent": self.user_agent,
            "Content-Length": str(len(body)),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(
            f"{method} /{self.token}{_BASE}{path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
        )
        status = self.reader.readline().split()
        if len(status) < 2:
            raise RuntimeError("the Runtime API closed the connection")
        fields = dict(
            line.decode("latin-1").rstrip("\r\n").split(": ", 1)
            for line in iter(self.reader.readline, b"\r\n")
        )
        return int(status[1]), fields, self.reader.read(int(fields.get("Content-Length", 0)))


_clients: list[_Client] = []  # empty until the first call, then one


def _call(
    method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[dict[str, str], bytes]:
    if not _clients:
        _clients.append(_Client())
    status, fields, content = _clients[0].call(method, path, headers, body)
    if not 200 <= status < 300:
        raise RuntimeError(f"the Runtime API returned {status} for {method} {path}")
    return fields, content


def _invocation(invocation_id: str | None) -> dict[str, str]:
    return {"Lambda-Runtime-Invocation-Id": invocation_id} if invocation_id else {}


def initialize_client(user_agent: str) -> None:
    _Client.user_agent = user_agent
    _Client.address, _, _Client.token = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")


def next() -> tuple[bytes, dict[str, str | int]]:
    headers, event = _call("GET", "/next", {})
    return event, {**headers, _DEADLINE: int(headers[_DEADLINE])}


def post_invocation_result(
    invoke_id: str, data: bytes, content_type: str = _JSON, invocation_id: str | None = None
) -> None:
    _call(
        "POST",
        f"/{invoke_id}/response",
        {"Content-Type": content_type, **_invocation(invocation_id)},
        data,
    )


def post_error(
    invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    headers = {"Content-Type": _JSON, "Lambda-Runtime-Function-Error-Type": "Unhandled"}
    _call("POST", f"/{invoke_id}/error", headers | _invocation(invocation_id), error.encode())
