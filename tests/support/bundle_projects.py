"""Projects that are small enough for a test to bundle: a lock and a service."""

import re
import zipfile
from pathlib import Path

from bundle import Target
from tests.support.project_files import ROOT

LOCK = (ROOT / "requirements" / "service.txt").read_text(encoding="utf-8")
"""The service's own; small projects take packages of all that are locked."""
HOST = Target.host()
OTHER = Target(
    architecture="x86_64" if HOST.architecture == "arm64" else "arm64", python=HOST.python
)
"""Lambda's other architecture with this Python, so that no other interpreter is needed."""

PLAIN_HANDLER = """
import markupsafe
from typing_extensions import override

def handler(event, context):
    assert event["requestContext"]["http"]["method"] == "GET" and context.aws_request_id
    return {"statusCode": 200, "body": str(markupsafe.escape("<ok>"))}
"""

FASTAPI_HANDLER = """
import psycopg2
from fastapi import FastAPI
from mangum import Mangum

app = FastAPI()


@app.get("/")
async def root() -> dict[str, str]:
    return {"driver": psycopg2.__version__}


handler = Mangum(app, lifespan="off")
"""


def locked(*packages: str) -> str:
    """Return the part of the lock of all packages that names these."""
    lock = (ROOT / "requirements" / "all.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", lock)
    return "\n".join(block for block in blocks if block.split("==")[0] in packages) + "\n"


def make_project(root: Path, *, handler: str = PLAIN_HANDLER, lock: str | None = None) -> Path:
    """Write a project whose service responds to `GET /`.

    By default it has no framework and two packages, one of them with a compiled module.
    """
    write(root, "service/__init__.py", "")
    write(root, "service/handler.py", handler)
    write(root, "requirements/service.txt", lock or locked("markupsafe", "typing-extensions"))
    return root


def write(root: Path, name: str, content: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as file:
        return file.namelist()
