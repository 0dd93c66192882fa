"""Serves a built site as Vercel serves a static export: an ASGI application."""

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.editor_files import is_editor_file
from stack.local.vercel.routing import Rules, read_rules

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RULES = ".vercel.json"
"""The site's `vercel.json` in the directory of a build. Names with a leading dot are not served."""

_SUFFIXES = {
    "text/html; charset=utf-8": ".html",
    "text/css; charset=utf-8": ".css",
    "text/plain; charset=utf-8": ".txt",
    "application/javascript; charset=utf-8": ".js .mjs",
    "application/json; charset=utf-8": ".json .map",
    "application/manifest+json": ".webmanifest",
    "application/pdf": ".pdf",
    "application/wasm": ".wasm",
    "application/xml": ".xml",
    "font/ttf": ".ttf",
    "font/woff": ".woff",
    "font/woff2": ".woff2",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/jpeg": ".jpg .jpeg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/vnd.microsoft.icon": ".ico",
    "image/webp": ".webp",
    "video/mp4": ".mp4",
}
_CONTENT_TYPES = {
    suffix: content_type
    for content_type, suffixes in _SUFFIXES.items()
    for suffix in suffixes.split()
}
_DEFAULT_CONTENT_TYPE = "application/octet-stream"
_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "public, max-age=0, must-revalidate"
_LOOPBACK = {"127.0.0.1", "[::1]"}


@dataclass(frozen=True)
class _File:
    body: bytes
    content_type: str
    etag: str
    cache_control: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-type": self.content_type,
            "cache-control": self.cache_control,
            "etag": self.etag,
        }


@dataclass(frozen=True)
class _Site:
    """A deployment: its files by URL path, and its rules."""

    files: dict[str, _File]
    rules: Rules


@dataclass(frozen=True)
class _Response:
    status: int
    headers: dict[str, str]
    body: bytes = b""


class SiteServer:
    """Serves one site from memory.

    A request therefore only gets files of one deployment, and no path leads out of its directory.
    """

    def __init__(self) -> None:
        self._site: _Site | None = None

    def deploy(self, directory: Path | None) -> None:
        """Serve the site in `directory` from the next request on; None removes the current one."""
        self._site = _load(directory) if directory else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        response = _respond(self._site, scope, headers)
        body = b"" if scope["method"] == "HEAD" else response.body
        if response.status != 304:
            response.headers["content-length"] = str(len(response.body))
        raw = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.items()
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


def _load(directory: Path) -> _Site:
    files: dict[str, _File] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        # `next build` copies what editors leave in `public/`; it is not deployed (site_files.py).
        if path.is_file() and not name.startswith(".") and not is_editor_file(path.name):
            body = path.read_bytes()
            # Next.js puts a hash of the content into these names.
            cache_control = _IMMUTABLE if name.startswith("_next/static/") else _REVALIDATE
            content_type = _CONTENT_TYPES.get(path.suffix.lower(), _DEFAULT_CONTENT_TYPE)
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            files[f"/{name}"] = _File(body, content_type, etag, cache_control)
    return _Site(files, read_rules(directory / RULES))


def _respond(site: _Site | None, scope: Scope, headers: dict[bytes, str]) -> _Response:
    path: str = scope["path"]
    query = "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
    host, _, port = headers.get(b"host", "").rpartition(":")
    # The API permits one origin (CORS), with the name `localhost`. Browsers compare origins as
    # text, so a page at 127.0.0.1 could not call it.
    if host in _LOOPBACK:
        return _redirect(307, f"http://localhost:{port}{quote(path)}{query}")
    if site is None:
        return _vercel_error("The deployment could not be found.", "DEPLOYMENT_NOT_FOUND")
    if_none_match = headers.get(b"if-none-match", "")
    response = _respond_from(site, scope["method"], path, query, if_none_match)
    added = site.rules.headers_for(path)
    return _Response(
        response.status,
        {"x-content-type-options": "nosniff", **response.headers, **added},
        response.body,
    )


def _respond_from(site: _Site, method: str, path: str, query: str, if_none_match: str) -> _Response:
    redirect = site.rules.redirect(path)
    if redirect is not None:
        return _redirect(redirect[0], redirect[1])
    if method not in ("GET", "HEAD"):
        return _Response(
            405,
            {"content-type": _CONTENT_TYPES[".txt"], "allow": "GET, HEAD"},
            b"Method not allowed\n",
        )
    if site.rules.clean_urls and path.endswith(".html") and path in site.files:
        clean = path.removesuffix(".html").removesuffix("index")
        return _redirect(308, quote(clean) + query)
    # Only where a file is found: `//host/` must not become a redirect to another host.
    if path.endswith("/") and _find(site, path.rstrip("/")) and path != "/":
        return _redirect(308, quote(path.rstrip("/")) + query)
    file = _find(site, path)
    if file is None or file is site.files.get("/404.html"):
        return _not_found(site)
    if _matches(if_none_match, file.etag):
        return _Response(304, {"cache-control": file.cache_control, "etag": file.etag})
    return _Response(200, file.headers, file.body)


def _find(site: _Site, path: str) -> _File | None:
    names = ("/index.html",) if path == "/" else (path, f"{path}.html", f"{path}/index.html")
    return next((site.files[name] for name in names if name in site.files), None)


def _not_found(site: _Site) -> _Response:
    page = site.files.get("/404.html")
    if page is None:
        return _vercel_error("The page could not be found.", "NOT_FOUND")
    return _Response(
        404, {"content-type": page.content_type, "cache-control": _REVALIDATE}, page.body
    )


def _vercel_error(sentence: str, code: str) -> _Response:
    """Return Vercel's own 404 response, with its error code."""
    headers = {
        "content-type": _CONTENT_TYPES[".txt"],
        "cache-control": _REVALIDATE,
        "x-vercel-error": code,
        "x-content-type-options": "nosniff",
    }
    return _Response(404, headers, f"{sentence}\n\n{code}\n".encode())


def _redirect(status: int, location: str) -> _Response:
    return _Response(
        status,
        {
            "location": location,
            "content-type": _CONTENT_TYPES[".txt"],
            "cache-control": _REVALIDATE,
        },
        b"Redirecting\n",
    )


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as RFC 9110 requires for If-None-Match (section 13.1.2)."""
    return any(
        value.strip().removeprefix("W/") in ("*", etag) for value in if_none_match.split(",")
    )
