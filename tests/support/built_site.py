"""The real dashboard, built once for all tests and kept between runs, and a server for it."""

import asyncio
import functools
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack.local.system.http_server import Server
from stack.local.vercel.builder import SiteBuilder
from tests.support.database_server import guarded

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
HOME = ROOT / ".local" / "tests" / "site"
API_HOST = "api.example.test"
"""Fixed, so that the build is found again; browsers are told which port it stands for."""
VARIABLES = {"NEXT_PUBLIC_API_URL": f"http://{API_HOST}"}


@functools.cache
def built_site() -> Path:
    with tempfile.TemporaryDirectory(prefix="run-") as run, guarded(Path(run)) as guard:
        return SiteBuilder(HOME, guard).build(FRONTEND, VARIABLES)


@contextmanager
def serve(app: Any) -> Generator[str]:
    """Serves an ASGI application from a thread; gives its address, on localhost."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = Server(app, 0)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield f"http://localhost:{server.port}"
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
