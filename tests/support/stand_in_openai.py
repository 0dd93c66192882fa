"""A stand-in for OpenAI's chat completions on a loopback port.

It returns the response that a test sets, and records the requests.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

ACCOUNT: dict[str, Any] = {
    "summary": "{account_name} stands at {health_score}.",
    "health_analysis": "What is known is {known_share}.",
    "risk_factors": ["It has {arr} at stake."],
    "recommended_actions": [
        {
            "title": "Call the sponsor",
            "description": "Within two weeks.",
            "priority": "High",
            "estimated_impact": "Keeps {arr}.",
            "playbook_id": 7,
        }
    ],
}
"""A valid response of a model."""

PORTFOLIO: dict[str, Any] = {
    "summary": "There are {total_accounts} accounts with {total_arr}.",
    "key_findings": ["{at_risk_arr} is at risk."],
    "top_risks": ["{account_a} has {account_a_arr} at stake."],
    "opportunities": [],
}


def completion(
    content: str | None, *, refusal: str | None = None, finish_reason: str = "stop"
) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def says(content: dict[str, Any]) -> dict[str, Any]:
    return completion(json.dumps(content))


@dataclass
class StandInOpenAI:
    """The stand-in's behavior and records.

    body: sent with `status`, a dict as JSON, a text unchanged.
    drip: send one blank after another without end. silent: send nothing.
    on_request: called for each request, before the response.
    """

    body: object = field(default_factory=lambda: says(ACCOUNT))
    status: int = 200
    kind: str = "application/json"
    drip: bool = False
    silent: bool = False
    on_request: Callable[[], None] = lambda: None
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str | None] = field(default_factory=list[str | None])
    closed: threading.Event = field(default_factory=threading.Event)
    disconnected: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def prompts(self) -> list[str]:
        """Return the messages of each request as one text."""
        return [
            "\n".join(message["content"] for message in request["messages"])
            for request in self.requests
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: StandInOpenAI


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        api = cast(_Server, self.server).api
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api.requests.append(request if self.path == "/v1/chat/completions" else {"path": self.path})
        api.keys.append(self.headers["Authorization"])
        api.on_request()
        if api.silent:
            api.closed.wait(60)
            return
        body = api.body.encode() if isinstance(api.body, str) else json.dumps(api.body).encode()
        self.send_response(api.status)
        self.send_header("Content-Type", api.kind)
        self.send_header("Content-Length", str(10_000 if api.drip else len(body)))
        self.end_headers()
        if api.drip:
            self._drip(api)
            return
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def _drip(self, api: StandInOpenAI) -> None:
        try:
            while not api.closed.wait(0.02):
                self.wfile.write(b" ")
        except ConnectionError:
            api.disconnected.set()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def stand_in_openai() -> Generator[StandInOpenAI]:
    api = StandInOpenAI()
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
        api.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()
