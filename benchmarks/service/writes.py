"""Times imports and recomputes on a copy of the data; rows that they add are removed in between."""

import json
from collections.abc import Callable

from benchmarks.csv_files import accounts_csv
from benchmarks.function import event, form
from benchmarks.service import figures
from benchmarks.service.bench import Bench
from benchmarks.service.meter import Invoked, Sample, counting, forget_peak, memory_mb
from service.http.multipart import MAX_BYTES

MEMORY_MB = 40.0
CSV_ACCOUNTS = 10_000
CSV_MS, AGAIN_MS, LARGE_CSV_MS, LARGE_AGAIN_MS = 800.0, 250.0, 2500.0, 700.0
RECOMPUTE_MS = {10_000: (600.0, 300.0), 100_000: (4000.0, None)}
"""Limits in ms when all scores change, and when none does."""

CLEAR = (
    "DELETE FROM accounts WHERE name LIKE 'Invented Customer %'",
    "SELECT compact_rollups(0)",
    "VACUUM ANALYZE",
)


def upload(content: bytes) -> dict[str, object]:
    headers, body = form(content)
    return event("POST", "/ingest/csv", headers=headers, body=body)


def new_file(turn: int) -> bytes:
    return accounts_csv(CSV_ACCOUNTS, start=turn * CSV_ACCOUNTS)


def large_file(start: int) -> bytes:
    """Returns as many accounts as fit into the largest accepted file."""
    content = accounts_csv(MAX_BYTES // 100, start=start)[:MAX_BYTES]
    return content[: content.rindex(b"\n") + 1]


def imports(bench: Bench, accounts: int) -> None:
    print(f"\n### {accounts:,} accounts: imports\n\n{figures.HEAD}", flush=True)
    with bench.copied(accounts) as name:
        with bench.metered(name) as meter:
            meter.ask(upload(accounts_csv(10)))  # loads what only an import needs
            bench.execute(name, *CLEAR)
            few, large = f"CSV of {CSV_ACCOUNTS:,} new accounts", "CSV of 4 MiB, all new"
            _import(bench, meter, few, new_file, (CSV_MS, AGAIN_MS))
            _import(bench, meter, large, large_file, (LARGE_CSV_MS, LARGE_AGAIN_MS))
        _memory(bench, name)


def _import(
    bench: Bench,
    meter: Invoked,
    what: str,
    file: Callable[[int], bytes],
    limits: tuple[float, float],
) -> None:
    new: list[Sample] = []
    again: list[Sample] = []
    rows = 0
    for turn in range(bench.writes):
        content = file(turn)
        rows = content.count(b"\n") - 1
        sent = upload(content)
        new.append(_imported(meter, sent, created=rows))
        again.append(_imported(meter, upload(content), created=0))
        bench.execute(meter.name, *CLEAR)
    with counting(bench.running):
        sent = upload(file(0))
        counts = [
            meter.statements(lambda: meter.ask(sent)),
            meter.statements(lambda: meter.ask(upload(file(0)))),
        ]
    bench.execute(meter.name, *CLEAR)
    print(figures.line(f"{what} ({rows:,})", figures.of(new, counts[0]), limits[0]))
    print(
        figures.line("  the same file again", figures.of(again, counts[1]), limits[1]), flush=True
    )


def _imported(meter: Invoked, sent: dict[str, object], *, created: int) -> Sample:
    sample, response = meter.ask(sent)
    result = json.loads(response["body"])
    if (result["accounts_created"], result["accounts_updated"]) != (created, 0):
        raise RuntimeError(f"the import was to create {created} accounts: {result}")
    return sample


def _memory(bench: Bench, name: str) -> None:
    """Measures peak memory during an import of 4 MiB, in a process that imported a small file."""
    with bench.metered(name) as meter:
        pid = meter.pid
        meter.ask(upload(accounts_csv(10)))
        before, _ = memory_mb(pid)
        forget_peak(pid)
        meter.ask(upload(large_file(10)))
        _, peak = memory_mb(pid)
    grown = peak - before
    missed = figures.MISSED if grown > MEMORY_MB else ""
    print(
        f"memory of the function: {before:.0f} MB before, {peak:.0f} MB during a 4 MiB "
        f"file: {grown:+.0f} (at most {MEMORY_MB:.0f}){missed}"
    )


def move_review_dates(bench: Bench, name: str, turn: int) -> None:
    """Changes the last review date of each account, which changes each score, as a new day does."""
    bench.execute(
        name,
        f"UPDATE accounts SET qbr_last_date = CURRENT_DATE - (5 + {turn} + (id % 50))::int",
        "VACUUM accounts",
    )


def recompute() -> dict[str, object]:
    return event("POST", "/health/recompute")


def recomputes(bench: Bench, accounts: int) -> None:
    limits = RECOMPUTE_MS.get(accounts, (None, None))
    print(f"\n### {accounts:,} accounts: recompute\n\n{figures.HEAD}", flush=True)
    with bench.copied(accounts) as name, bench.metered(name) as meter:
        changed: list[Sample] = []
        same: list[Sample] = []
        move_review_dates(bench, name, -1)
        meter.ask(recompute())
        for turn in range(bench.writes):
            move_review_dates(bench, name, turn)
            changed.append(_recomputed(meter, accounts))
            same.append(_recomputed(meter, 0))
            bench.execute(name, "VACUUM account_health")
        move_review_dates(bench, name, bench.writes)
        with counting(bench.running):
            counts = [meter.statements(lambda: meter.ask(recompute())) for _ in range(2)]
    print(figures.line("recompute, all change", figures.of(changed, counts[0]), limits[0]))
    print(
        figures.line("recompute, none changes", figures.of(same, counts[1]), limits[1]), flush=True
    )


def _recomputed(meter: Invoked, changed: int) -> Sample:
    sample, response = meter.ask(recompute())
    result = json.loads(response["body"])
    if result["accounts_updated"] != changed or result["next_cursor"] is not None:
        raise RuntimeError(f"the recompute was to change {changed} accounts, all at once: {result}")
    return sample
