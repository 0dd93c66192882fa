"""How a built site is served."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from stack.local.vercel.routing import read_rules
from stack.local.vercel.server import SiteServer

PAGES = {
    "index.html": "home",
    "about.html": "about",
    "docs/index.html": "docs",
    "404.html": "nothing here",
    "_next/static/chunks/app.js": "app()",
    "icon.svg": "<svg/>",
    "index.txt": "payload",
    "data.unknown": "?",
}


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: str) -> None:
        self.status, self.headers, self.body = status, headers, body


def ask(
    site: SiteServer,
    path: str,
    *,
    method: str = "GET",
    query: str = "",
    host: str = "localhost:3000",
    **headers: str,
) -> Reply:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body of a request is of no interest")

    raw = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in {"host": host, **headers}.items()
    ]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": raw,
    }
    asyncio.run(site(scope, receive, send))
    fields = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    assert len(dict(fields)) == len(fields)
    return Reply(sent[0]["status"], dict(fields), sent[1]["body"].decode())


def make(directory: Path, pages: dict[str, str], rules: object = None) -> Path:
    for name, text in pages.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    if rules is not None:
        (directory / ".vercel.json").write_text(json.dumps(rules), encoding="utf-8")
    return directory


def serving(directory: Path, rules: object = None, pages: dict[str, str] = PAGES) -> SiteServer:
    site = SiteServer()
    site.deploy(make(directory, pages, rules))
    return site


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/", "home", "text/html; charset=utf-8"),
        ("/about", "about", "text/html; charset=utf-8"),
        ("/about.html", "about", "text/html; charset=utf-8"),
        ("/docs", "docs", "text/html; charset=utf-8"),
        ("/_next/static/chunks/app.js", "app()", "application/javascript; charset=utf-8"),
        ("/icon.svg", "<svg/>", "image/svg+xml"),
        ("/index.txt", "payload", "text/plain; charset=utf-8"),
        ("/data.unknown", "?", "application/octet-stream"),
    ],
)
def test_a_page_is_found_by_its_name_with_or_without_html(
    tmp_path: Path, path: str, body: str, kind: str
) -> None:
    reply = ask(serving(tmp_path), path)
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, body, kind)
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/404",
        "/404.html",
        "/../secret",
        "/..",
        "//index.html",
        "/.vercel.json",
        "/about.html/x",
        "/_next/static",
    ],
)
def test_what_is_not_there_gets_the_sites_own_page_with_404(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    reply = ask(serving(tmp_path / "site", rules={}), path)
    assert (reply.status, reply.body) == (404, "nothing here")


def test_a_site_without_such_a_page_answers_in_plain_text(tmp_path: Path) -> None:
    reply = ask(serving(tmp_path, pages={"index.html": "home"}), "/nothing")
    assert (reply.status, reply.headers["x-vercel-error"]) == (404, "NOT_FOUND")


def test_before_the_first_deployment_every_path_is_404_and_says_why() -> None:
    reply = ask(SiteServer(), "/")
    assert (reply.status, reply.headers["x-vercel-error"]) == (404, "DEPLOYMENT_NOT_FOUND")
    assert "The deployment could not be found." in reply.body


def test_a_new_deployment_takes_over_at_once_and_can_be_taken_away(tmp_path: Path) -> None:
    site = serving(tmp_path / "one")
    site.deploy(make(tmp_path / "two", {"index.html": "second", "more.html": "more"}))
    assert [ask(site, path).status for path in ("/", "/more", "/about")] == [200, 200, 404]
    assert ask(site, "/").body == "second"
    site.deploy(None)
    assert ask(site, "/").status == 404


def test_a_deployment_outlives_its_directory(tmp_path: Path) -> None:
    site = serving(tmp_path)
    for file in sorted(tmp_path.rglob("*.html")):
        file.unlink()
    assert ask(site, "/about").body == "about"


def test_hashed_files_are_kept_for_a_year_and_the_rest_is_checked_each_time(tmp_path: Path) -> None:
    site = serving(tmp_path)
    assert (
        ask(site, "/_next/static/chunks/app.js").headers["cache-control"]
        == "public, max-age=31536000, immutable"
    )
    for path in ("/", "/index.txt", "/nothing"):
        assert ask(site, path).headers["cache-control"] == "public, max-age=0, must-revalidate"


def test_a_browser_that_has_the_page_gets_304_until_it_changes(tmp_path: Path) -> None:
    site = serving(tmp_path / "one")
    tag = ask(site, "/").headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        reply = ask(site, "/", if_none_match=known)
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, "", tag)
        assert "content-length" not in reply.headers
    site.deploy(make(tmp_path / "two", {"index.html": "second"}))
    assert ask(site, "/", if_none_match=tag).status == 200


def test_head_gets_the_headers_of_get_without_the_body(tmp_path: Path) -> None:
    site = serving(tmp_path)
    head, get = ask(site, "/about", method="HEAD"), ask(site, "/about")
    assert head.headers == get.headers == {**get.headers, "content-length": "5"}
    assert (head.status, head.body, get.body) == (200, "", "about")


def test_other_methods_are_refused(tmp_path: Path) -> None:
    reply = ask(serving(tmp_path), "/", method="POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "[::1]:3000"])
def test_an_address_in_place_of_the_name_is_sent_to_the_origin_that_the_api_knows(
    tmp_path: Path, host: str
) -> None:
    reply = ask(serving(tmp_path), "/a b", query="q=1", host=host)
    assert (reply.status, reply.headers["location"]) == (307, "http://localhost:3000/a%20b?q=1")


def test_a_slash_at_the_end_is_taken_away_where_there_is_a_page(tmp_path: Path) -> None:
    site = serving(tmp_path)
    assert (
        ask(site, "/about/", query="q=1").status,
        ask(site, "/about/", query="q=1").headers["location"],
    ) == (308, "/about?q=1")
    assert ask(site, "//evil.example/").status == 404


def test_headers_of_vercel_json_are_added_to_every_answer_they_match(tmp_path: Path) -> None:
    rules = {
        "headers": [
            {"source": "/(.*)", "headers": [{"key": "X-Frame-Options", "value": "DENY"}]},
            {"source": "/docs/:path*", "headers": [{"key": "Cache-Control", "value": "no-store"}]},
        ]
    }
    site = serving(tmp_path, rules)
    for path in ("/", "/nothing", "/about/"):
        assert ask(site, path).headers["x-frame-options"] == "DENY"
    assert [ask(site, path).headers["cache-control"] for path in ("/docs", "/docs/a/b")] == [
        "no-store",
        "no-store",
    ]
    assert ask(site, "/docsets").headers["cache-control"] != "no-store"


def test_redirects_of_vercel_json_come_before_files(tmp_path: Path) -> None:
    rules = {
        "redirects": [
            {"source": "/about", "destination": "/docs", "permanent": False},
            {"source": "/old/:name", "destination": "/new/:name"},
            {"source": "/blog/(.*)", "destination": "https://blog.example/$1", "statusCode": 301},
            {"source": "/all/:path*", "destination": "/every/:path*"},
        ]
    }
    site = serving(tmp_path, rules)
    replies = {
        path: ask(site, path)
        for path in ("/about", "/old/x", "/blog/a/b", "/all/a/b", "/old/a\r\nset-cookie: b")
    }
    assert [(reply.status, reply.headers["location"]) for reply in replies.values()] == [
        (307, "/docs"),
        (308, "/new/x"),
        (301, "https://blog.example/a/b"),
        (308, "/every/a/b"),
        (308, "/new/a%0D%0Aset-cookie%3A%20b"),
    ]
    assert ask(site, "/old/x/y").status == 404


def test_clean_urls_of_vercel_json_move_html_to_its_name(tmp_path: Path) -> None:
    site = serving(tmp_path, {"cleanUrls": True})
    assert [ask(site, path).headers["location"] for path in ("/about.html", "/index.html")] == [
        "/about",
        "/",
    ]
    assert ask(site, "/about").status == 200
    assert ask(site, "/nothing.html").status == 404


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"rewrites": [], "crons": []}, "crons, rewrites"),
        ({"framework": "vite"}, "framework is 'vite'"),
        ({"headers": [{"source": "/", "has": [], "headers": []}]}, "headers: has"),
        (
            {"redirects": [{"source": "/:id(\\d+)", "destination": "/"}]},
            "the source '/:id(\\\\d+)' is not understood",
        ),
        ({"redirects": [{"destination": "/"}]}, "a rule is incomplete"),
        ([], "of the wrong form"),
    ],
)
def test_what_vercel_json_asks_for_beyond_that_is_refused_by_name(
    tmp_path: Path, rules: object, named: str
) -> None:
    (tmp_path / "vercel.json").write_text(json.dumps(rules), encoding="utf-8")
    with pytest.raises(UserError) as refused:
        read_rules(tmp_path / "vercel.json")
    assert named in str(refused.value)
    assert "vercel.json" in str(refused.value)


def test_a_vercel_json_that_is_no_json_is_refused_and_none_is_no_rules(tmp_path: Path) -> None:
    (tmp_path / "vercel.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is no JSON"):
        read_rules(tmp_path / "vercel.json")
    assert read_rules(tmp_path / "missing.json").headers == ()
