"""Tests how a built site is served."""

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
    "docs/.DS_Store": "of a file manager",
    "docs/index.html~": "of an editor",
}


class Response:
    def __init__(self, status: int, headers: dict[str, str], body: str) -> None:
        self.status, self.headers, self.body = status, headers, body


def request(
    site: SiteServer,
    path: str,
    *,
    method: str = "GET",
    query: str = "",
    host: str = "localhost:3000",
    **headers: str,
) -> Response:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body of a request must not be read")

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
    return Response(sent[0]["status"], dict(fields), sent[1]["body"].decode())


def write_site(directory: Path, pages: dict[str, str], rules: object = None) -> Path:
    for name, text in pages.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    if rules is not None:
        (directory / ".vercel.json").write_text(json.dumps(rules), encoding="utf-8")
    return directory


def site_server(directory: Path, rules: object = None, pages: dict[str, str] = PAGES) -> SiteServer:
    site = SiteServer()
    site.deploy(write_site(directory, pages, rules))
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
    response = request(site_server(tmp_path), path)
    assert (response.status, response.body, response.headers["content-type"]) == (200, body, kind)
    assert response.headers["x-content-type-options"] == "nosniff"


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
        "/docs/.DS_Store",
        "/docs/index.html~",
    ],
)
def test_a_missing_page_gets_the_sites_404_page(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    response = request(site_server(tmp_path / "site", rules={}), path)
    assert (response.status, response.body) == (404, "nothing here")


def test_a_site_without_a_404_page_responds_in_plain_text(tmp_path: Path) -> None:
    response = request(site_server(tmp_path, pages={"index.html": "home"}), "/nothing")
    assert (response.status, response.headers["x-vercel-error"]) == (404, "NOT_FOUND")


def test_without_a_deployment_every_path_is_404_with_the_reason() -> None:
    response = request(SiteServer(), "/")
    assert (response.status, response.headers["x-vercel-error"]) == (404, "DEPLOYMENT_NOT_FOUND")
    assert "The deployment could not be found." in response.body


def test_a_new_deployment_is_served_at_once_and_can_be_removed(tmp_path: Path) -> None:
    site = site_server(tmp_path / "one")
    site.deploy(write_site(tmp_path / "two", {"index.html": "second", "more.html": "more"}))
    assert [request(site, path).status for path in ("/", "/more", "/about")] == [200, 200, 404]
    assert request(site, "/").body == "second"
    site.deploy(None)
    assert request(site, "/").status == 404


def test_a_deployment_is_served_after_its_directory_was_deleted(tmp_path: Path) -> None:
    site = site_server(tmp_path)
    for file in sorted(tmp_path.rglob("*.html")):
        file.unlink()
    assert request(site, "/about").body == "about"


def test_hashed_files_are_cached_for_a_year_and_others_are_revalidated(tmp_path: Path) -> None:
    site = site_server(tmp_path)
    assert (
        request(site, "/_next/static/chunks/app.js").headers["cache-control"]
        == "public, max-age=31536000, immutable"
    )
    for path in ("/", "/index.txt", "/nothing"):
        assert request(site, path).headers["cache-control"] == "public, max-age=0, must-revalidate"


def test_if_none_match_gets_304_until_the_page_changes(tmp_path: Path) -> None:
    site = site_server(tmp_path / "one")
    tag = request(site, "/").headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = request(site, "/", if_none_match=known)
        assert (response.status, response.body, response.headers["etag"]) == (304, "", tag)
        assert "content-length" not in response.headers
    site.deploy(write_site(tmp_path / "two", {"index.html": "second"}))
    assert request(site, "/", if_none_match=tag).status == 200


def test_head_gets_the_headers_of_get_without_the_body(tmp_path: Path) -> None:
    site = site_server(tmp_path)
    head, page = request(site, "/about", method="HEAD"), request(site, "/about")
    assert head.headers == page.headers == {**page.headers, "content-length": "5"}
    assert (head.status, head.body, page.body) == (200, "", "about")


def test_other_methods_get_405(tmp_path: Path) -> None:
    response = request(site_server(tmp_path), "/", method="POST")
    assert (response.status, response.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "[::1]:3000"])
