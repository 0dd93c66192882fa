"""The comment on a pull request: what is posted, where, and what an artifact cannot do."""

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
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {"number": number, "report.md": text, **more}.items():
            file.writestr(name, content)
    return data.getvalue()


@dataclass
class GitHub:
    """The data of a fake GitHub, and what was written to it."""

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

    def response_body(self, method: str, path: str, body: Any) -> Any:
        route = path.partition("?")[0]
        if method != "GET":
            self.written.append((method, route, body["body"]))
            return {}
        if route == RUN:
            return {"artifacts": [{"id": 9, "size_in_bytes": self.size}] * self.artifacts}
        if route == "/repos/o/r/pulls/5":
            return self.pull
        if route == "/repos/o/r/issues/5/comments":
            page = int(path.partition("&page=")[2])
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
    """A fake of GitHub's API on loopback: a test cannot write to the real one."""
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
            found = hub.response_body(self.command, self.path, body)
            return self._send(404 if found is None else 200, json.dumps(found).encode(), {})

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the protocol's names

        def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_first_report_is_posted_and_later_ones_replace_it(github: GitHub) -> None:
    assert github.post() == 0
    ((method, route, body),) = github.written
    assert (method, route) == ("POST", "/repos/o/r/issues/5/comments")
    assert body.startswith(comment.MARKER)
    assert body.endswith("# Report")
    assert "its author controls it" in body
    github.comments = [
        *({"id": at, "body": "hello", "user": {"login": "another-user"}} for at in range(150)),
        {"id": 200, "body": f"{comment.MARKER} spoofed", "user": {"login": "another-user"}},
        {"id": 201, "body": "of another workflow", "user": {"login": comment.BOT}},
        {"id": 202, "body": body, "user": {"login": comment.BOT}},
    ]
    assert github.post() == 0
    assert github.written[-1][:2] == ("PATCH", "/repos/o/r/issues/comments/202")


def test_the_token_is_sent_to_github_only(github: GitHub) -> None:
    github.post()
    assert github.authorized["/repos/o/r/actions/artifacts/9/zip"]
    assert not github.authorized["/blob"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"artifacts": 0}, "0 artifacts"),
        ({"artifacts": 2}, "2 artifacts"),
        ({"size": 10**7}, "10000000 bytes"),
        ({"zip": b"no zip"}, "no readable zip"),
        ({"zip": archive(number="")}, "the artifact's number is not a number"),
        ({"zip": archive(number="5; rm")}, "the artifact's number is not a number"),
        ({"zip": archive(number="-5")}, "the artifact's number is not a number"),
        ({"zip": archive(number="5/../6")}, "the artifact's number is not a number"),
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
def test_an_artifact_that_the_report_did_not_write_is_not_posted(
    github: GitHub, changed: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in changed.items():
        setattr(github, name, value)
    assert github.post() == 1
    assert github.written == []
    assert reason in capsys.readouterr().err


def test_an_error_of_github_is_reported_with_its_status(
    github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.zip = archive(number="6")
    assert github.post() == 1
    assert (
        capsys.readouterr().err == f"GitHub returned 404 for {github.address}/repos/o/r/pulls/6\n"
    )


@pytest.mark.parametrize(
    "active",
    [
        "@everyone",
        "<img src=x>",
        "![x](https://e.example/x.png)",
        "[click](https://e.example)",
        "[click][1]\n\n[1]: //e.example",
        "https://e.example",
        "HTTP://e.example",
        "www.e.example",
        "fixes #12",
        "o/r#12",
        "GH-12",
        "&#64;everyone",
        "\\@everyone",
        "&lt;img>",
        "<!-- hidden -->",
        "a@b.example",
    ],
)
def test_text_of_the_artifact_has_no_active_mentions_links_or_images(active: str) -> None:
    neutralized = comment.neutralize_markdown(active)
    assert neutralized.replace(comment.JOINER, "").replace("\u2039", "<") == active, (
        "it still looks the same"
    )
    assert neutralized != active
    assert not re.search(
        r"@\w|<|\]\(|\]:|\]\[|://|www\.|#\d|GH-\d|&[#\w]", neutralized, re.IGNORECASE
    )


def test_headings_tables_and_code_blocks_are_unchanged() -> None:
    text = "# Head\n\n| a | b |\n| --- | ---: |\n| `x` | **1** |\n\n```diff\n+ a\n```\n"
    assert comment.neutralize_markdown(text) == text


def test_the_module_imports_the_standard_library_only() -> None:
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
