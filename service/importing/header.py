"""Reads the header of a file: which column each of its names means."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

from service.importing.problems import Problem, Problems
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, DERIVED_COLUMNS, Column

ROW: Final = 1
MAX_ECHO: Final = 100
"""Characters of an unknown name that are repeated."""

_COLUMNS: Final = {column.name: column for column in (*ACCOUNT_COLUMNS, *DAY_COLUMNS)}
_REQUIRED: Final = tuple(column for column in ACCOUNT_COLUMNS if column.required)
_DATE: Final = DAY_COLUMNS[0]

_ALIASES: Final = {
    "external_id": "account_id company_id crm_id customer_id external_account_id record_id "
    "salesforce_id hubspot_id",
    "name": "account account_name client client_name company company_name customer customer_name "
    "organisation organization",
    "arr": "annual_recurring_revenue annual_revenue arr_dollar arr_dollars arr_usd",
    "segment": "account_segment customer_segment",
    "industry": "sector vertical",
    "region": "geo geography territory",
    "cs_owner": "account_owner company_owner csm csm_name csm_owner customer_success_manager owner "
    "owner_email owner_name success_manager",
    "renewal_date": "contract_renewal_date next_renewal_date renewal renewal_on renews_on",
    "qbr_last_date": "last_business_review last_qbr last_qbr_date qbr_date",
    "active_users": "active_seats monthly_active_users users",
    "seats_purchased": "licenced_seats licences licensed_seats licenses purchased_seats seats "
    "seats_licensed total_seats",
    "feature_x_adoption": "feature_adoption feature_adoption_pct feature_adoption_rate "
    "feature_x_adoption_pct",
    "weekly_active_pct": "wau_pct weekly_active weekly_active_percent weekly_active_ratio",
    "time_to_value_days": "time_to_value ttv ttv_days",
    "tickets_last_30d": "tickets tickets_30d tickets_last_30_days",
    "critical_tickets_90d": "critical_tickets critical_tickets_90_days critical_tickets_last_90d",
    "sla_breaches_90d": "sla_breaches sla_breaches_90_days sla_breaches_last_90d",
    "nps": "net_promoter_score nps_score",
    "onboarding_phase": "in_onboarding is_onboarding onboarding",
    "expansion_oppty_dollar": "expansion_dollars expansion_opportunity "
    "expansion_opportunity_dollar expansion_oppty",
    "renewal_risk": "risk",
    "date": "day metric_date metrics_date",
    "avg_session_min": "avg_session_minutes session_minutes",
}

_BY_NAME: Final = _COLUMNS | {
    alias: _COLUMNS[name] for name, aliases in _ALIASES.items() for alias in aliases.split()
}


class IgnoredColumn(NamedTuple):
    """A column that is not imported. `nearest` is the known name that is most like it, or None."""

    header: str
    nearest: str | None


class Header(NamedTuple):
    """The columns in the order of the file, None where one is not imported."""

    columns: list[Column | None]
    names: list[str]
    ignored: list[IgnoredColumn]


def count_known(cells: Sequence[str]) -> int:
    """Return how many of these names are known: the right delimiter gives the most."""
    return sum(name in _BY_NAME or name in DERIVED_COLUMNS for name in map(_normal, cells))


def read_header(
    cells: Sequence[str], *, mapping: Mapping[str, str] | None = None, segment: str | None = None
) -> Header:
    """Read the names.

    mapping: header names to column names, "" to ignore one; it goes before what is known.
    segment: the value of a file that has no such column.
    Raises `InvalidFileError` with all that is wrong with the names, before any row is read.
    """
    problems = Problems()
    if not any(map(str.strip, cells)):
        message = "The file is empty: its first row has to name the columns."
        problems.add(Problem(ROW, None, "empty_file", message))
    problems.check()
    mapped = {_normal(name): column for name, column in (mapping or {}).items()}
    _check_mapping(mapping or {}, {_normal(cell) for cell in cells}, problems)
    columns: list[Column | None] = []
    ignored: list[IgnoredColumn] = []
    headers: dict[str, str] = {}
    for cell in cells:
        name, shown = _normal(cell), cell.strip()[:MAX_ECHO]
        column = _COLUMNS.get(mapped[name]) if name in mapped else _BY_NAME.get(name)
        columns.append(column)
        if column is None:
            if name:
                nearest = None if name in DERIVED_COLUMNS else _nearest(name)
                ignored.append(IgnoredColumn(shown, nearest))
            continue
        if column.name in headers:
            message = (
                "Two columns of the header mean this one. Remove one of them, or map it to "
                "another column."
            )
            problems.add(Problem(ROW, column.name, "duplicate_column", message))
        headers[column.name] = shown
    _check_required(headers, ignored, problems, segment=segment)
    problems.check()
    return Header(columns, [cell.strip()[:MAX_ECHO] for cell in cells], ignored)


def _check_mapping(mapping: Mapping[str, str], present: set[str], problems: Problems) -> None:
    for header, target in mapping.items():
        if _normal(header) not in present:
            message = "The mapping names a column that the header does not have."
            problems.add(Problem(ROW, header[:MAX_ECHO], "unknown_header", message))
        if target and target not in _COLUMNS:
            nearest = _nearest(_normal(target))
            hint = f" Did you mean {nearest}?" if nearest else ""
            message = f"The mapping has an unknown target.{hint} Known are: {', '.join(_COLUMNS)}."
            problems.add(Problem(ROW, header[:MAX_ECHO], "unknown_column", message))


def _check_required(
    headers: Mapping[str, str],
    ignored: Sequence[IgnoredColumn],
    problems: Problems,
    *,
    segment: str | None,
) -> None:
    unknown = ", ".join(column.header for column in ignored[:10])
    hint = f" If one of these is it, map it: {unknown}." if ignored else ""
    for column in _REQUIRED:
        if column.name in headers or (column.name == "segment" and segment is not None):
            continue
        default = (
            " A file whose accounts are all of one segment can be imported with segment=SMB, "
            "Mid-Market or Enterprise."
            if column.name == "segment"
            else ""
        )
        message = f"The header has to have the column {column.name}.{default}{hint}"
        problems.add(Problem(ROW, column.name, "missing_column", message))
    if _DATE.name not in headers and any(column.name in headers for column in DAY_COLUMNS):
        message = "The header has columns of daily metrics: it has to have the column date as well."
        problems.add(Problem(ROW, _DATE.name, "missing_column", message))


def _nearest(name: str) -> str | None:
    near = get_close_matches(name, _BY_NAME, 1, 0.6)
    return _BY_NAME[near[0]].name if near else None


def _normal(cell: str) -> str:
    return re.sub("[ _\u00a0-]+", "_", cell.strip()).lower()
