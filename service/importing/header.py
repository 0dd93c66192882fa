"""Reads the header of a file: the column of each of its names."""

import re
from collections.abc import Sequence
from typing import Final

from service.importing.problems import Problem, Problems
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, DERIVED_COLUMNS, Column

ROW: Final = 1
MAX_ECHO: Final = 100
"""Characters of an unknown name that a problem repeats."""

_COLUMNS: Final = {column.name: column for column in (*ACCOUNT_COLUMNS, *DAY_COLUMNS)}
_REQUIRED: Final = tuple(column for column in ACCOUNT_COLUMNS if column.required)
_DATE: Final = DAY_COLUMNS[0]

_ALIASES: Final = {
    "name": "account account_name client client_name company company_name customer customer_name"
    " organisation organization",
    "arr": "annual_recurring_revenue annual_revenue arr_dollar arr_dollars arr_usd",
    "segment": "account_segment customer_segment",
    "industry": "sector vertical",
    "region": "geo geography territory",
    "cs_owner": "account_owner csm csm_name csm_owner customer_success_manager owner"
    " success_manager",
    "renewal_date": "contract_renewal_date next_renewal_date renewal renewal_on renews_on",
    "qbr_last_date": "last_business_review last_qbr last_qbr_date qbr_date",
    "active_users": "active_seats monthly_active_users users",
    "seats_purchased": "licenced_seats licences licensed_seats licenses purchased_seats seats"
    " seats_licensed total_seats",
    "feature_x_adoption": "feature_adoption feature_adoption_pct feature_adoption_rate"
    " feature_x_adoption_pct",
    "weekly_active_pct": "wau_pct weekly_active weekly_active_percent weekly_active_ratio",
    "time_to_value_days": "time_to_value ttv ttv_days",
    "tickets_last_30d": "tickets tickets_30d tickets_last_30_days",
    "critical_tickets_90d": "critical_tickets critical_tickets_90_days critical_tickets_last_90d",
    "sla_breaches_90d": "sla_breaches sla_breaches_90_days sla_breaches_last_90d",
    "nps": "net_promoter_score nps_score",
    "onboarding_phase": "in_onboarding is_onboarding onboarding",
    "expansion_oppty_dollar": "expansion_dollars expansion_opportunity"
    " expansion_opportunity_dollar expansion_oppty",
    "renewal_risk": "risk",
    "date": "day metric_date metrics_date",
    "avg_session_min": "avg_session_minutes session_minutes",
}

_BY_NAME: Final = _COLUMNS | {
    alias: _COLUMNS[name] for name, aliases in _ALIASES.items() for alias in aliases.split()
}


def known(cells: Sequence[str]) -> int:
    """How many of these cells are names of columns, which is largest with the right delimiter."""
    return sum(name in _BY_NAME or name in DERIVED_COLUMNS for name in map(_normal, cells))


def read_header(cells: Sequence[str]) -> list[Column | None]:
    """Return the columns in the order of the file; None is a column that the service derives.

    Raises `InvalidFileError` with all problems of the header.
    """
    problems = Problems()
    if not any(map(str.strip, cells)):
        message = "The file is empty: its first row has to name the columns."
        problems.add(Problem(ROW, None, "empty_file", message))
    problems.check()
    columns: list[Column | None] = []
    seen: set[str] = set()
    for cell in cells:
        name = _normal(cell)
        column = _BY_NAME.get(name)
        if column is None and name not in DERIVED_COLUMNS:
            message = f"There is no such column. There are: {', '.join(_COLUMNS)}."
            problems.add(Problem(ROW, cell.strip()[:MAX_ECHO], "unknown_column", message))
            continue
        canonical = column.name if column else name
        if canonical in seen:
            message = "Two columns of the header mean this one. Keep one of them."
            problems.add(Problem(ROW, canonical, "duplicate_column", message))
        seen.add(canonical)
        columns.append(column)
    for column in _REQUIRED:
        if column.name not in seen:
            message = f"The header has to have the column {column.name}."
            problems.add(Problem(ROW, column.name, "missing_column", message))
    if _DATE.name not in seen and any(column.name in seen for column in DAY_COLUMNS):
        message = "The header has daily metrics: it has to have the column date as well."
        problems.add(Problem(ROW, _DATE.name, "missing_column", message))
    problems.check()
    return columns


def _normal(cell: str) -> str:
    return re.sub("[ _-]+", "_", cell.strip()).lower()
