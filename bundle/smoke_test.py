"""The twin: the same bundle for this machine, booted before anything is uploaded."""

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

BOOT = Path(__file__).with_name("boot.py")
BOOT_SECONDS = 60
# The environment of the function, with a database that refuses at once: a boot that needs one fails.
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


def boot(interpreter: Interpreter, code: Path, layer: Path) -> float:
    """Boot `service.handler.handler` on these trees and nothing else, and send it `GET /`; seconds that it took.

    code holds `service/`, layer the packages. Raises `UserError` with the end of the service's trace.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-boot-") as home:
        environment = {**_ENVIRONMENT, "PATH": os.defpath, "HOME": home, "TMPDIR": home}
        start = time.perf_counter()
        try:
            process = subprocess.run(
                [interpreter.path, "-I", "-S", str(BOOT), str(code), str(layer)],
                env=environment,
                cwd=code,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=BOOT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"the bundle's twin did not answer GET / within {BOOT_SECONDS} s of its start"
            ) from None
        seconds = time.perf_counter() - start
    answer = _answer(process)
    if "error" in answer:
        raise UserError(_refusal(interpreter, answer))
    return seconds


def _answer(process: subprocess.CompletedProcess[str]) -> dict[str, object]:
    try:
        return json.loads(process.stdout)
    except ValueError:
        return {
            "error": f"{process.stderr}\nthe process ended with {process.returncode}",
            "network": [],
        }


def _refusal(interpreter: Interpreter, answer: dict[str, object]) -> str:
    trace = str(answer["error"]).strip().splitlines()[-16:]
    network = answer.get("network")
    lines = [
        f"the bundle does not boot: its twin for this machine (CPython {interpreter.version}, without a network) failed at GET /",
        *(f"  {line}" for line in trace),
    ]
    if isinstance(network, list) and network:
        lines.append(
            f"It reached for the network ({network[0]}): connect when a request needs it, not while a module is imported"
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
