"""The function as it is deployed: this machine's bundle, AWS's runtime client, and events as the HTTP API sends them."""

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
    """`code` as Lambda has it at /var/task, `layer` as at /opt; `client` is the runtime client's directory."""

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
    """In payload format 2.0, with a body in base64."""
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
    """Headers and body of a multipart request with one CSV file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="accounts.csv"\r\nContent-Type: text/csv\r\n\r\n'
    return {
        "content-type": f"multipart/form-data; boundary={BOUNDARY}"
    }, head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def compiled(directory: Path) -> Path:
    """With bytecode that is not checked against its source, as in the bundle."""
    compileall.compile_dir(
        directory, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    return directory


def unpacked(place: Path) -> tuple[Path, Path]:
    """Code and layer of this machine's bundle, which is built when it is out of date."""
    bundle = build(ROOT, Target.host(), progress=print)
    for archive, name in ((bundle.code, "code"), (bundle.layer, "layer")):
        with zipfile.ZipFile(ROOT / archive) as opened:
            opened.extractall(place / name)
    return place / "code", place / "layer"


def core() -> int | None:
    """The one that a measured function has for itself, where cores can be chosen."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def pin(pid: int) -> None:
    """Puts a process that runs already on that core; threads that it has started stay where they are."""
    if (chosen := core()) is not None:
        os.sched_setaffinity(pid, {chosen})
