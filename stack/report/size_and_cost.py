"""Writes the report's sections on the zips, the function's import time and the cost a month."""

from collections.abc import Iterator, Sequence
from statistics import median

from stack.report import bundles, cost, prices
from stack.report.collect import ReportData
from stack.report.markdown import Unavailable, code, format_bytes, signed, table, unavailable


def uploads(data: ReportData) -> Iterator[str]:
    """Yield the paragraphs on the zips and on the import time of the function."""
    yield "## Bundle and init time"
    if isinstance(data.uploads, Unavailable):
        yield from unavailable(data.uploads)
    else:
        before, after = data.uploads
        yield table(
            ["zip", "base", "head", "difference", "unzipped"],
            _sizes(before, after),
            right=(1, 2, 3, 4),
        )
        yield from _packages(before, after)
    if isinstance(data.init, Unavailable):
        yield "The function's import could not be timed:"
        yield from unavailable(data.init)
        return
    rows = [
        [label, f"{1000 * min(taken):.0f} ms", f"{1000 * median(taken):.0f} ms"]
        for label, taken in zip(("base", "head"), data.init, strict=True)
    ]
    yield table(["import of the function", "minimum", "median"], rows, right=(1, 2))
    yield (
        f"Of {len(data.init[0])} alternating imports of each side on the machine that ran this "
        "report: compare the sides with each other, not with Lambda."
    )


def _sizes(before: bundles.Bundle, after: bundles.Bundle) -> list[list[str]]:
    rows: list[list[str]] = []
    for name in sorted(before.sizes.keys() | after.sizes.keys()):
        old, new = before.sizes.get(name), after.sizes.get(name)
        growth = (new.zipped if new else 0) - (old.zipped if old else 0)
        rows.append(
            [
                code(name),
                format_bytes(old.zipped) if old else "none",
                format_bytes(new.zipped) if new else "none",
                signed(format_bytes(growth), growth),
                format_bytes(new.unzipped) if new else "",
            ]
        )
    return rows


def _packages(before: bundles.Bundle, after: bundles.Bundle) -> Iterator[str]:
    rows: list[list[str]] = []
    for name in sorted(before.packages.keys() | after.packages.keys()):
        old, new = before.packages.get(name, ("", 0)), after.packages.get(name, ("", 0))
        if old != new:
            rows.append(
                [
                    code(name),
                    code(old[0]) if old[0] else "",
                    code(new[0]) if new[0] else "",
                    signed(format_bytes(new[1] - old[1]), new[1] - old[1]),
                ]
            )
    if rows:
        yield table(["package", "base", "head", "zipped"], rows, right=(3,))


def costs(data: ReportData) -> Iterator[str]:
    """Yield the paragraphs on the cost a month."""
    yield "## Cost a month"
    before, after = (
        {line.part: line for line in cost.monthly(side)} for side in (data.before, data.after)
    )
    rows: list[list[str]] = []
    totals = [0.0, 0.0, 0.0, 0.0]
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part), after.get(part)
        amounts = [
            old.at_rest if old else 0,
            new.at_rest if new else 0,
            old.busy if old else 0,
            new.busy if new else 0,
        ]
        totals = [total + amount for total, amount in zip(totals, amounts, strict=True)]
        current = new or old
        rows.append([code(part), code(current.basis) if current else "", *_money(amounts)])
    rows.append(["**all**", "", *_money(totals)])
    header = ["part", "calculated from", "at rest", "", "throttle used all month", ""]
    yield table(header, rows, right=(2, 3, 4, 5))
    types = sorted({*cost.unpriced(data.before), *cost.unpriced(data.after)})
    if types:
        yield f"Not in the table of prices: {', '.join(map(code, types))}."
    log_bytes = sum(cost.REQUEST_LOG_BYTES.values())
    yield (
        f"US dollars, list prices as of {prices.AS_OF} in us-east-1 ({'; '.join(prices.PAGES)}), "
        "without free allowances. The loads follow from the configuration: no requests, and "
        "`throttleRate` requests a second for a whole month, the most that the API admits. "
        f"Assumed for a request: {cost.REQUEST_SECONDS * 1000:.0f} ms of the function and "
        f"{log_bytes} bytes of log. Not included: stored data and its history, traffic to "
        "browsers, Vercel's seats."
    )


def _money(amounts: Sequence[float]) -> list[str]:
    """Return cells for the head's amount and the difference, at rest and busy.

    amounts: base at rest, head at rest, base busy, head busy.
    """
    cells: list[str] = []
    for old, new in (amounts[:2], amounts[2:]):
        difference = round(new - old, 2)
        cells += [f"{new:,.2f}", signed(f"{difference:,.2f}", difference) if difference else "="]
    return cells
