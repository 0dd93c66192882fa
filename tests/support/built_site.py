"""The dashboard, built once for all tests and stored between runs, and a server for it."""

import asyncio
import functools
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack.local.system.http_server import HttpServer
from stack.local.vercel.builder import SiteBuilder
from tests.support.processes import guarded
from tests.support.project_files import ROOT

FRONTEND = ROOT / "frontend"
HOME = ROOT / ".local" / "tests" / "site"
API_HOST = "api.example.test"
"""Fixed, so that the stored build is found; tests map it to the API's port in the browser."""
VARIABLES = {"NEXT_PUBLIC_API_URL": f"http://{API_HOST}"}


@functools.cache
def built_site() -> Path:
    """Return the directory of the built dashboard."""
    with tempfile.TemporaryDirectory(prefix="run-") as run, guarded(Path(run)) as guard:
        return SiteBuilder(HOME, guard).build(FRONTEND, VARIABLES)


@contextmanager
def serve(app: Any) -> Generator[str]:
    """Serve an ASGI application from a thread; yield its URL on localhost."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = HttpServer(app, 0)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield f"http://localhost:{server.port}"
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
