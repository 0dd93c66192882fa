"""Schemathesis on the OpenAPI document of the stack. `make fuzz` runs more, with a random seed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployed.conftest import EXAMPLES, SEED, Deployed
from tests.support.project_files import ROOT

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(3600)]


def test_responses_to_valid_and_invalid_requests_are_as_documented(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Status, content type, headers and schema are as documented, and never 5xx.

    Valid requests are accepted; invalid ones, and those without a key, are refused.
    """
    report = tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIGURATION),
        "run",
        f"{deployed.url}/openapi.json",
    ]
    command += [
        "--header",
        f"X-API-Key: {deployed.key}",
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        str(SEED),
    ]
    command += ["--report", "json", "--report-json-path", str(report)]
    run = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(run.stdout)
    assert run.returncode == 0, f"Schemathesis found something:\n{run.stdout}"
    results = json.loads(report.read_text())
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    assert results["operations"]["tested"] == sum(map(len, documented.values()))
    assert {name: phase["status"] for name, phase in results["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    never_accepted = [
        operation
        for operation, phases in results["valid_rates"].items()
        if not any(phase["accepted"] for phase in phases.values())
    ]
    # An import can be undone until `generate-mock` replaces its accounts, which is tested before.
    assert set(never_accepted) <= {"POST /ingest/{import_id}/undo"}
