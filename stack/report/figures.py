"""The parts of the report that are figures: the zips, the function's import, the cost a month."""

from collections.abc import Iterator, Sequence
from statistics import median

from stack.report import bundles, cost, prices
from stack.report.make import Found
from stack.report.markdown import Missing, bytes_, code, missing, signed, table


def uploads(found: Found) -> Iterator[str]:
    yield "## Bundle and init time"
    if isinstance(found.uploads, Missing):
        yield from missing(found.uploads)
    else:
        before, after = found.uploads
        yield table(
            ["zip", "base", "head", "difference", "unzipped"],
            _sizes(before, after),
            right=(1, 2, 3, 4),
        )
        yield from _packages(before, after)
    if isinstance(found.init, Missing):
        yield "The function's import could not be timed:"
        yield from missing(found.init)
        return
    rows = [
        [label, f"{1000 * min(taken):.0f} ms", f"{1000 * median(taken):.0f} ms"]
        for label, taken in zip(("base", "head"), found.init, strict=True)
    ]
    yield table(["import of the function", "least", "median"], rows, right=(1, 2))
    yield (
        f"Of {len(found.init[0])} imports each, in turns, on the machine that made this report: compare the two with each other, "
        "not with Lambda."
    )


def _sizes(before: bundles.Bundle, after: bundles.Bundle) -> list[list[str]]:
    rows: list[list[str]] = []
    for name in sorted(before.sizes.keys() | after.sizes.keys()):
        old, new = before.sizes.get(name), after.sizes.get(name)
        grown = (new.zipped if new else 0) - (old.zipped if old else 0)
        rows.append(
            [
                code(name),
                bytes_(old.zipped) if old else "not there",
                bytes_(new.zipped) if new else "not there",
                signed(bytes_(grown), grown),
                bytes_(new.unzipped) if new else "",
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
                    signed(bytes_(new[1] - old[1]), new[1] - old[1]),
                ]
            )
    if rows:
        yield table(["package", "base", "head", "zipped"], rows, right=(3,))


def costs(found: Found) -> Iterator[str]:
    yield "## Cost a month"
    before, after = (
        {line.part: line for line in cost.monthly(side)} for side in (found.before, found.after)
    )
    rows: list[list[str]] = []
    totals = [0.0, 0.0, 0.0, 0.0]
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part), after.get(part)
        figures = [
            old.at_rest if old else 0,
            new.at_rest if new else 0,
            old.busy if old else 0,
            new.busy if new else 0,
        ]
        totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
        last = new or old
        rows.append([code(part), code(last.basis) if last else "", *_money(figures)])
    rows.append(["**all**", "", *_money(totals)])
    yield table(
        ["part", "from", "at rest", "", "throttle used all month", ""], rows, right=(2, 3, 4, 5)
    )
    types = sorted({*cost.unpriced(found.before), *cost.unpriced(found.after)})
    if types:
        yield f"Not in the table of prices: {', '.join(map(code, types))}."
    log_bytes = sum(cost.REQUEST_LOG_BYTES.values())
    yield (
        f"US dollars, list prices as of {prices.AS_OF} in us-east-1 ({'; '.join(prices.PAGES)}), without free allowances. The loads "
        "follow from the configuration: none, and `throttleRate` requests a second for a whole month, the most that the API admits. "
        f"Assumed of a request: {cost.REQUEST_SECONDS * 1000:.0f} ms of the function and {log_bytes} bytes of log. Not in it: stored data "
        "and its history, traffic to browsers, Vercel's seats."
    )


def _money(figures: Sequence[float]) -> list[str]:
    """The head's figure and the difference, at rest and busy."""
    cells: list[str] = []
    for old, new in (figures[:2], figures[2:]):
        difference = round(new - old, 2)
        cells += [f"{new:,.2f}", signed(f"{difference:,.2f}", difference) if difference else "="]
    return cells
