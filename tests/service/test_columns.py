"""Copies of the columns that are written by hand agree with `service.schema.columns`."""

from datetime import UTC, datetime

from service.importing.header import read_header
from service.samples import generate
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS, DERIVED_COLUMNS
from service.schema.requests import AccountChange, WhatIf
from service.schema.responses import AccountDetail
from service.schema.responses.histories import DailyMetrics
from service.schema.tables import METADATA
from service.scoring import Inputs
from tests.service.lambda_api import Api

NAMES = [column.name for column in ACCOUNT_COLUMNS]
COMPUTED_INPUTS = {"session_minutes", "days_since_review", "days_to_renewal"}
"""Inputs of the score that are computed from daily metrics or from dates."""


def test_the_select_list_of_accounts_has_every_column(sampled: Api) -> None:
    """`service.queries.accounts`: if this fails, add the column to its SELECT list."""
    account = sampled.get("/accounts", page_size=1).json["accounts"][0]
    assert {*account} == {*NAMES, *DERIVED_COLUMNS, "latest_health_factors"}
    assert [name for name in account if name in NAMES] == NAMES


def test_models_and_tables_have_every_column() -> None:
    assert [*AccountChange.model_fields] == NAMES
    assert {*WhatIf.model_fields} - {"avg_session_min"} <= {*NAMES} < {*AccountDetail.model_fields}
    assert {*METADATA.tables["accounts"].columns.keys()} == {
        *("id", "created_at", "updated_at"),
        *NAMES,
    }
    days = [column.name for column in DAY_COLUMNS]
    assert [*METADATA.tables["account_metrics_daily"].columns.keys()] == ["id", "account_id", *days]
    assert [*DailyMetrics.model_fields] == ["id", "account_id", *days]


def test_an_import_knows_every_column_by_its_name() -> None:
    columns = (*ACCOUNT_COLUMNS, *DAY_COLUMNS)
    assert read_header([column.name for column in columns]).columns == list(columns)


def test_samples_and_inputs_of_the_score_are_columns() -> None:
    (sample,) = generate(1, 1, datetime.now(UTC).date())
    assert {*sample.account()} <= {*NAMES, "created_at", "updated_at"}
    assert {*Inputs._fields} - COMPUTED_INPUTS <= {*NAMES}


def test_every_column_has_an_example_within_its_limits() -> None:
    examples = {column.name: column.example for column in ACCOUNT_COLUMNS}
    assert None not in examples.values()
    AccountChange.model_validate(examples)
