"""An execution environment opens one connection, with the first request that needs data."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from stack.local.neon.postgres.server import Postgres
from tests.service.database_faults import run
from tests.service.every_operation import REQUESTS
from tests.service.lambda_api import api
from tests.support.project_files import ROOT

RESTORED = """
import json, os, sys, time
import psutil
from service.handler import handler

def event(method, path):
    http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
    return {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {}, "body": "",
            "isBase64Encoded": False,
            "requestContext": {"http": http, "timeEpoch": int(time.time() * 1000)}}

def restored():
    requests = ("POST", "/ingest/generate-mock"), ("GET", "/accounts")
    responses = [handler(event(*request), None) for request in requests]
    return {
        "statuses": [response["statusCode"] for response in responses],
        "ids": [response["headers"]["x-request-id"] for response in responses],
        "seed": json.loads(responses[0]["body"])["seed"],
        "ports": [connection.laddr.port for connection in psutil.Process().net_connections()],
    }

process = psutil.Process()
snapshot = {"sockets": len(process.net_connections()), "threads": process.num_threads()}
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
result = [json.loads(os.read(pipe, 65536)) for pipe in pipes]
sys.stderr.write(json.dumps({"snapshot": snapshot, "restored": result}))
"""


@pytest.fixture
def limited(url: str, postgres: Postgres) -> str:
    """The URL of a database that accepts one connection."""
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
            response = request(function, account)
            assert response.status == 200, (name, response.text)
            database = urlsplit(limited).path[1:]
            states = run(admin, f"SELECT state FROM pg_stat_activity WHERE datname = '{database}'")
            assert states == [("idle",)], name
    function.close()


def test_environments_restored_from_one_snapshot_share_neither_sockets_nor_random_numbers(
    url: str,
) -> None:
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
    result = json.loads(process.stderr.splitlines()[-1])
    assert result["snapshot"] == {"sockets": 0, "threads": 1}, (
        "a snapshot that is restored on another machine must have no socket and no thread"
    )
    first, second = result["restored"]
    for environment in (first, second):
        assert environment["statuses"] == [200, 200]
        assert len(environment["ports"]) == 1
    assert first["ports"] != second["ports"]
    assert first["seed"] != second["seed"]
    assert len({*first["ids"], *second["ids"]}) == 4
