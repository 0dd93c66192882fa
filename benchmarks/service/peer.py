"""The service beside the public reference app `barcai-tech/ai-success-insights`, A B A B, both over HTTP, at the same accounts.

`PEER_URL` is where it answers, `PEER_DSN` its database, whose tables it has made at its start. Start it on the core that is measured here
(`taskset -c`), on a Postgres with the same settings: `python -m benchmarks.database` runs one. Only one of both is asked at a time.
"""

import json
import os
import statistics
from collections.abc import Callable
from contextlib import closing
from functools import partial

import psycopg2
from psycopg2.extensions import connection

from benchmarks.csv_files import accounts_csv
from benchmarks.function import core, form
from benchmarks.service import peer_data
from benchmarks.service.bench import Bench
from benchmarks.service.http_client import Client
from benchmarks.service.meter import COUNTED, Meter, counting
from benchmarks.service.over_http import served
from benchmarks.service.writes import CLEAR, day_moves

READS = {
    "list of 20": "/accounts?page_size=20",
    "portfolio summary": "/portfolio/summary",
    "one account": "/accounts/17",
}
READ_ROUNDS = 10
FEW = 1000
"""Accounts of an import and of a recompute: the peer takes seconds for them."""


def measure(bench: Bench, accounts: int) -> None:
    url, dsn = os.environ.get("PEER_URL"), os.environ.get("PEER_DSN")
    if not url or not dsn:
        print("\npeer: left out, PEER_URL and PEER_DSN are not set")
        return
    print(
        f"\n### {accounts:,} accounts: beside the peer, over HTTP (this service on core {core()})\n"
    )
    with (
        bench.copied(accounts) as name,
        bench.connected(name) as ours,
        closing(psycopg2.connect(dsn)) as theirs,
    ):
        theirs.autocommit = True
        peer_data.load(ours, theirs, accounts)
        print(
            f"{'p50':<32}{'this service':>14}{'stmts':>7}{'the peer':>14}{'stmts':>7}{'ratio':>9}",
            flush=True,
        )
        with served(bench, name) as (here, meter):
            _compare(bench, name, _Pair(here, meter, Client(url), theirs))


class _Pair:
    """Both services, asked in turns."""

    def __init__(self, here: Client, meter: Meter, there: Client, theirs: connection) -> None:
        self.here, self.meter, self.there, self.theirs = here, meter, there, theirs

    def interleave(
        self,
        what: str,
        rounds: int,
        ask: Callable[[Client, int], float],
        prepare: Callable[[int], object] = int,
    ) -> None:
        """`ask` gives seconds; the last round of each is the one whose statements are counted, and is not timed."""
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(rounds):
            prepare(turn)
            for client, taken in zip((self.here, self.there), times, strict=True):
                taken.append(1000 * ask(client, turn))
        prepare(rounds)
        with counting(self.meter.running):
            counted = (
                str(self.meter.statements(lambda: ask(self.here, rounds))),
                self._their_statements(lambda: ask(self.there, rounds)),
            )
        a, b = map(statistics.median, times)
        print(
            f"{what:<32}{a:11.2f} ms{counted[0]:>7}{b:11.2f} ms{counted[1]:>7}{b / a:8.0f}x",
            flush=True,
        )

    def _their_statements(self, request: Callable[[], object]) -> str:
        """Where their server counts them."""
        with self.theirs.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) > 0 FROM pg_extension WHERE extname = 'pg_stat_statements'"
            )
            (counts,) = cursor.fetchone() or (False,)
            if not counts:
                request()
                return "?"
            cursor.execute("SELECT pg_stat_statements_reset()")
            request()
            cursor.execute(COUNTED, (self.theirs.info.dbname,))
            (count,) = cursor.fetchone() or (0,)
            return str(count - 1)  # the reset itself


def _compare(bench: Bench, name: str, pair: _Pair) -> None:
    for what, path in READS.items():
        pair.interleave(what, READ_ROUNDS, lambda client, _, path=path: client.ask("GET", path)[0])
    pair.interleave(f"CSV of {FEW:,} new accounts", bench.writes, _import)
    bench.execute(name, *CLEAR)
    with bench.connected(name) as ours:
        peer_data.load(ours, pair.theirs, FEW)  # it can only recompute all that it has
    day_moves(bench, name, -1)
    pair.here.ask("POST", "/health/recompute")
    pair.interleave(
        f"recompute of {FEW:,}, all change",
        bench.writes,
        _recompute,
        partial(day_moves, bench, name),
    )


def _import(client: Client, turn: int) -> float:
    headers, body = form(accounts_csv(FEW, start=turn * FEW))
    taken, answer = client.ask("POST", "/ingest/csv", headers=headers, body=body)
    _expect(json.loads(answer), accounts_created=FEW, errors=[])
    return taken


def _recompute(client: Client, _: int) -> float:
    taken, answer = client.ask(
        "POST", f"/health/recompute?limit={FEW}"
    )  # which the peer passes over
    _expect(json.loads(answer), accounts_updated=FEW)
    return taken


def _expect(told: dict[str, object], **wanted: object) -> None:
    if any(told[name] != value for name, value in wanted.items()):
        raise RuntimeError(f"{wanted} was expected: {told}"[:600])
