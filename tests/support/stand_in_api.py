"""A stand-in for the service's API on a loopback port, with CORS for one origin.

It returns the responses that a test sets.
"""

import contextlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit

METRICS = "/portfolio/metrics"
ACCOUNTS = "/accounts"
SAMPLES = "/ingest/generate-mock"


@dataclass
class Response:
    """A response. It is sent after `gate`; with `drop` the connection is closed instead."""

    body: object
    status: int = 200
    gate: threading.Event | None = None
    drop: bool = False
    kind: str = "application/json"


@dataclass
class StandInApi:
    """`responses` by path; `requests` are the received ones, as `METHOD path?query`."""

    responses: dict[str, Response] = field(default_factory=dict[str, Response])
    requests: list[str] = field(default_factory=list[str])
    origin: str = ""
    port: int = 0

    def posts(self) -> list[str]:
        return [line for line in self.requests if line.startswith("POST")]

    def fill(self) -> None:
        accounts = [account(number) for number in range(1, 11)]
        self.responses = {
            METRICS: Response(metrics()),
            ACCOUNTS: Response(page(accounts, total=120)),
        }

    def empty(self) -> None:
        no_accounts = metrics(
            total_accounts=0,
            total_arr=0,
            at_risk_arr=0,
            red_arr=0,
            amber_arr=0,
            renewals_next_60d=0,
        )
        buckets = dict.fromkeys(("Green", "Amber", "Red", "Unscored"), 0)
        no_accounts |= {
            "arr_by_bucket": buckets,
            "accounts_by_risk": buckets,
            "avg_health_score": None,
            "median_health_score": None,
        }
        self.responses = {METRICS: Response(no_accounts), ACCOUNTS: Response(page([], total=0))}


def metrics(**changes: Any) -> dict[str, Any]:
    return {
        "total_accounts": 120,
        "total_arr": 18_452_300.0,
        "arr_by_bucket": {
            "Green": 11_200_000.0,
            "Amber": 5_120_300.0,
            "Red": 1_980_000.0,
            "Unscored": 152_000.0,
        },
        "arr_by_segment": {
            "SMB": 1_000_000.0,
            "Mid-Market": 7_452_300.0,
            "Enterprise": 10_000_000.0,
        },
        "accounts_by_risk": {"Green": 66, "Amber": 35, "Red": 16, "Unscored": 3},
        "risk_breakdown": {"Green": 55.0, "Amber": 29.2, "Red": 13.3, "Unscored": 2.5},
        "avg_health_score": 71.4,
        "median_health_score": 76.05,
        "renewals_next_60d": 14,
        "at_risk_arr": 7_100_300.0,
        "red_arr": 1_980_000.0,
        "amber_arr": 5_120_300.0,
        "as_of": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **changes,
    }


def account(number: int, **changes: Any) -> dict[str, Any]:
    """Return one of a variety of accounts.

    All buckets, unknown owner, score and renewal, a past renewal, and a name without a space.
    """
    names = {
        2: "Mackenzie, O'Brien & Sons Consolidated International Holdings",
        3: "Donaudampfschifffahrtsgesellschaft" * 2,
    }
    score, bucket = [(82.4, "Green"), (61.0, "Amber"), (38.7, "Red"), (None, None)][number % 4]
    return {
        "id": number,
        "name": names.get(number, f"Northwind {number}"),
        "segment": ["SMB", "Mid-Market", "Enterprise"][number % 3],
        "arr": 1_250_000.0 - number * 98_765,
        "cs_owner": None if number == 4 else f"Dana Whitfield {number}",
        "renewal_date": None
        if number == 5
        else (date.today() + timedelta(days=number * 23 - 40)).isoformat(),
        "health_score": score,
        "health_bucket": bucket,
        **changes,
    }


def page(accounts: list[dict[str, Any]], *, total: int) -> dict[str, Any]:
    return {"total": total, "page": 1, "page_size": 10, "accounts": accounts}


def problem(detail: str, *, status: int = 503, request_id: str = "req-4711") -> Response:
    body = {
        "type": "about:blank",
        "title": "Unavailable",
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return Response(body, status=status, kind="application/problem+json")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: StandInApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_OPTIONS(self) -> None:
        self.send_response(200)
        self._finish(b"")

    def _respond(self) -> None:
        api = cast(_Server, self.server).api
        api.requests.append(f"{self.command} {self.path}")
        response = api.responses.get(urlsplit(self.path).path) or problem(
            "There is nothing at this path.", status=404
        )
        if response.gate is not None:
            response.gate.wait(30)
        if response.drop:
            self.close_connection = True
            return
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        body = response.body if isinstance(response.body, str) else json.dumps(response.body)
        self._finish(body.encode())

    def _finish(self, body: bytes) -> None:
        self.send_header("Access-Control-Allow-Origin", cast(_Server, self.server).api.origin)
        self.send_header("Access-Control-Allow-Headers", "Idempotency-Key, X-API-Key")
        self.send_header("Vary", "Origin")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the page closed the connection
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stand_in_api() -> Generator[StandInApi]:
    api = StandInApi()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api = api
    api.port = server.server_port
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
