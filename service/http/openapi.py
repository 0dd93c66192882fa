"""The OpenAPI document's schemas. `scripts/openapi.py` writes docs/openapi.json."""

from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http.api_keys import HEADER, needed_scope
from service.http.multipart import MAX_BYTES, MULTIPART, PART
from service.importing.cells import expected
from service.schema import responses
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, Column
from service.schema.requests import REQUEST_MODELS
from service.schema.responses import histories, insights, playbooks, portfolio, scoring
from service.settings import Settings

RESPONSE_MODELS: Final = (
    *responses.RESPONSE_MODELS,
    *histories.RESPONSE_MODELS,
    *portfolio.RESPONSE_MODELS,
    *scoring.RESPONSE_MODELS,
    *playbooks.RESPONSE_MODELS,
    *insights.RESPONSE_MODELS,
)
_REFERENCE = "#/components/schemas/{model}"
_KEY: Final = {
    "type": "apiKey",
    "in": "header",
    "name": HEADER,
    "description": "`id.secret`. Where the service has no keys, none is needed; where it has, writes need one that may write.",
}


def with_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the schemas that routes name, and a file's columns. Adding them again changes nothing."""
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [
        *((model, "serialization") for model in RESPONSE_MODELS),
        *((model, "validation") for model in REQUEST_MODELS),
    ]
    _, definitions = models_json_schema(models, ref_template=_REFERENCE)
    document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
    uploaded = document["paths"]["/ingest/csv"]["post"]["requestBody"]["content"][MULTIPART][
        "schema"
    ]
    uploaded["properties"][PART]["description"] = _columns()
    return document


def _columns() -> str:
    def listed(columns: tuple[Column, ...]) -> str:
        return "\n".join(
            f"- `{column.name}`{' (required)' if column.required else ''}: {expected(column)}"
            for column in columns
        )

    return (
        f"CSV in UTF-8, at most {MAX_BYTES} bytes; comma, semicolon or tab. Columns of an account:\n\n{listed(ACCOUNT_COLUMNS)}\n\n"
        f"Of one of its days:\n\n{listed(DAY_COLUMNS)}"
    )


def with_keys(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The document, with the operations that take a key: those that need one under these settings, and as an option the others."""
    document["components"]["securitySchemes"] = {"ApiKey": _KEY}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if needed_scope(method.upper(), path, reads=True):
                needed = settings.api_keys and needed_scope(
                    method.upper(), path, reads=settings.api_keys_protect_reads
                )
                operation["security"] = [{"ApiKey": []}] if needed else [{}, {"ApiKey": []}]
    return document
