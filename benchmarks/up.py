"""Times what a developer waits for: evaluation, `stack up`, a saved change, a restart.

Each figure is the median of some runs in a copy of the checkout, with the pages built once.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support import checkout
from tests.support.checkout import Checkout, request

RUNS = 5
EVALUATE = """
import os, sys, time
started = time.perf_counter()
sys.dont_write_bytecode = False
from pathlib import Path
from benchmarks.evaluate import evaluate
evaluate(Path(sys.argv[1]))
print(time.perf_counter() - started)
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-up-") as directory:
        copy = checkout.make(Path(directory) / "checkout")
        cold = _timed(lambda: copy.run("up", "--detach"))
        outputs = copy.outputs()
        assert request(outputs["api_url"])[0] == 200
        copy.run("down")
        print(f"cold `stack up`, package caches as they are: {cold:.1f} s")
        _report(
            "evaluation of the program, import to last output",
            [_evaluation(copy) for _ in range(RUNS)],
        )
        _report("warm `stack up` to the first 200", [_warm(copy) for _ in range(RUNS)])
        _report(
            "`stack up` after kill -9 to the first 200",
            [_restarted_after_kill(copy) for _ in range(RUNS)],
        )
        _report("a saved .py to the first response of the new code", _reloaded(copy))
        copy.run("reset", "--yes")


def _report(what: str, seconds: list[float]) -> None:
    print(
        f"{what}: median {statistics.median(seconds):.2f} s ({min(seconds):.2f} to "
        f"{max(seconds):.2f}, {len(seconds)} runs)",
        flush=True,
    )


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _evaluation(copy: Checkout) -> float:
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    command = [sys.executable, "-c", EVALUATE, str(copy.root)]
    done = subprocess.run(
        command, cwd=checkout.ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def _up_until_ready(copy: Checkout, *arguments: str) -> tuple[float, subprocess.Popen[str]]:
    """Times from the start of the command until the API returns 200 with data."""
    api = copy.outputs()["api_url"]
    started = time.perf_counter()
    process = copy.start("up", *arguments)
    while not _is_ready(api):
        time.sleep(0.005)
    return time.perf_counter() - started, process


def _is_ready(api: str) -> bool:
    try:
        return request(f"{api}/accounts?page_size=1")[0] == 200
    except OSError:
        return False


def _warm(copy: Checkout) -> float:
    seconds, process = _up_until_ready(copy)
    _until_ready(process)
    _end(process)
    return seconds


def _restarted_after_kill(copy: Checkout) -> float:
    copy.run("up", "--detach")
    os.kill(copy.supervisor(), signal.SIGKILL)
    copy.gone(5)
    return _warm(copy)


def _reloaded(copy: Checkout) -> list[float]:
    file = copy.root / "service/handler.py"
    before = file.read_text()
    _, process = _up_until_ready(copy, "--watch")
    _until_ready(process)
    seconds: list[float] = []
    api = copy.outputs()["api_url"]
    for run in range(RUNS):
        time.sleep(0.5)
        mark = f"x-saved-{run}"
        started = time.perf_counter()
        file.write_text(before + MARKED.format(mark=mark))
        while mark not in request(api)[1]:
            time.sleep(0.005)
        seconds.append(time.perf_counter() - started)
    _end(process)
    return seconds


MARKED = """

_served = handler


def handler(event, context):
    response = _served(event, context)
    response["headers"]["{mark}"] = "yes"
    return response
"""


def _until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "The API answers" in line:
            return
    raise SystemExit("`stack up` ended before it was ready")


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
