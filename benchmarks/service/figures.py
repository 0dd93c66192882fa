"""Computes medians of samples and prints them as tables."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.service.meter import Sample

MISSED = "  <-- missed"
HEAD = (
    f"{'':<44}{'least':>9}{'p50 ms':>9}{'p95 ms':>9}{'of':>5}{'stmts':>7}"
    f"{'db CPU':>9}{'fn CPU':>9}{'at most':>12}"
)
"""The header row. A `least` far below the median shows that the machine did other work."""


class Figures(NamedTuple):
    """Times in ms. The CPU times of the database process and of the function are medians."""

    least: float
    p50: float
    p95: float
    samples: int
    server_cpu: float | None
    function_cpu: float
    statements: int | None = None


def of(samples: Sequence[Sample], statements: int | None = None) -> Figures:
    wall = [1000 * sample.wall for sample in samples]
    server = [1000 * sample.server_cpu for sample in samples if sample.server_cpu is not None]
    return Figures(
        least=min(wall),
        p50=statistics.median(wall),
        p95=statistics.quantiles(wall, n=20, method="inclusive")[-1] if len(wall) > 1 else wall[0],
        samples=len(wall),
        server_cpu=statistics.median(server) if server else None,
        function_cpu=statistics.median(1000 * sample.function_cpu for sample in samples),
        statements=statements,
    )


def line(
    name: str,
    figures: Figures,
    limit: float | None,
    most_statements: int | None = None,
    note: str = "",
) -> str:
    """Formats one row under `HEAD`; marks a missed limit."""
    missed = (limit is not None and figures.p50 > limit) or (
        most_statements is not None and (figures.statements or 0) > most_statements
    )
    cells = (
        _ms(figures.least),
        _ms(figures.p50),
        _ms(figures.p95),
        f"{figures.samples:5}",
        _count(figures.statements),
        _ms(figures.server_cpu),
    )
    at_most = "" if limit is None else f"{limit:9.1f} ms"
    mark = MISSED if missed else ""
    return f"{name:<44}{''.join(cells)}{_ms(figures.function_cpu)}{at_most:>12}{note}{mark}"


def growth(by_size: Mapping[int, Mapping[str, Figures]], *, small: int, large: int) -> None:
    """Prints medians by number of accounts, and their growth."""
    ratio = small in by_size and large in by_size
    print(
        f"\n{'p50 in ms by number of accounts':<44}"
        + "".join(f"{size:>12,}" for size in by_size)
        + (f"{'growth':>10}" if ratio else "")
    )
    for name in next(iter(by_size.values()), {}):
        row = "".join(
            f"{figures[name].p50:12.2f}" if name in figures else f"{'':12}"
            for figures in by_size.values()
        )
        grown = (
            by_size[large][name].p50 / by_size[small][name].p50
            if ratio and name in by_size[large]
            else None
        )
        print(f"{name:<44}{row}" + ("" if grown is None else f"{grown:9.1f}x"))


def _ms(value: float | None) -> str:
    return f"{'?':>9}" if value is None else f"{value:9.2f}" if value < 1000 else f"{value:9.0f}"


def _count(value: int | None) -> str:
    return f"{'' if value is None else value:>7}"
