"""What a cold start loads, in a process of its own as Lambda starts one."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
HEAVY = (
    "sqlalchemy", "sqlmodel", "alembic", "openai", "pydantic.v1", "service.schema.tables", "service.schema.responses", "service.samples",
    "service.schema.requests", "service.importing", "service.playbooks", "service.insights",
)  # fmt: skip

PROGRAM = """
import json, sys, time
import service.handler as module

def call(method, path, query=""):
    event = {
        "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": {"host": "api"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}, "domainName": "api", "timeEpoch": time.time() * 1000,
        },
    }
    return module.handler(event, None)

import gc, pydantic
told = {"frozen": gc.get_freeze_count() > 10000, "collecting": gc.isenabled(), "loaded": {}}
for method, path in REQUESTS:
    told["loaded"][path] = [call(method, path)["statusCode"], [name for name in HEAVY if name in sys.modules]]
told["document"] = call("GET", "/openapi.json")["body"]
import pydantic.v1
print(json.dumps(told), file=sys.stderr)
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


def test_models_of_bodies_are_built_late_without_a_warning() -> None:
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


def test_requests_load_neither_the_orm_nor_what_only_some_of_them_need(url: str) -> None:
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
    told = run([*reads, *others], DATABASE_URL=url)
    assert told["loaded"] == {
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
            ["service.samples", "service.schema.requests", "service.playbooks"],
        ],
        "/insights/portfolio": [
            200,
            ["service.samples", "service.schema.requests", "service.playbooks", "service.insights"],
        ],
    }


def test_the_collector_works_again_after_the_start_and_leaves_what_was_loaded_alone() -> None:
    told = run([])
    assert told["frozen"]
    assert told["collecting"]


def test_models_that_are_built_late_make_the_same_document() -> None:
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert json.loads(run([], SERVICE_VERSION="1")["document"]) == committed


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_each_layer_imports_only_what_it_may() -> None:
    http, sql = (
        ("fastapi", "starlette", "mangum", "service.routes"),
        ("psycopg2", "service.database.connection"),
    )
    forbidden = {
        "": ("components", "local", "cli", "pulumi", "tests", "benchmarks"),
        "routes": ("psycopg2", "sqlalchemy", "sqlmodel"),
        "queries": http,
        "scoring": (*http, *sql, "service.queries"),
        "playbooks": (*http, *sql, "service.queries"),
        "insights": (*http, *sql, "service.queries", "sqlalchemy", "sqlmodel"),
        "importing": (*http, *sql, "service.queries"),
        "samples": (*http, *sql, "service.queries"),
    }
    for layer, names in forbidden.items():
        for path in (SERVICE / layer).rglob("*.py"):
            wrong = [
                name
                for name in imported(path)
                if name.startswith(names) and name.split(".")[0] in {n.split(".")[0] for n in names}
            ]
            assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"
