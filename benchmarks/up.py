"""How long a person waits: evaluation of the program, a warm `stack up`, a saved change, the run after a `kill -9`.

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
begun = time.perf_counter()
sys.dont_write_bytecode = False
from pathlib import Path
from benchmarks.evaluate import evaluate
evaluate(Path(sys.argv[1]))
print(time.perf_counter() - begun)
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
        _report("`stack up` after kill -9 to the first 200", [_killed(copy) for _ in range(RUNS)])
        _report("a saved .py to the first answer of the new code", _saved(copy))
        copy.run("reset", "--yes")


def _report(what: str, seconds: list[float]) -> None:
    print(
        f"{what}: median {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} runs)",
        flush=True,
    )


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _evaluation(copy: Checkout) -> float:
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    command = [sys.executable, "-c", EVALUATE, str(copy.root)]
    done = subprocess.run(
        command, cwd=checkout.ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def _up_to_first_answer(copy: Checkout, *arguments: str) -> tuple[float, subprocess.Popen[str]]:
    """Asked as a person would: from the start of the command until the API answers 200 with its database."""
    api = copy.outputs()["api_url"]
    begun = time.perf_counter()
    process = copy.start("up", *arguments)
    while not _answers(api):
        time.sleep(0.005)
    return time.perf_counter() - begun, process


def _answers(api: str) -> bool:
    try:
        return request(f"{api}/accounts?page_size=1")[0] == 200
    except OSError:
        return False


def _warm(copy: Checkout) -> float:
    seconds, process = _up_to_first_answer(copy)
    _until_ready(process)
    _end(process)
    return seconds


def _killed(copy: Checkout) -> float:
    copy.run("up", "--detach")
    os.kill(copy.supervisor(), signal.SIGKILL)
    copy.gone(5)
    return _warm(copy)


def _saved(copy: Checkout) -> list[float]:
    file = copy.root / "service/handler.py"
    before = file.read_text()
    _, process = _up_to_first_answer(copy, "--watch")
    _until_ready(process)
    seconds: list[float] = []
    api = copy.outputs()["api_url"]
    for run in range(RUNS):
        time.sleep(0.5)
        mark = f"x-saved-{run}"
        begun = time.perf_counter()
        file.write_text(before + MARKED.format(mark=mark))
        while mark not in request(api)[1]:
            time.sleep(0.005)
        seconds.append(time.perf_counter() - begun)
    _end(process)
    return seconds


MARKED = """

_served = handler


def handler(event, context):
    answer = _served(event, context)
    answer["headers"]["{mark}"] = "yes"
    return answer
"""


def _until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "The API answers" in line:
            return
    raise SystemExit("`stack up` ended before it answered")


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
