"""The OpenAPI document's schemas. `python -m service.openapi` prints the document as it is committed in docs/openapi.json."""

import json
import sys
from typing import Any

from pydantic.json_schema import models_json_schema

from service.schemas import ANSWERS

_REFERENCE = "#/components/schemas/{model}"


def with_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the schemas that `service.routes.documented` names. Adding them again changes nothing."""
    _, definitions = models_json_schema([(model, "serialization") for model in ANSWERS], ref_template=_REFERENCE)
    document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
    return document


def main() -> int:
    from service.app import create_app
    from service.settings import Settings

    document = create_app(Settings(version="1")).openapi()
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
