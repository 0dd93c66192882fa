"""Routes for the OpenAPI document, and a page that shows it without loading other hosts."""

from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from service.http.responses import JsonText
from service.http.strict_query import new_router

PAGE: Final = Path(__file__).with_name("documentation.html")
POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: the page contains its script and style, and calls its own host only."""

router = new_router("documentation")


@router.get("/docs", include_in_schema=False)
async def get_documentation() -> Response:
    """Returns the page. It loads /openapi.json, with an API key where reads need one."""
    return HTMLResponse(
        PAGE.read_text(encoding="utf-8"),
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi_document(request: Request) -> Response:
    """Returns the OpenAPI document."""
    import json

    return JsonText(json.dumps(request.app.openapi()), headers={"Cache-Control": "no-cache"})
