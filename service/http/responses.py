"""A response whose JSON text exists already."""

from starlette.responses import Response


class JsonText(Response):
    media_type = "application/json"
