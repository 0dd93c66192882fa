"""A minimal Runtime API that times one execution environment.

It replaces Lambda's data plane in benchmarks only: one environment, one invocation at a time, with
the real runtime client.
"""

import http.server
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:measured"
PATIENCE = 60.0
"""Seconds to wait for an environment before its measurement counts as failed."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # otherwise an event waits up to 40 ms behind its headers for the client's acknowledgement
    disable_nagle_algorithm = True

    @property
    def api(self) -> "RuntimeApi":
        assert isinstance(self.server, RuntimeApi)
        return self.server

    def do_GET(self) -> None:
        self.api.reports.put(("next", time.perf_counter(), b""))
        event = self.api.events.get()
        if event is None:
            self.close_connection = True
            return
        self._respond(
            200,
            event,
            {
                "Lambda-Runtime-Aws-Request-Id": "00000000-0000-0000-0000-000000000000",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 29) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
                "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.api.reports.put((self.path.rsplit("/", 1)[-1], time.perf_counter(), body))
        self._respond(202, b"{}", {})

    def _respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Benchmarks print their own lines."""


class RuntimeApi(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.reports: queue.Queue[tuple[str, float, bytes]] = queue.Queue()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.events.put(None)
        self.shutdown()
        self.server_close()


class Environment:
    """A started function. `init` is the time in seconds until it requests its first event."""

    def __init__(self, api: RuntimeApi, process: subprocess.Popen[bytes], started: float) -> None:
        self._api = api
        self._process = process
        self.init = self._expect("next")[0] - started

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        """Invokes the function; returns the seconds until its response, and the response."""
        encoded = json.dumps(event).encode()
        sent = time.perf_counter()
        self._api.events.put(encoded)
        arrived, body = self._expect("response")
        self._expect("next")
        return arrived - sent, json.loads(body)

    def _expect(self, kind: str) -> tuple[float, bytes]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(queue.Empty):
                got, at, body = self._api.reports.get(timeout=0.25)
                if got != kind:
                    raise RuntimeError(
                        f"the environment sent {got!r} instead of {kind!r}: "
                        f"{body.decode(errors='replace')[:2000]}"
                    )
                return at, body
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"the environment ended with code {self._process.returncode} before "
                    f"its {kind!r}"
                )
        raise RuntimeError(f"no {kind!r} from the environment within {PATIENCE:.0f} s")


@contextmanager
def environment(
    handler: str,
    *,
    task_root: Path,
    path: Sequence[Path],
    variables: Mapping[str, str],
    python: str = sys.executable,
    core: int | None = None,
) -> Generator[Environment]:
    """Runs `handler` under the real runtime client, alone on `core` where one is given (Linux)."""
    api = RuntimeApi()
    api.start()
    settings = {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join(map(str, (task_root, *path))),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "LAMBDA_TASK_ROOT": str(task_root),
        **variables,
    }
    started, process = 0.0, None
    try:
        with _pinned(core):
            started = time.perf_counter()
            process = subprocess.Popen(
                [python, "-m", "awslambdaric", handler],
                cwd=task_root,
                env=settings,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        yield Environment(api, process, started)
    finally:
        if process is not None:
            process.kill()
            process.wait()
        api.stop()


@contextmanager
def _pinned(core: int | None) -> Generator[None]:
    """Sets the affinity of this thread, which a child process inherits."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
