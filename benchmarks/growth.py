"""`python -m benchmarks.growth` measures the memory of an execution environment over its requests.

The requests are `GET /portfolio/metrics`, through the real runtime client, with a new trace id
each.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.database import database
from benchmarks.function import Function, event, unpacked
from stack.local.lambda_.function_version import install_runtime_client

ACCOUNTS = 100
REPORTS = 20
_MIB = 1_048_576


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--requests", type=int, default=20_000)
    requests: int = parser.parse_args(arguments).requests
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory, database() as url:
        root = Path(directory)
        function = Function(*unpacked(root), install_runtime_client(root / "client"))
        with function.start(url) as started:
            started.invoke(event("POST", "/ingest/generate-mock", f"count={ACCOUNTS}&seed=1"))
            process = psutil.Process(started.pid)
            for number in range(1, requests + 1):
                _, response = started.invoke(event("GET", "/portfolio/metrics"))
                assert response["statusCode"] == 200, response
                if number % max(1, requests // REPORTS) == 0:
                    rss = process.memory_info().rss / _MIB
                    print(f"{number:>9,} requests  {rss:7.2f} MiB", flush=True)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
