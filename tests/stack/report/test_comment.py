"""The comment on a pull request: what is posted, where, and what a stranger's artifact cannot do."""

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stack.report import comment
from tests.support.checkout import ROOT

HEAD = "a" * 40
RUN = "/repos/o/r/actions/runs/7/artifacts"


def archive(number: str = "5", text: str = "# Report", **more: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in {"number": number, "report.md": text, **more}.items():
            made.writestr(name, content)
    return data.getvalue()


@dataclass
class GitHub:
    """What it has, and what was written to it."""

    zip: bytes = field(default_factory=archive)
    artifacts: int = 1
    size: int = 100
    pull: dict[str, Any] = field(
        default_factory=lambda: {
            "number": 5,
            "state": "open",
            "head": {"sha": HEAD, "repo": {"full_name": "Fork/r"}},
        }
    )
    comments: list[dict[str, Any]] = field(default_factory=list)
    written: list[tuple[str, str, str]] = field(default_factory=list)
    authorized: dict[str, bool] = field(default_factory=dict)
    address: str = ""

    def answer(self, method: str, path: str, body: Any) -> Any:
        route = path.partition("?")[0]
        if method != "GET":
            self.written.append((method, route, body["body"]))
            return {}
        if route == RUN:
            return {"artifacts": [{"id": 9, "size_in_bytes": self.size}] * self.artifacts}
        if route == "/repos/o/r/pulls/5":
            return self.pull
        if route == "/repos/o/r/issues/5/comments":
            page = int(re.search(r"[?&]page=(\d+)", path)[1])
            return self.comments[(page - 1) * 100 : page * 100]
        return None

    def post(self) -> int:
        environment = {
            "GITHUB_API_URL": self.address,
            "GITHUB_TOKEN": "t",
            "GITHUB_REPOSITORY": "o/r",
            "RUN_ID": "7",
        }
        return comment.main({**environment, "HEAD_SHA": HEAD, "HEAD_REPOSITORY": "fork/r"})


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A stand-in for GitHub's API, on loopback: the real one cannot be written to from a test."""
    hub = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            hub.authorized[self.path.partition("?")[0]] = "Authorization" in self.headers
            if self.path == "/repos/o/r/actions/artifacts/9/zip":
                return self._send(302, b"", {"Location": f"{hub.address}/blob"})
            if self.path == "/blob":
                return self._send(200, hub.zip, {})
            found = hub.answer(self.command, self.path, body)
            return self._send(404 if found is None else 200, json.dumps(found).encode(), {})

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the protocol's names

        def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_first_report_is_a_comment_and_later_ones_take_its_place(github: GitHub) -> None:
    assert github.post() == 0
    ((method, route, body),) = github.written
    assert (method, route) == ("POST", "/repos/o/r/issues/5/comments")
    assert body.startswith(comment.MARKER)
    assert body.endswith("# Report")
    assert "author's word" in body
    github.comments = [
        *({"id": at, "body": "hello", "user": {"login": "somebody"}} for at in range(150)),
        {"id": 200, "body": f"{comment.MARKER} spoofed", "user": {"login": "somebody"}},
        {"id": 201, "body": "of another workflow", "user": {"login": comment.BOT}},
        {"id": 202, "body": body, "user": {"login": comment.BOT}},
    ]
    assert github.post() == 0
    assert github.written[-1][:2] == ("PATCH", "/repos/o/r/issues/comments/202")


def test_the_token_stays_with_github(github: GitHub) -> None:
    github.post()
    assert github.authorized["/repos/o/r/actions/artifacts/9/zip"]
    assert not github.authorized["/blob"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"artifacts": 0}, "0 artifacts"),
        ({"artifacts": 2}, "2 artifacts"),
        ({"size": 10**7}, "10000000 bytes"),
        ({"zip": b"no zip"}, "no zip"),
        ({"zip": archive(number="")}, "the number in the artifact is none"),
        ({"zip": archive(number="5; rm")}, "the number in the artifact is none"),
        ({"zip": archive(number="-5")}, "the number in the artifact is none"),
        ({"zip": archive(number="5/../6")}, "the number in the artifact is none"),
        ({"zip": archive(number="1" * 50)}, "more than 10 bytes"),
        ({"zip": archive(text="x" * 60_001)}, "more than 60000 bytes"),
        ({"zip": archive(**{"../evil": "x"})}, "other files"),
        (
            {
                "pull": {
                    "number": 5,
                    "state": "closed",
                    "head": {"sha": HEAD, "repo": {"full_name": "fork/r"}},
                }
            },
            "is closed",
        ),
        (
            {
                "pull": {
                    "number": 5,
                    "state": "open",
                    "head": {"sha": "b" * 40, "repo": {"full_name": "fork/r"}},
                }
            },
            "not the commit",
        ),
        (
            {
                "pull": {
                    "number": 5,
                    "state": "open",
                    "head": {"sha": HEAD, "repo": {"full_name": "other/r"}},
                }
            },
            "not the commit",
        ),
        (
            {"pull": {"number": 5, "state": "open", "head": {"sha": HEAD, "repo": None}}},
            "not the commit",
        ),
    ],
)
def test_an_artifact_that_is_not_what_the_report_makes_is_posted_nowhere(
    github: GitHub, changed: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in changed.items():
        setattr(github, name, value)
    assert github.post() == 1
    assert github.written == []
    assert said in capsys.readouterr().err


def test_an_answer_of_github_that_is_an_error_is_told_by_its_status(
    github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.zip = archive(number="6")
    assert github.post() == 1
    assert capsys.readouterr().err == f"GitHub answers 404 for {github.address}/repos/o/r/pulls/6\n"


@pytest.mark.parametrize(
    "active",
    [
        "@everyone", "<img src=x>", "![x](https://e.example/x.png)", "[click](https://e.example)", "[click][1]\n\n[1]: //e.example",
        "https://e.example", "HTTP://e.example", "www.e.example", "fixes #12", "o/r#12", "GH-12", "&#64;everyone", "\\@everyone",
        "&lt;img>",
        "<!-- hidden -->", "a@b.example",
    ],
)  # fmt: skip
def test_text_of_the_artifact_mentions_links_and_shows_nothing_of_elsewhere(active: str) -> None:
    tamed = comment.neutralize_markdown(active)
    assert tamed.replace(comment.JOINER, "").replace("\u2039", "<") == active, (
        "it still reads the same"
    )
    assert tamed != active
    assert not re.search(r"@\w|<|\]\(|\]:|\]\[|://|www\.|#\d|GH-\d|&[#\w]", tamed, re.IGNORECASE)


def test_the_form_of_the_report_stays() -> None:
    text = "# Head\n\n| a | b |\n| --- | ---: |\n| `x` | **1** |\n\n```diff\n+ a\n```\n"
    assert comment.neutralize_markdown(text) == text


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = (ROOT / "stack/report/comment.py").read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE))
    assert imported <= {
        "io",
        "json",
        "os",
        "re",
        "sys",
        "urllib",
        "zipfile",
        "collections",
        "typing",
    }
