"""JSON that is a text already."""

from starlette.responses import Response


class JsonText(Response):
    media_type = "application/json"
