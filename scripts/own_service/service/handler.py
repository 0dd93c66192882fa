"""The Lambda handler: a FastAPI application, and the health event of a deployment."""

import asyncio
import os
from typing import Any

import psycopg2
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from mangum import Mangum

from service.migrations import MIGRATIONS

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=list(filter(None, os.environ.get("CORS_ORIGINS", "").split(","))),
    allow_origin_regex=os.environ.get("CORS_ORIGIN_REGEX") or None,
    allow_methods=["*"],
    allow_headers=["*"],
)
_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)  # Mangum uses the thread's
_http = Mangum(app, lifespan="off")
_putenv = os.putenv


def _putenv_without_trace(name: bytes, value: bytes) -> None:
    """Set a variable of the C environment, whose `setenv` never frees the string it replaces.

    The runtime client sets a new trace id for each invocation; `os.environ` has it all the same.
    """
    if name != b"_X_AMZN_TRACE_ID":
        _putenv(name, value)


os.putenv = _putenv_without_trace


@app.get("/")
async def root() -> dict[str, str | None]:
    return {"status": "ok", "version": os.environ.get("SERVICE_VERSION")}


@app.get("/migrations")
async def migrations() -> dict[str, int]:
    return {"applied": applied()}


def applied() -> int:
    """Return the number of migrations that the database has."""
    link = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=10)
    try:
        with link.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM migrations")
            return (cursor.fetchone() or (0,))[0]
    finally:
        link.close()


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Respond to an event of the HTTP API, or to `{"source": "health"}`.

    A deployment sends the latter to a new version before it gets requests. Any JSON is healthy; an
    exception stops the deployment, and the old version keeps serving.
    """
    if isinstance(event, dict) and event.get("source") == "health":
        if applied() < len(MIGRATIONS):
            raise RuntimeError("the database lacks migrations of this version")
        return {"healthy": True}
    return _http(event, context)
