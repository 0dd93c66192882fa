"""Requests side by side: reads beside a writer, writers beside each other, a write beside an open import."""

import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from time import perf_counter
from typing import Any

from benchmarks.csv_files import accounts_csv
from benchmarks.function import event
from benchmarks.service import figures
from benchmarks.service.bench import Bench
from benchmarks.service.meter import Invoked, Sample
from benchmarks.service.writes import CLEAR, CSV_ACCOUNTS, day_moves, recompute, upload
from service.clock import today
from service.importing import read_file
from service.queries.imports import load

BESIDE_TIMES = 2.0
"""A read beside a writer may take so many times its quiet time."""
WRITERS = 6
PATCHES = 100
OPEN_ROWS = 5000

_LIST = ("GET", "/accounts", "page_size=20&sort=-arr")


def beside_a_writer(bench: Bench, accounts: int) -> None:
    cores = len(os.sched_getaffinity(0))
    print(
        f"\n### {accounts:,} accounts: a read beside a writer (two functions and the database on {cores} cores)\n\n{figures.HEAD}",
        flush=True,
    )
    with (
        bench.copied(accounts) as name,
        bench.metered(name) as reader,
        bench.metered(name, pinned=False) as writer,
    ):
        quiet = figures.of([reader.ask(event(*_LIST))[0] for _ in range(bench.rounds * 2)])
        print(figures.line("list of 20, quiet", quiet, None))

        def scores(turn: int) -> Callable[[], object]:
            day_moves(bench, name, turn)
            return lambda: writer.ask(recompute())

        def new_accounts(turn: int) -> Callable[[], object]:
            sent = upload(accounts_csv(CSV_ACCOUNTS, start=turn * CSV_ACCOUNTS))
            return lambda: writer.ask(sent)

        for what, write in (
            ("a recompute, all change", scores),
            (f"an import of {CSV_ACCOUNTS:,}", new_accounts),
        ):
            samples: list[Sample] = []
            for turn in range(bench.writes):
                samples += _while(write(turn), lambda: reader.ask(event(*_LIST))[0])
            beside = figures.of(samples)
            note = f"  {beside.p50 / quiet.p50:5.1f}x quiet"
            print(
                figures.line(
                    f"list of 20 beside {what}", beside, BESIDE_TIMES * quiet.p50, note=note
                ),
                flush=True,
            )
            bench.execute(name, *CLEAR)


def _while(write: Callable[[], object], read: Callable[[], Sample]) -> list[Sample]:
    """Reads that were begun while the write went on."""
    samples: list[Sample] = []
    with ThreadPoolExecutor(1) as pool:
        track: Future[object] = pool.submit(write)
        while not track.done():
            samples.append(read())
        track.result()
    return samples


def writers(bench: Bench, accounts: int) -> None:
    print(f"\n### {accounts:,} accounts: writers beside each other\n\n{figures.HEAD}", flush=True)
    with bench.copied(accounts) as name:
        before = _deadlocks(bench, name)
        with ExitStack() as stack:
            meters = [
                stack.enter_context(bench.metered(name, pinned=False)) for _ in range(WRITERS)
            ]
            alone = figures.of(_patches(meters[0], 1))
            print(figures.line("PATCH of one account, one writer", alone, None))
            began = perf_counter()
            with ThreadPoolExecutor(WRITERS) as pool:
                samples = [
                    sample
                    for each in pool.map(_patches, meters, range(1, WRITERS + 1))
                    for sample in each
                ]
            rate = len(samples) / (perf_counter() - began)
            print(
                figures.line(
                    f"PATCH of one account, {WRITERS} writers",
                    figures.of(samples),
                    None,
                    note=f"  {rate:.0f} transactions/s",
                )
            )
            _beside_an_open_import(bench, name, meters[0], alone.p50)
        deadlocks = (
            _deadlocks(bench, name) - before
        )  # sessions have told all of theirs when they have ended
        print(
            f"deadlocks: {deadlocks} (at most 0){figures.MISSED if deadlocks else ''}", flush=True
        )


def _patches(meter: Invoked, writer: int) -> list[Sample]:
    """Of accounts that are this writer's own. Each changes the score."""
    return [meter.ask(_patch(writer * 1000 + number % 50, number))[0] for number in range(PATCHES)]


def _patch(account: int, number: int) -> dict[str, Any]:
    body = json.dumps({"nps": number % 100, "arr": 10_000 + number}).encode()
    return event(
        "PATCH", f"/accounts/{account}", headers={"content-type": "application/json"}, body=body
    )


def _beside_an_open_import(bench: Bench, name: str, meter: Invoked, alone_ms: float) -> None:
    """An import that updates its accounts, done in all but its commit."""
    with bench.connected(name) as opened, opened.cursor() as statements:
        opened.autocommit = False
        for seed in (1, 2):
            file = read_file(BytesIO(accounts_csv(OPEN_ROWS, seed=seed)))
            told = load(statements, file, today=today(), dry_run=False)
            if seed == 1:
                opened.commit()
            elif told["accounts_updated"] != OPEN_ROWS:
                raise RuntimeError(f"the import was to update {OPEN_ROWS} accounts: {told}")
        beside = figures.of(_patches(meter, 1))
        opened.rollback()
    waits = beside.p95 > 10 * max(alone_ms, 5)
    note = f"  {'waits' if waits else 'does not wait'}"
    print(
        figures.line(f"PATCH beside an open import of {OPEN_ROWS:,}", beside, None, note=note),
        flush=True,
    )


def _deadlocks(bench: Bench, name: str) -> int:
    return bench.value(name, f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'")
