"""The Lambda handler: dispatches events, and passes HTTP events to the application."""

import os
from collections.abc import Callable
from typing import Any, cast

from service.startup import keep_out_of_c_environment, quick_imports

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

Handler = Callable[[Any, Any], dict[str, Any]]
EVENTS = "this function takes payload-2.0 events of an HTTP API, keep-warm and health events"

_loop = asyncio.new_event_loop()


def make_handler(app: FastAPI) -> Handler:
    """Return the Lambda handler for `app`.

    It accepts payload-2.0 events of an HTTP API; `{"source": "keep-warm"}`, which opens no
    connection; and `{"source": "health"}`, by which a deployment checks a version before it gets
    requests (see `service.health`). Any other event raises ValueError, so that the invocation
    fails and the sender sees that nothing was done.
    """
    logs.configure()
    asyncio.set_event_loop(_loop)
    http = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE])

    def handle(event: Any, context: Any) -> dict[str, Any]:
        if is_http(event):
            # Mangum uses the thread's event loop, and other code may have set another one.
            asyncio.set_event_loop(_loop)
            return http(sanitize_event(event), context)
        source = event.get("source") if isinstance(event, dict) else None
        if source == "keep-warm":
            return {"warm": True}
        if source == "health":
            from service.health import check

            return check(app.state.database, app.state.settings)
        raise ValueError(f"{EVENTS}, not {_description(event)}")

    return handle


def _description(event: object) -> str:
    """Return a description of an event, without its values."""
    if isinstance(event, dict):
        keys = sorted(map(str, cast("dict[object, object]", event)))
        return f"an object with the keys {', '.join(keys)[:500] or '(none)'}"
    return f"a JSON {'null' if event is None else type(event).__name__}"


keep_out_of_c_environment("_X_AMZN_TRACE_ID")
handler = make_handler(create_app(Settings.from_environment(os.environ)))
