"""Starts the bundle on this machine, as Lambda would, before it is uploaded."""

import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from bundle.exclusions import DROPPED_DISTRIBUTIONS
from bundle.interpreter import Interpreter
from common.errors import UserError

PROCESS = Path(__file__).with_name("smoke_test_process.py")
TIMEOUT_S = 60
_TRACE_LINES = 16
# The function's environment variables. The database refuses connections at once, so an import
# that needs one fails.
_ENVIRONMENT = {
    "DATABASE_URL": "postgresql://bundle:check@127.0.0.1:1/check?connect_timeout=1",
    "CORS_ORIGINS": "https://bundle-check.example",
    "CORS_ORIGIN_REGEX": "",
    "STAGE": "bundle-check",
    "SERVICE_VERSION": "bundle-check",
    "OPENAI_API_KEY": "",
    "OPENAI_MODEL": "",
    "OPENAI_BASE_URL": "",
    "API_KEYS": "",
    "API_KEYS_PROTECT_READS": "false",
    "AWS_LAMBDA_FUNCTION_NAME": "bundle-check",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}


def run(interpreter: Interpreter, code: Path, layer: Path) -> float:
    """Send `GET /` to `service.handler.handler`; return the seconds that start and request took.

    The process sees `code` (which holds `service/`), `layer` (the packages) and the standard
    library, nothing else. Raises `UserError` with the end of the service's traceback.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-smoke-test-") as home:
        environment = {**_ENVIRONMENT, "PATH": os.defpath, "HOME": home, "TMPDIR": home}
        start = time.perf_counter()
        try:
            process = subprocess.run(
                [interpreter.path, "-I", "-S", str(PROCESS), str(code), str(layer)],
                env=environment,
                cwd=code,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"the smoke test of the bundle got no response to GET / within {TIMEOUT_S} s"
            ) from None
        seconds = time.perf_counter() - start
    result = _result(process)
    if "error" in result:
        raise UserError(_failure(interpreter, result))
    return seconds


def _result(process: subprocess.CompletedProcess[str]) -> dict[str, object]:
    try:
        return json.loads(process.stdout)
    except ValueError:
        return {
            "error": f"{process.stderr}\nthe process ended with {process.returncode}",
            "network": [],
        }


def _failure(interpreter: Interpreter, result: dict[str, object]) -> str:
    trace = str(result["error"]).strip().splitlines()[-_TRACE_LINES:]
    network = result.get("network")
    lines = [
        "the bundle does not start: its smoke test on this machine "
        f"(CPython {interpreter.version}, without a network) failed at GET /",
        *(f"  {line}" for line in trace),
    ]
    if isinstance(network, list) and network:
        lines.append(
            f"It used the network ({network[0]}): "
            "connect when a request needs it, not while a module is imported"
        )
    if trace and (
        missing := re.match(r"ModuleNotFoundError: No module named '([^'.]+)", trace[-1])
    ):
        lines.append(_missing(missing[1]))
    return "\n".join(lines)


def _missing(module: str) -> str:
    if why := DROPPED_DISTRIBUTIONS.get(module):
        return f"The bundle leaves {module} out ({why}): bundle/exclusions.py holds the table"
    return f"If {module} is a package, it belongs into requirements/service.in; then `make lock`"
