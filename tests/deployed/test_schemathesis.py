"""Schemathesis over the whole OpenAPI document that the stack serves. `make fuzz` runs more of it, with a new seed each time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployed.conftest import EXAMPLES, SEED, Deployed

ROOT = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")

pytestmark = [pytest.mark.xdist_group("deployed"), pytest.mark.timeout(3600)]


def test_no_request_that_the_document_allows_or_forbids_is_answered_otherwise_than_it_says(
    deployed: Deployed, tmp_path: Path
) -> None:
    """No 5xx; status, content type, headers and schema as documented; what fits is accepted, what does not refused; keys are asked for."""
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
    told = json.loads(report.read_text())
    documented = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    assert told["operations"]["tested"] == sum(map(len, documented.values()))
    assert {name: phase["status"] for name, phase in told["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert all(
        any(phase["accepted"] for phase in phases.values())
        for phases in told["valid_rates"].values()
    ), "what fits was accepted"
