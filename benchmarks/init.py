"""`python -m benchmarks.init`: the function's cold start beside a bare handler's, and with its first `GET /accounts`.

Both are started A B A B by the real runtime client, alone on one core, with bytecode; medians. The function is the built bundle of this
machine, or what `--code` and `--layer` name (directories as Lambda has them at /var/task and /opt).
"""

import argparse
import compileall
import importlib.util
import json
import os
import py_compile
import secrets
import shutil
import socket
import statistics
import tempfile
import time
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.runtime import environment
from components.bundle import Target, build
from local.postgres import Postgres
from local.processes import Guard
from service.migrate import migrate

ROOT = Path(__file__).parent.parent
RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py")
HANDLER = "service.handler.handler"
BARE = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'
ACCOUNTS = 100
LIMITS = {"init": 9.0, "init + first GET /accounts": 10.0}
"""Times a bare handler's init."""


def event(method: str, path: str, query: str = "") -> dict[str, Any]:
    """As the HTTP API sends it, in payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "api.example.com", "accept": "application/json"},
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "benchmark"},
            "requestId": "benchmark",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }


@contextmanager
def database() -> Generator[str]:
    """The URL of an embedded server's migrated, empty database."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory, socket.socket() as probe:
        place = Path(directory)
        place.chmod(0o711)
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        guard = Guard(place / "run")
        guard.start()
        server = Postgres(place / "postgres", guard, port=port)
        try:
            server.start()
            password = secrets.token_urlsafe(12)
            server.create_role("service", password)
            server.create_database("service", "service")
            url = server.url("service", password, "service")
            migrate(url)
            yield url
            server.stop()
        finally:
            guard.close()
            Postgres.remove(place / "postgres")


def compiled(directory: Path) -> Path:
    """With bytecode that is not checked against its source, as in the bundle."""
    compileall.compile_dir(directory, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return directory


def runtime_client(place: Path) -> Path:
    """AWS's runtime client alone, so that the function cannot import what its layer lacks."""
    for package in RUNTIME_CLIENT:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"{package} is not installed: the runtime client is there for Linux only")
        home = Path(spec.origin).parent
        shutil.copytree(home, place / package, ignore=shutil.ignore_patterns("__pycache__"))
        for native in home.parent.glob("runtime_client*.so"):
            shutil.copy(native, place)
    return compiled(place)


def unpacked(place: Path) -> tuple[Path, Path]:
    """Code and layer of this machine's bundle, which is built when it is out of date."""
    bundle = build(ROOT, Target.host(), progress=print)
    for archive, name in ((bundle.code, "code"), (bundle.layer, "layer")):
        with zipfile.ZipFile(ROOT / archive) as opened:
            opened.extractall(place / name)
    return place / "code", place / "layer"


def measure(place: Path, code: Path, layer: Path, url: str, rounds: int) -> dict[str, list[float]]:
    """Seconds by what was measured."""
    bare = place / "bare"
    bare.mkdir()
    (bare / "handler.py").write_text(BARE, encoding="utf-8")
    client = runtime_client(place / "client")
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    function: dict[str, Any] = {"task_root": code, "path": (layer / "python", client), "variables": {"DATABASE_URL": url}, "core": core}
    with environment(HANDLER, **function) as started:
        generated, _ = started.invoke(event("POST", "/ingest/generate-mock", f"count={ACCOUNTS}&seed=1"))
        print(f"{ACCOUNTS} accounts in {generated:.2f} s")
    times: dict[str, list[float]] = {"bare": [], "init": [], "first GET /accounts": []}
    for _ in range(rounds):
        with environment("handler.handler", task_root=compiled(bare), path=(client,), variables={}, core=core) as started:
            times["bare"].append(started.init)
        with environment(HANDLER, **function) as started:
            times["init"].append(started.init)
            took, answer = started.invoke(event("GET", "/accounts"))
            if answer["statusCode"] != 200 or json.loads(answer["body"])["total"] != ACCOUNTS:
                raise RuntimeError(f"GET /accounts answered {answer['statusCode']}: {answer['body'][:500]}")
            times["first GET /accounts"].append(took)
    return times


def report(times: dict[str, list[float]]) -> None:
    for what, taken in times.items():
        milliseconds = [1000 * second for second in taken]
        print(f"{what:<26} median {statistics.median(milliseconds):7.1f} ms   least {min(milliseconds):7.1f} ms   of {len(taken)}")
    bare = statistics.median(times["bare"])
    sums = [init + first for init, first in zip(times["init"], times["first GET /accounts"], strict=True)]
    for what, taken in (("init", times["init"]), ("init + first GET /accounts", sums)):
        ratio = statistics.median(taken) / bare
        print(f"{what:<26} {ratio:5.2f} times a bare handler's init (at most {LIMITS[what]:.0f})")


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.init")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--code", type=Path, help="directory with service/, instead of the bundle's")
    parser.add_argument("--layer", type=Path, help="directory with python/, instead of the bundle's")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory, database() as url:
        place = Path(directory)
        code, layer = (options.code, options.layer) if options.code and options.layer else unpacked(place)
        report(measure(place, code, layer, url, options.rounds))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
