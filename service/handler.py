"""Lambda's entry: a dispatcher in front of the HTTP adapter, so that only HTTP events reach the application."""

import os
from collections.abc import Callable
from typing import Any

from service.startup import quick_imports

with quick_imports():
    import asyncio

    from fastapi import FastAPI
    from mangum import Mangum
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

    from service import logs
    from service.app import create_app
    from service.http.lambda_event import is_http, sanitize_event
    from service.http.problems import MEDIA_TYPE
    from service.settings import Settings

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

_loop = asyncio.new_event_loop()


def make_handler(app: FastAPI) -> Handler:
    """The function for `app`: answers payload-2.0 events of the HTTP API, and `{"source": "keep-warm"}`, which opens no connection.

    Any other event raises, so that whoever sent it sees that nothing was done.
    """
    logs.configure()
    asyncio.set_event_loop(_loop)
    http = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE])

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if is_http(event):
            asyncio.set_event_loop(_loop)  # whatever else ran in this thread may have set its own
            return http(sanitize_event(event), context)
        if event.get("source") == "keep-warm":
            return {"warm": True}
        raise ValueError(
            f"this function takes HTTP events and keep-warm, not one with the keys {sorted(event)}"
        )

    return handle


handler = make_handler(create_app(Settings.from_environment(os.environ)))
