"""How many connections an environment has, and when: one, from its first request that needs data on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stack.local.neon.postgres.server import Postgres
from tests.service.database_faults import run
from tests.service.every_operation import REQUESTS
from tests.service.lambda_api import api

ROOT = Path(__file__).parents[2]

RESTORED = """
import json, os, sys, time
import psutil
from service.handler import handler

def event(method, path):
    http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
    return {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {}, "body": "", "isBase64Encoded": False,
            "requestContext": {"http": http, "timeEpoch": int(time.time() * 1000)}}

def restored():
    answers = [handler(event(*request), None) for request in (("POST", "/ingest/generate-mock"), ("GET", "/accounts"))]
    return {
        "statuses": [answer["statusCode"] for answer in answers],
        "ids": [answer["headers"]["x-request-id"] for answer in answers],
        "seed": json.loads(answers[0]["body"])["seed"],
        "ports": [connection.laddr.port for connection in psutil.Process().net_connections()],
    }

snapshot = {"sockets": len(psutil.Process().net_connections()), "threads": psutil.Process().num_threads()}
pipes = []
for _ in range(2):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            os.write(theirs, json.dumps(restored()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    pipes.append(ours)
told = [json.loads(os.read(pipe, 65536)) for pipe in pipes]
sys.stderr.write(json.dumps({"snapshot": snapshot, "restored": told}))
"""


@pytest.fixture
def limited(url: str, postgres: Postgres) -> str:
    """A database that takes one connection and no more."""
    function = api(url)
    assert function.post("/ingest/generate-mock", count=3, seed=1).status == 200
    function.close()
    with postgres.admin() as admin:
        run(admin, f"ALTER DATABASE {urlsplit(url).path[1:]} CONNECTION LIMIT 1")
    return url


def test_no_operation_needs_a_second_connection_or_leaves_a_transaction_open(
    limited: str, postgres: Postgres
) -> None:
    function = api(limited)
    account = function.get("/accounts").json["accounts"][0]["id"]
    with postgres.admin() as admin:
        for name, request in REQUESTS.items():
            answer = request(function, account)
            assert answer.status == 200, (name, answer.text)
            states = run(
                admin,
                f"SELECT state FROM pg_stat_activity WHERE datname = '{urlsplit(limited).path[1:]}'",
            )
            assert states == [("idle",)], name
    function.close()


def test_environments_restored_from_one_snapshot_share_neither_socket_nor_chance(url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url}
    process = subprocess.run(
        [sys.executable, "-c", RESTORED],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stderr.splitlines()[-1])
    assert told["snapshot"] == {"sockets": 0, "threads": 1}, (
        "what is restored on another machine has no socket and no thread"
    )
    first, second = told["restored"]
    for environment in (first, second):
        assert environment["statuses"] == [200, 200]
        assert len(environment["ports"]) == 1
    assert first["ports"] != second["ports"]
    assert first["seed"] != second["seed"]
    assert len({*first["ids"], *second["ids"]}) == 4
