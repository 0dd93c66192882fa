"""Times a read while another function writes."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from benchmarks.csv_files import accounts_csv
from benchmarks.function import event
from benchmarks.service import figures
from benchmarks.service.bench import Bench
from benchmarks.service.meter import Sample
from benchmarks.service.writes import CLEAR, CSV_ACCOUNTS, move_review_dates, recompute, upload

BESIDE_TIMES = 2.0
"""Limit of a read beside a writer, as a multiple of its time without one."""

_LIST = ("GET", "/accounts", "page_size=20&sort=-arr")


def beside_a_writer(bench: Bench, accounts: int) -> None:
    cores = len(os.sched_getaffinity(0))
    print(
        f"\n### {accounts:,} accounts: a read beside a writer (two functions and the "
        f"database on {cores} cores)\n\n{figures.HEAD}",
        flush=True,
    )
    with (
        bench.copied(accounts) as name,
        bench.metered(name) as reader,
        bench.metered(name, pinned=False) as writer,
    ):
        quiet = figures.of([reader.ask(event(*_LIST))[0] for _ in range(bench.rounds * 2)])
        print(figures.line("list of 20, no writer", quiet, None))

        def scores(turn: int) -> Callable[[], object]:
            move_review_dates(bench, name, turn)
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
            note = f"  {beside.p50 / quiet.p50:5.1f}x of no writer"
            print(
                figures.line(
                    f"list of 20 beside {what}", beside, BESIDE_TIMES * quiet.p50, note=note
                ),
                flush=True,
            )
            bench.execute(name, *CLEAR)


def _while(write: Callable[[], object], read: Callable[[], Sample]) -> list[Sample]:
    """Runs `read` again and again until `write` has ended."""
    samples: list[Sample] = []
    with ThreadPoolExecutor(1) as pool:
        writing: Future[object] = pool.submit(write)
        while not writing.done():
            samples.append(read())
        writing.result()
    return samples