def test_a_loopback_address_is_redirected_to_localhost(tmp_path: Path, host: str) -> None:
    response = request(site_server(tmp_path), "/a b", query="q=1", host=host)
    assert (response.status, response.headers["location"]) == (
        307,
        "http://localhost:3000/a%20b?q=1",
    )


def test_a_trailing_slash_is_removed_by_a_redirect_if_the_page_exists(tmp_path: Path) -> None:
    site = site_server(tmp_path)
    assert (
        request(site, "/about/", query="q=1").status,
        request(site, "/about/", query="q=1").headers["location"],
    ) == (308, "/about?q=1")
    assert request(site, "//evil.example/").status == 404


def test_headers_of_vercel_json_are_added_to_every_matching_response(tmp_path: Path) -> None:
    rules = {
        "headers": [
            {"source": "/(.*)", "headers": [{"key": "X-Frame-Options", "value": "DENY"}]},
            {"source": "/docs/:path*", "headers": [{"key": "Cache-Control", "value": "no-store"}]},
        ]
    }
    site = site_server(tmp_path, rules)
    for path in ("/", "/nothing", "/about/"):
        assert request(site, path).headers["x-frame-options"] == "DENY"
    assert [request(site, path).headers["cache-control"] for path in ("/docs", "/docs/a/b")] == [
        "no-store",
        "no-store",
    ]
    assert request(site, "/docsets").headers["cache-control"] != "no-store"


def test_redirects_of_vercel_json_come_before_files(tmp_path: Path) -> None:
    rules = {
        "redirects": [
            {"source": "/about", "destination": "/docs", "permanent": False},
            {"source": "/old/:name", "destination": "/new/:name"},
            {"source": "/blog/(.*)", "destination": "https://blog.example/$1", "statusCode": 301},
            {"source": "/all/:path*", "destination": "/every/:path*"},
        ]
    }
    site = site_server(tmp_path, rules)
    responses = {
        path: request(site, path)
        for path in ("/about", "/old/x", "/blog/a/b", "/all/a/b", "/old/a\r\nset-cookie: b")
    }
    assert [(response.status, response.headers["location"]) for response in responses.values()] == [
        (307, "/docs"),
        (308, "/new/x"),
        (301, "https://blog.example/a/b"),
        (308, "/every/a/b"),
        (308, "/new/a%0D%0Aset-cookie%3A%20b"),
    ]
    assert request(site, "/old/x/y").status == 404


def test_clean_urls_redirect_html_files_to_their_name(tmp_path: Path) -> None:
    site = site_server(tmp_path, {"cleanUrls": True})
    assert [request(site, path).headers["location"] for path in ("/about.html", "/index.html")] == [
        "/about",
        "/",
    ]
    assert request(site, "/about").status == 200
    assert request(site, "/nothing.html").status == 404


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"rewrites": [], "crons": []}, "crons, rewrites"),
        ({"framework": "vite"}, "framework is 'vite'"),
        ({"headers": [{"source": "/", "has": [], "headers": []}]}, "headers: has"),
        (
            {"redirects": [{"source": "/:id(\\d+)", "destination": "/"}]},
            "the source '/:id(\\\\d+)' is not supported",
        ),
        ({"redirects": [{"destination": "/"}]}, "a rule is incomplete"),
        ([], "of the wrong form"),
    ],
)
def test_an_unsupported_setting_of_vercel_json_is_refused_by_name(
    tmp_path: Path, rules: object, named: str
) -> None:
    (tmp_path / "vercel.json").write_text(json.dumps(rules), encoding="utf-8")
    with pytest.raises(UserError) as refused:
        read_rules(tmp_path / "vercel.json")
    assert named in str(refused.value)
    assert "vercel.json" in str(refused.value)


def test_an_invalid_vercel_json_is_refused_and_a_missing_one_has_no_rules(tmp_path: Path) -> None:
    (tmp_path / "vercel.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is no JSON"):
        read_rules(tmp_path / "vercel.json")
    assert read_rules(tmp_path / "missing.json").headers == ()
