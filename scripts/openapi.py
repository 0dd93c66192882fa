"""Writes docs/openapi.json: the OpenAPI document of the service, without settings of a stack."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from service.app import create_app  # noqa: E402
from service.settings import Settings  # noqa: E402


def document() -> str:
    """Return the document as it is committed."""
    return json.dumps(create_app(Settings(version="1")).openapi(), indent=2) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "openapi.json").write_text(document(), encoding="utf-8")
