"""The deployed function: this machine's bundle, the runtime client, events of the HTTP API."""

import base64
import compileall
import os
import py_compile
import time
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runtime import Environment, environment
from bundle import Target, build

ROOT = Path(__file__).parent.parent
HANDLER = "service.handler.handler"
BOUNDARY = "boundary-of-a-benchmark"


@dataclass(frozen=True)
class Function:
    """The directories of one function.

    `code` is what Lambda has at /var/task, `layer` what it has at /opt, `client` the runtime
    client.
    """

    code: Path
    layer: Path
    client: Path

    def start(
        self, database_url: str, *, core: int | None = None
    ) -> AbstractContextManager[Environment]:
        return environment(
            HANDLER,
            task_root=self.code,
            path=(self.layer / "python", self.client),
            variables={"DATABASE_URL": database_url},
            core=core,
        )


def event(
    method: str,
    path: str,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> dict[str, Any]:
    """Returns an event in payload format 2.0, with its body in base64."""
    content = {} if body is None else {"body": base64.b64encode(body).decode()}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example.com", "accept": "application/json", **(headers or {})},
        "requestContext": {
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "benchmark",
            },
            "requestId": "benchmark",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": body is not None,
        **content,
    }


def form(content: bytes) -> tuple[dict[str, str], bytes]:
    """Returns headers and body of a multipart request with one CSV file."""
    lines = (
        f"--{BOUNDARY}",
        'Content-Disposition: form-data; name="file"; filename="accounts.csv"',
        "Content-Type: text/csv",
    )
    head = "".join(f"{line}\r\n" for line in (*lines, "")).encode()
    body = head + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}, body


def compiled(directory: Path) -> Path:
    """Compiles a directory as the bundle does: the bytecode is not checked against its source."""
    compileall.compile_dir(
        directory, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    return directory


def unpacked(directory: Path) -> tuple[Path, Path]:
    """Unpacks code and layer of this machine's bundle, which is built when it is out of date."""
    bundle = build(ROOT, Target.host(), progress=print)
    for archive, name in ((bundle.code, "code"), (bundle.layer, "layer")):
        with zipfile.ZipFile(ROOT / archive) as opened:
            opened.extractall(directory / name)
    return directory / "code", directory / "layer"


def core() -> int | None:
    """Returns the core that a measured function runs on alone, where affinity can be set."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def pin(pid: int) -> None:
    """Pins a running process to that core; threads that exist already stay where they are."""
    if (chosen := core()) is not None:
        os.sched_setaffinity(pid, {chosen})
