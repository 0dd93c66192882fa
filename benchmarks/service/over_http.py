"""The service behind the local cloud's gateway, over real HTTP: what a browser on this machine waits for."""

import asyncio
import tempfile
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import gateway
from benchmarks.csv_files import accounts_csv
from benchmarks.database import url_of
from benchmarks.function import HANDLER, form, pin
from benchmarks.service import figures
from benchmarks.service.bench import Bench
from benchmarks.service.http_client import Client
from benchmarks.service.meter import Meter, Sample
from benchmarks.service.writes import CLEAR, CSV_ACCOUNTS

READS = {
    "list of 20": "/accounts?page_size=20",
    "list of 20, bucket by -health_score": "/accounts?page_size=20&bucket=Red&sort=-health_score",
    "list of 100": "/accounts?page_size=100",
    "portfolio metrics": "/portfolio/metrics",
    "attention, 20 of 180 days": "/portfolio/attention?limit=20&days=180",
    "one account": "/accounts/17",
    "health-history": "/accounts/17/health-history",
}


@contextmanager
def served(bench: Bench, name: str) -> Generator[tuple[Client, Meter]]:
    """A client of the service on a database, and a meter of the function, which is alone on one core and warm."""
    function = gateway.version(
        HANDLER,
        bench.function.code,
        layers=(bench.function.layer,),
        DATABASE_URL=url_of(bench.running, name),
    )
    ready: Future[tuple[int, int]] = Future()
    loop, done = asyncio.new_event_loop(), asyncio.Event()

    async def serve(directory: Path) -> None:
        async with gateway.served(directory, function) as (functions, port):
            ready.set_result((port, functions.pids("benchmark")[0]))
            await done.wait()

    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as directory,
        ThreadPoolExecutor(1) as pool,
    ):
        serving = pool.submit(loop.run_until_complete, serve(Path(directory)))
        serving.add_done_callback(
            lambda ended: (
                None
                if ready.done()
                else ready.set_exception(ended.exception() or RuntimeError("it ended"))
            )
        )
        try:
            port, pid = ready.result()
            pin(pid)
            client = Client(f"http://127.0.0.1:{port}")
            for _ in range(3):
                client.ask("GET", "/accounts?page_size=20")
            yield client, Meter(bench.running, name, pid)
            client.close()
        finally:
            loop.call_soon_threadsafe(done.set)
            wait([serving])
            loop.close()


def measure(bench: Bench, accounts: int) -> None:
    print(
        f"\n### {accounts:,} accounts: over HTTP, through the local gateway\n\n{figures.HEAD}",
        flush=True,
    )
    with bench.copied(accounts) as name, served(bench, name) as (client, meter):
        for what, path in READS.items():
            samples = [
                meter.around(partial(client.ask, "GET", path))[0] for _ in range(bench.rounds + 1)
            ][1:]
            print(figures.line(what, figures.of(samples), None))
        samples: list[Sample] = []
        for turn in range(bench.writes):
            headers, body = form(accounts_csv(CSV_ACCOUNTS, start=turn * CSV_ACCOUNTS))
            samples.append(
                meter.around(
                    partial(client.ask, "POST", "/ingest/csv", headers=headers, body=body)
                )[0]
            )
            bench.execute(name, *CLEAR)
        print(
            figures.line(f"CSV of {CSV_ACCOUNTS:,} new accounts", figures.of(samples), None),
            flush=True,
        )
