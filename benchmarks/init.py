"""`python -m benchmarks.init` times the function's cold start beside that of a bare handler.

Both are started in turn by the real runtime client, alone on one core, with bytecode; the figures
are medians. The function is this machine's bundle, or what `--code` and `--layer` name (directories
as Lambda has them at /var/task and /opt).
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.database import database
from benchmarks.function import Function, compiled, core, event, unpacked
from benchmarks.runtime import environment
from stack.local.lambda_.function_version import install_runtime_client

BARE = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'
ACCOUNTS = 100
LIMITS = {"init": 9.0, "init + first GET /accounts": 10.0}
"""Limits, as multiples of a bare handler's init."""


def measure(
    directory: Path, code: Path, layer: Path, url: str, rounds: int
) -> dict[str, list[float]]:
    """Returns seconds by name of the figure."""
    bare = directory / "bare"
    bare.mkdir()
    (bare / "handler.py").write_text(BARE, encoding="utf-8")
    function, pinned = Function(code, layer, install_runtime_client(directory / "client")), core()
    with function.start(url, core=pinned) as started:
        generated, _ = started.invoke(
            event("POST", "/ingest/generate-mock", f"count={ACCOUNTS}&seed=1")
        )
        print(f"{ACCOUNTS} accounts in {generated:.2f} s")
    times: dict[str, list[float]] = {"bare": [], "init": [], "first GET /accounts": []}
    for _ in range(rounds):
        with environment(
            "handler.handler",
            task_root=compiled(bare),
            path=(function.client,),
            variables={},
            core=pinned,
        ) as started:
            times["bare"].append(started.init)
        with function.start(url, core=pinned) as started:
            times["init"].append(started.init)
            took, response = started.invoke(event("GET", "/accounts"))
            if response["statusCode"] != 200 or json.loads(response["body"])["total"] != ACCOUNTS:
                raise RuntimeError(
                    f"GET /accounts returned {response['statusCode']}: {response['body'][:500]}"
                )
            times["first GET /accounts"].append(took)
    return times


def report(times: dict[str, list[float]]) -> None:
    for what, taken in times.items():
        milliseconds = [1000 * second for second in taken]
        print(
            f"{what:<26} median {statistics.median(milliseconds):7.1f} ms   least "
            f"{min(milliseconds):7.1f} ms   of {len(taken)}"
        )
    bare = statistics.median(times["bare"])
    sums = [
        init + first
        for init, first in zip(times["init"], times["first GET /accounts"], strict=True)
    ]
    for what, taken in (("init", times["init"]), ("init + first GET /accounts", sums)):
        ratio = statistics.median(taken) / bare
        print(f"{what:<26} {ratio:5.2f} times a bare handler's init (at most {LIMITS[what]:.0f})")


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.init")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--code", type=Path, help="directory with service/, instead of the bundle's"
    )
    parser.add_argument(
        "--layer", type=Path, help="directory with python/, instead of the bundle's"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory, database() as url:
        root = Path(directory)
        code, layer = (
            (options.code, options.layer) if options.code and options.layer else unpacked(root)
        )
        report(measure(root, code, layer, url, options.rounds))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
