"""Serves a built site the way Vercel serves a static export, as an ASGI application."""

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stack.local.vercel.routing import Rules, read_rules

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RULES = ".vercel.json"
"""The site's `vercel.json`, beside its files; names that start with a dot are not served."""

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
_TYPES = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_ANY_TYPE = "application/octet-stream"
_FOREVER = "public, max-age=31536000, immutable"
_FRESH = "public, max-age=0, must-revalidate"
_LOOPBACK = {"127.0.0.1", "[::1]"}


@dataclass(frozen=True)
class _File:
    body: bytes
    kind: str
    etag: str
    cache: str

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": self.kind, "cache-control": self.cache, "etag": self.etag}


@dataclass(frozen=True)
class _Site:
    files: dict[str, _File]
    rules: Rules


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""


class SiteServer:
    """Answers from memory, so that a request only ever meets the files of one deployment, and no path leads out of them."""

    def __init__(self) -> None:
        self._site: _Site | None = None

    def deploy(self, directory: Path | None) -> None:
        """Serves the site in `directory` from the next request on; None takes the current one away."""
        self._site = _load(directory) if directory else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        answer = _answer(self._site, scope, headers)
        body = b"" if scope["method"] == "HEAD" else answer.body
        if answer.status != 304:
            answer.headers["content-length"] = str(len(answer.body))
        raw = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


def _load(directory: Path) -> _Site:
    files: dict[str, _File] = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and not name.startswith("."):
            body = path.read_bytes()
            cache = _FOREVER if name.startswith("_next/static/") else _FRESH
            kind = _TYPES.get(path.suffix.lower(), _ANY_TYPE)
            files[f"/{name}"] = _File(
                body, kind, f'"{hashlib.sha256(body).hexdigest()[:32]}"', cache
            )
    return _Site(files, read_rules(directory / RULES))


def _answer(site: _Site | None, scope: Scope, headers: dict[bytes, str]) -> _Answer:
    path: str = scope["path"]
    query = "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
    host, _, port = headers.get(b"host", "").rpartition(":")
    if (
        host in _LOOPBACK
    ):  # CORS compares origins as text: the page must run at the one that the API knows
        return _redirect(307, f"http://localhost:{port}{quote(path)}{query}")
    if site is None:
        return _missing("The deployment could not be found.", "DEPLOYMENT_NOT_FOUND")
    answer = _answer_from(site, scope["method"], path, query, headers.get(b"if-none-match", ""))
    return _Answer(
        answer.status,
        {"x-content-type-options": "nosniff", **answer.headers, **site.rules.headers_for(path)},
        answer.body,
    )


def _answer_from(site: _Site, method: str, path: str, query: str, known: str) -> _Answer:
    redirect = site.rules.redirect(path)
    if redirect is not None:
        return _redirect(redirect[0], redirect[1])
    if method not in ("GET", "HEAD"):
        return _Answer(
            405, {"content-type": _TYPES[".txt"], "allow": "GET, HEAD"}, b"Method not allowed\n"
        )
    if site.rules.clean_urls and path.endswith(".html") and path in site.files:
        clean = path.removesuffix(".html").removesuffix("index")
        return _redirect(308, quote(clean) + query)
    if path.endswith("/") and _find(site, path.rstrip("/")) and path != "/":
        return _redirect(308, quote(path.rstrip("/")) + query)
    file = _find(site, path)
    if file is None or file is site.files.get("/404.html"):
        return _not_found(site)
    if _matches(known, file.etag):
        return _Answer(304, {"cache-control": file.cache, "etag": file.etag})
    return _Answer(200, file.headers, file.body)


def _find(site: _Site, path: str) -> _File | None:
    names = ("/index.html",) if path == "/" else (path, f"{path}.html", f"{path}/index.html")
    return next((site.files[name] for name in names if name in site.files), None)


def _not_found(site: _Site) -> _Answer:
    page = site.files.get("/404.html")
    if page is None:
        return _missing("The page could not be found.", "NOT_FOUND")
    return _Answer(404, {"content-type": page.kind, "cache-control": _FRESH}, page.body)


def _missing(sentence: str, code: str) -> _Answer:
    headers = {
        "content-type": _TYPES[".txt"],
        "cache-control": _FRESH,
        "x-vercel-error": code,
        "x-content-type-options": "nosniff",
    }
    return _Answer(404, headers, f"{sentence}\n\n{code}\n".encode())


def _redirect(status: int, target: str) -> _Answer:
    return _Answer(
        status,
        {"location": target, "content-type": _TYPES[".txt"], "cache-control": _FRESH},
        b"Redirecting\n",
    )


def _matches(header: str, etag: str) -> bool:
    return any(value.strip().removeprefix("W/") in ("*", etag) for value in header.split(","))
