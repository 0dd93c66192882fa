"""What a cold start imports, in a new process as on Lambda."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.project_files import ROOT

SERVICE = ROOT / "service"
HEAVY = (
    "sqlalchemy", "sqlmodel", "alembic", "openai", "pydantic.v1", "service.schema.tables",
    "service.schema.columns", "service.schema.responses", "service.samples",
    "service.schema.requests", "service.importing", "service.playbooks", "service.insights",
)  # fmt: skip

PROGRAM = """
import json, sys, time
import service.handler as module

def call(method, path, query=""):
    event = {
        "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": {"host": "api"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "domainName": "api", "timeEpoch": time.time() * 1000,
        },
    }
    return module.handler(event, None)

import gc, pydantic
frozen = gc.get_freeze_count() > 10000
result = {"frozen": frozen, "collecting": gc.isenabled(), "imported": {}}
for method, path in REQUESTS:
    status = call(method, path)["statusCode"]
    result["imported"][path] = [status, [name for name in HEAVY if name in sys.modules]]
result["document"] = call("GET", "/openapi.json")["body"]
import pydantic.v1
print(json.dumps(result), file=sys.stderr)
"""


LATE_BODY = """
from typing import Annotated
from service.startup import quick_imports

with quick_imports():
    from fastapi import Body, FastAPI
    from pydantic import BaseModel

class Change(BaseModel):
    name: str

app = FastAPI()

@app.patch("/one")
async def one(change: Change) -> Change:
    return change

assert app.openapi()["components"]["schemas"]["Change"]
"""


def test_body_models_are_built_late_without_a_warning() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", LATE_BODY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def run(requests: list[tuple[str, str]], **environment: str) -> dict[str, Any]:
    program = PROGRAM.replace("REQUESTS", repr(requests)).replace("HEAVY", repr(HEAVY))
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    (line,) = finished.stderr.splitlines()
    return json.loads(line)


def test_requests_import_neither_the_orm_nor_modules_of_other_routes(url: str) -> None:
    reads = [
        ("GET", "/"),
        ("GET", "/accounts"),
        ("GET", "/accounts/1"),
        ("GET", "/portfolio/metrics"),
        ("GET", "/scoring"),
        ("GET", "/nowhere"),
    ]
    others = [
        ("POST", "/ingest/generate-mock"),
        ("GET", "/playbooks/1"),
        ("POST", "/scoring/what-if"),
        ("POST", "/insights/portfolio"),
    ]
    result = run([*reads, *others], DATABASE_URL=url)
    assert result["imported"] == {
        "/": [200, []],
        "/accounts": [200, []],
        "/accounts/1": [404, []],
        "/portfolio/metrics": [200, []],
        "/scoring": [200, []],
        "/nowhere": [404, []],
        "/ingest/generate-mock": [200, ["service.samples"]],
        "/playbooks/1": [200, ["service.samples", "service.playbooks"]],
        "/scoring/what-if": [
            422,
            [
                "service.schema.columns",
                "service.samples",
                "service.schema.requests",
                "service.playbooks",
            ],
        ],
        "/insights/portfolio": [
            200,
            [
                "service.schema.columns",
                "service.samples",
                "service.schema.requests",
                "service.playbooks",
                "service.insights",
            ],
        ],
    }


def test_garbage_collection_is_on_after_the_start_and_ignores_imported_objects() -> None:
    result = run([])
    assert result["frozen"]
    assert result["collecting"]


def test_models_that_are_built_late_give_the_same_document() -> None:
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert json.loads(run([], SERVICE_VERSION="1")["document"]) == committed


def test_packages_without_io_import_neither_http_nor_database_libraries() -> None:
    forbidden = {"fastapi", "starlette", "mangum", "psycopg2", "sqlalchemy", "sqlmodel"}
    for package in ("scoring", "playbooks", "insights", "importing", "samples"):
        for path in (SERVICE / package).rglob("*.py"):
            assert not imported(path) & forbidden, path.relative_to(ROOT)


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names
