"""Times every read at every size."""

import json
from collections.abc import Collection

from benchmarks.function import event
from benchmarks.service import figures
from benchmarks.service.bench import Bench
from benchmarks.service.cases import LARGE, SMALL, Case, read_cases
from benchmarks.service.figures import Figures
from benchmarks.service.meter import Invoked, Sample, counting, memory_mb

GROUPS = ("lists", "text", "deep", "portfolio", "account")
PATIENCE = 4.0
"""Seconds that all samples of one case may take, once there are `FEWEST`."""
FEWEST = 5
MOVERS_FIRST = "movers of 30 days, first after a change"
MOVERS_LIMITS = {SMALL: 10.0, LARGE: 2500.0}


def measure(bench: Bench, groups: Collection[str]) -> dict[int, dict[str, Figures]]:
    """Prints a table for each size; returns the figures by size and case."""
    return {accounts: _of_size(bench, accounts, groups) for accounts in bench.names}


def _of_size(bench: Bench, accounts: int, groups: Collection[str]) -> dict[str, Figures]:
    cases = [case for case in read_cases(accounts) if case.group in groups]
    print(f"\n### {accounts:,} accounts: reads\n\n{figures.HEAD}", flush=True)
    name = bench.names[accounts]
    with bench.metered(name) as meter:
        samples = _samples(meter, cases, bench.rounds)
        changed = _movers_after_a_change(bench, name, meter) if "portfolio" in groups else []
        with counting(bench.running):
            counted = {
                case.name: meter.statements(lambda case=case: meter.ask(_event(case)))
                for case in cases
            }
        peak = memory_mb(meter.pid)[1]
    found = {case.name: figures.of(samples[case.name], counted[case.name]) for case in cases}
    for case in cases:
        print(_line(case, accounts, found))
    if changed:
        found[MOVERS_FIRST] = figures.of(changed)
        limit = next(limit for size, limit in MOVERS_LIMITS.items() if accounts <= size)
        print(figures.line(MOVERS_FIRST, found[MOVERS_FIRST], limit))
    print(
        f"peak memory of the function: {peak:.0f} MB; init {meter.function.init * 1000:.0f} ms",
        flush=True,
    )
    return found


def _samples(meter: Invoked, cases: list[Case], rounds: int) -> dict[str, list[Sample]]:
    """Takes `rounds` samples of each case, one round after the other.

    So noise of the machine does not hit one case alone. The first sample of each is discarded.
    """
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for turn in range(rounds + 1):
        for case in cases:
            taken = samples[case.name]
            if len(taken) >= FEWEST and sum(sample.wall for sample in taken) > PATIENCE:
                continue
            sample, response = meter.ask(_event(case))
            if turn:
                taken.append(sample)
            else:
                _check(case, response["body"])
    return samples


def _event(case: Case) -> dict[str, object]:
    return event("GET", case.path, case.query)


def _check(case: Case, body: str) -> None:
    """Raises RuntimeError for a list without accounts, which would measure nothing.

    The combination of all filters may match none at small sizes.
    """
    if (
        case.path == "/accounts"
        and "all four" not in case.name
        and not json.loads(body)["accounts"]
    ):
        raise RuntimeError(f"{case.name}: {case.query} found no account")


def _movers_after_a_change(bench: Bench, name: str, meter: Invoked) -> list[Sample]:
    """Times movers after each of an even number of changes, which leave the data as it was."""
    samples: list[Sample] = []
    for step in (1, -1) * 2:
        bench.execute(name, f"UPDATE accounts SET arr = arr + {step} WHERE id = 1")
        samples.append(meter.ask(event("GET", "/portfolio/movers", "days=30"))[0])
    return samples


def _line(case: Case, accounts: int, found: dict[str, Figures]) -> str:
    measured = found[case.name]
    if case.first is None:
        return figures.line(case.name, measured, case.limit(accounts), case.statements)
    first = found[case.first].p50
    return figures.line(
        case.name,
        measured,
        case.limit(accounts, first),
        case.statements,
        f"  {measured.p50 / first:5.1f}x the first",
    )
