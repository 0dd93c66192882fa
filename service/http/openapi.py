"""Completes the OpenAPI document: schemas, tags, API keys and the columns of an uploaded file.

Imported when the document is requested. `scripts/openapi.py` writes docs/openapi.json.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http.api_keys import HEADER, required_scope
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
TAGS: Final = {
    "accounts": "Accounts: read, filter, update and export them, and read their history.",
    "portfolio": "Key figures of all accounts together, and lists of accounts that need attention.",
    "data": "Import accounts and daily metrics from CSV files, or generate sample accounts.",
    "scoring": "How the health score is computed, what an account would score, and rescoring.",
    "playbooks": "Playbooks, and which of them to follow for an account or for risk factors.",
    "insights": "Summaries and recommended actions, written by a language model or by rules.",
    "health": "Whether the service and its database are available.",
}
"""Descriptions of the tags that the routers have, in the order of the documentation."""

_REFERENCE: Final = "#/components/schemas/{model}"
_SECURITY_SCHEME: Final = {
    "type": "apiKey",
    "in": "header",
    "name": HEADER,
    "description": "`id.secret`. Optional while the service has no keys configured; otherwise "
    "writes need a key with the scope write.",
}


def with_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas that routes refer to, the tags, and the columns of an uploaded file.

    FastAPI caches the document, so that this runs again on the same one: it is idempotent.
    """
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [
        *((model, "serialization") for model in RESPONSE_MODELS),
        *((model, "validation") for model in REQUEST_MODELS),
    ]
    _, definitions = models_json_schema(models, ref_template=_REFERENCE)
    document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    upload = document["paths"]["/ingest/csv"]["post"]["requestBody"]["content"][MULTIPART]["schema"]
    upload["properties"][PART]["description"] = _file_description()
    return document


def with_keys(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Add `security`: required where these settings require a key, optional elsewhere."""
    document["components"]["securitySchemes"] = {"ApiKey": _SECURITY_SCHEME}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if required_scope(method.upper(), path, protect_reads=True):
                required = settings.api_keys and required_scope(
                    method.upper(), path, protect_reads=settings.api_keys_protect_reads
                )
                operation["security"] = [{"ApiKey": []}] if required else [{}, {"ApiKey": []}]
    return document


def _file_description() -> str:
    def listed(columns: tuple[Column, ...]) -> str:
        return "\n".join(
            f"- `{column.name}`{' (required)' if column.required else ''}: {expected(column)}"
            for column in columns
        )

    return (
        f"CSV in UTF-8, at most {MAX_BYTES} bytes; comma, semicolon or tab. Columns of an account:"
        f"\n\n{listed(ACCOUNT_COLUMNS)}\n\nColumns of a day:\n\n{listed(DAY_COLUMNS)}"
    )
