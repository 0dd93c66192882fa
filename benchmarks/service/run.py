"""The command line of `python -m benchmarks.service`."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.database import COUNTING, server, short_lived_home
from benchmarks.function import ROOT, Function, unpacked
from benchmarks.service import figures, fill, meter, reads, together, writes
from benchmarks.service.bench import Bench
from benchmarks.service.cases import LARGE, SMALL
from service.routes.recompute import MAX_ACCOUNTS
from stack.local.lambda_.function_version import install_runtime_client

SIZES = (1000, SMALL, 100_000, LARGE)
OF_SIZE: dict[str, Callable[[Bench, int], None]] = {
    "csv": writes.imports,
    "recompute": writes.recomputes,
    "beside": together.beside_a_writer,
}
"""Measured at `SMALL` accounts; the recompute also at the most that one request takes."""
GROUPS = (*reads.GROUPS, *OF_SIZE)


def main(arguments: Sequence[str] = ()) -> None:
    options = _options(arguments)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        function = Function(*unpacked(directory), install_runtime_client(directory / "client"))
        home = ROOT / ".local/bench" if options.keep else stack.enter_context(short_lived_home())
        names = fill.build(home, options.accounts)
        running = stack.enter_context(server(home, COUNTING))
        meter.prepare(running)
        bench = Bench(
            running=running,
            names=names,
            function=function,
            rounds=options.rounds,
            writes=options.writes,
        )
        _print_load()
        by_size = (
            reads.measure(bench, options.only) if set(options.only) & set(reads.GROUPS) else {}
        )
        for group in OF_SIZE:
            if group in options.only:
                _of_size(bench, group)
        if by_size:
            figures.growth(by_size, small=SMALL, large=LARGE)
        _print_load()


def _of_size(bench: Bench, group: str) -> None:
    sizes = [
        size
        for size in bench.names
        if size == SMALL or (group == "recompute" and SMALL < size <= MAX_ACCOUNTS)
    ]
    if not sizes:
        print(f"\n{group}: skipped, it is measured at {SMALL:,} accounts")
    for size in sizes:
        OF_SIZE[group](bench, size)


def _print_load() -> None:
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(
        f"\nload average {loads} on {len(os.sched_getaffinity(0))} cores at "
        f"{time.strftime('%H:%M:%S')}",
        flush=True,
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service", description="Times the service at several sizes."
    )
    parser.add_argument(
        "--accounts",
        type=_sizes,
        default=SIZES,
        metavar="N,…",
        help=f"default: {','.join(map(str, SIZES))}",
    )
    parser.add_argument(
        "--only",
        type=_groups,
        default=GROUPS,
        metavar="GROUP,…",
        help=f"some of {','.join(GROUPS)}",
    )
    parser.add_argument("--rounds", type=_count, default=30, help="requests of each read")
    parser.add_argument("--writes", type=_count, default=3, help="repetitions of each write")
    parser.add_argument(
        "--keep", action="store_true", help="keep the data in .local/bench and reuse it"
    )
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    if sizes[0] < SIZES[0] or sizes[-1] > LARGE:
        raise argparse.ArgumentTypeError(f"{SIZES[0]} to {LARGE} accounts")
    return sizes


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(text.split(","))
    if unknown := [group for group in groups if group not in GROUPS]:
        raise argparse.ArgumentTypeError(
            f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}"
        )
    return groups
