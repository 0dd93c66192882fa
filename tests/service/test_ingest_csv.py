"""CSV files over HTTP, on a real database: all of a file or nothing, and only what differs."""

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from benchmarks.csv_files import accounts_csv, days_csv
from service.http.multipart import MAX_BYTES
from service.importing import InvalidFileError, protected, read_file
from service.queries import imports
from service.queries.scores import rescore
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS
from service.schema.responses import Account, Problem
from tests.service.imported import counts, everything, fetch, stale
from tests.service.lambda_api import Api, Response, api
from tests.service.uploads import MULTIPART, body, part, send, upload

FIRST = (
    "name,arr,segment,nps,cs_owner,expansion_oppty_dollar\n"
    "Acme,1200,SMB,5,Lena,300\nBeta,50,Enterprise,,,\n"
)
DAYS = (
    "name,arr,segment,date,logins,avg_session_min\n"
    "Acme,1,SMB,2026-01-01,5,20\nAcme,,,2026-01-02,6,30\nBeta,2,SMB,2026-01-01,7,\n"
)


def account(sql: connection, name: str, *columns: str) -> Any:
    with sql.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM accounts WHERE name = %s", (name,))
        return cursor.fetchone()


def refused(response: Response) -> list[tuple[int, str | None, str]]:
    assert response.status == 422, response.text
    found = Problem.model_validate_json(response.text, strict=True, extra="forbid")
    assert found.detail.startswith("Nothing was written. Correct row ")
    return [(error["row"], error["column"], error["code"]) for error in response.json["errors"]]


def test_new_accounts_are_written_scored_and_counted(service: Api, sql: connection) -> None:
    assert counts(upload(service, FIRST)) == (2, 0, 0, 0, 0)
    columns = (
        "arr::text", "segment", "nps", "cs_owner", "expansion_oppty_dollar::text", "renewal_date",
    )  # fmt: skip
    assert account(sql, "Acme", *columns) == ("1200.00", "SMB", 5, "Lena", "300.00", None)
    assert account(sql, "Beta", "nps", "cs_owner", "expansion_oppty_dollar::text") == (
        None,
        None,
        "0.00",
    )
    for found in service.get("/accounts").json["accounts"]:
        Account.model_validate(found)
        assert found["health_coverage"] == (0.15 if found["name"] == "Acme" else 0)
    assert stale(sql) == []


def test_every_column_arrives(service: Api, sql: connection) -> None:
    spelled = {
        "arr": ("$1,200.50", 1200.5), "segment": ("mid market", "Mid-Market"),
        "feature_x_adoption": ("50%", 0.5), "onboarding_phase": ("no", False),
        "renewal_risk": ("low", "Low"),
    }  # fmt: skip
    columns = (*ACCOUNT_COLUMNS, *DAY_COLUMNS)
    values = {
        column.name: spelled.get(column.name, (str(column.example), column.example))
        for column in columns
    }
    header, row = ";".join(values), ";".join(cell for cell, _ in values.values())
    assert counts(upload(service, f"{header}\n{row}\n")) == (1, 0, 0, 1, 0)
    found = service.get("/accounts").json["accounts"][0]
    assert {column.name: found[column.name] for column in ACCOUNT_COLUMNS} == {
        column.name: values[column.name][1] for column in ACCOUNT_COLUMNS
    }
    assert fetch(
        sql,
        "SELECT date::text, logins, events, feature_x_events, errors, ticket_backlog,"
        " avg_session_min FROM account_metrics_daily",
    ) == [tuple(column.example for column in DAY_COLUMNS)]


@pytest.mark.parametrize(
    "content",
    [FIRST.encode(), DAYS.encode(), accounts_csv(200), days_csv(5, 40)],
    ids=["few", "days", "many", "history"],
)
def test_the_same_file_again_touches_nothing(service: Api, sql: connection, content: bytes) -> None:
    created = counts(upload(service, content))
    before = everything(sql)
    assert counts(upload(service, content)) == (0, 0, created[0], 0, 0)
    assert everything(sql) == before


def test_what_differs_is_updated_and_the_rest_is_not_touched(service: Api, sql: connection) -> None:
    upload(service, FIRST)
    before, then = everything(sql), account(sql, "Acme", "updated_at")
    assert counts(upload(service, FIRST.replace(",5,", ",-40,"))) == (0, 1, 1, 0, 0)
    assert account(sql, "Acme", "nps") == (-40,)
    assert account(sql, "Acme", "updated_at") > then
    assert len({*before["accounts"]} & {*everything(sql)["accounts"]}) == 1
    assert len(everything(sql)["health_snapshots"]) == len(before["health_snapshots"]) + 1
    assert stale(sql) == []


def test_a_column_that_is_not_there_leaves_its_values_and_a_blank_cell_says_unknown(
    service: Api, sql: connection
) -> None:
    upload(service, FIRST)
    assert counts(upload(service, "name,arr,segment\nAcme,1200,SMB\n")) == (0, 0, 1, 0, 0)
    assert account(sql, "Acme", "nps", "cs_owner", "expansion_oppty_dollar") == (5, "Lena", 300)
    assert counts(
        upload(service, "name,arr,segment,nps,expansion_oppty_dollar\nAcme,1200,SMB,,\n")
    ) == (0, 1, 0, 0, 0)
    assert account(sql, "Acme", "nps", "cs_owner", "expansion_oppty_dollar") == (None, "Lena", 0)


def test_days_are_upserted_across_files(service: Api, sql: connection) -> None:
    assert counts(upload(service, DAYS)) == (2, 0, 0, 3, 0)
    later = DAYS.replace("2026-01-02,6,30", "2026-01-02,9,30").replace(
        "2026-01-01,5", "2026-01-03,5"
    )
    assert counts(upload(service, later)) == (0, 0, 2, 1, 1)
    found = fetch(
        sql,
        "SELECT name, date::text, logins FROM account_metrics_daily"
        " JOIN accounts a ON a.id = account_id ORDER BY 1, 2",
    )
    assert found == [
        ("Acme", "2026-01-01", 5),
        ("Acme", "2026-01-02", 9),
        ("Acme", "2026-01-03", 5),
        ("Beta", "2026-01-01", 7),
    ]
    assert stale(sql) == []


def test_a_metric_that_is_not_in_the_file_keeps_its_value(service: Api, sql: connection) -> None:
    upload(service, DAYS)
    assert counts(upload(service, "name,arr,segment,date,errors\nAcme,1,SMB,2026-01-01,3\n")) == (
        0,
        0,
        1,
        0,
        1,
    )
    assert fetch(
        sql,
        "SELECT logins, errors FROM account_metrics_daily WHERE date = '2026-01-01' AND logins = 5",
    ) == [(5, 3)]


def test_an_account_of_which_only_days_changed_is_scored_again_and_its_row_left_alone(
    service: Api, sql: connection
) -> None:
    upload(service, DAYS)
    accounts, scores = (
        everything(sql)["accounts"],
        fetch(sql, "SELECT component_points[4] FROM account_health ORDER BY account_id"),
    )
    assert counts(upload(service, DAYS.replace(",30\n", ",10\n"))) == (0, 0, 2, 0, 1)
    assert everything(sql)["accounts"] == accounts
    assert (
        fetch(sql, "SELECT component_points[4] FROM account_health ORDER BY account_id") != scores
    )
    assert stale(sql) == []


@pytest.mark.parametrize(
    "content",
    [
        FIRST,
        DAYS,
        FIRST + "Gamma,1,SMB,1,,\n",
        FIRST.replace("Lena", "Bo"),
        DAYS.replace(",7,", ",8,"),
    ],
)
def test_a_dry_run_counts_what_an_import_does_and_writes_nothing(
    service: Api, sql: connection, content: str
) -> None:
    for given_before in (None, FIRST, DAYS):
        if given_before:
            upload(service, given_before)
        before = everything(sql)
        dry = upload(service, content, dry_run="true")
        assert dry.json["message"].startswith("Dry run, nothing was written.")
        assert everything(sql) == before
        assert counts(dry) == counts(upload(service, content, dry_run="false"))


def test_a_dry_run_refuses_what_an_import_does(service: Api) -> None:
    assert (
        upload(service, FIRST + "Gamma,x,SMB,1,,\n", dry_run="true").json["errors"]
        == upload(service, FIRST + "Gamma,x,SMB,1,,\n").json["errors"]
    )


def test_one_bad_row_leaves_the_database_as_it_was(service: Api, sql: connection) -> None:
    upload(service, FIRST)
    before = everything(sql)
    content = accounts_csv(300) + b"Acme,maybe" + b"," * 15 + b"\n"
    assert refused(upload(service, content)) == [(302, "arr", "dollars_expected")]
    assert everything(sql) == before


def test_five_hundred_bad_rows_are_a_hundred_listed_and_all_counted(
    service: Api, sql: connection
) -> None:
    response = upload(
        service,
        "name,arr,segment\n" + "".join(f"Customer {number},x,SMB\n" for number in range(500)),
    )
    assert refused(response) == [(row, "arr", "dollars_expected") for row in range(2, 102)]
    assert response.json["total_errors"] == 500
    assert fetch(sql, "SELECT count(*) FROM accounts") == [(0,)]


BAD: dict[str, tuple[bytes, tuple[int, str | None, str]]] = {
    "UTF-16 without a mark": (FIRST.encode("utf-16-le"), (1, None, "encoding")),
    "UTF-32": (FIRST.encode("utf-32"), (1, None, "encoding")),
    "workbook": (b"PK\x03\x04 and more", (1, None, "not_csv")),
    "Latin-1": (FIRST.replace("Beta", "Zoë").encode("latin-1"), (3, None, "encoding")),
    "surrogate": (FIRST.encode().replace(b"Beta", b"\xed\xa0\x80"), (3, None, "encoding")),
    "empty": (b"", (1, None, "empty_file")),
    "header only": (b"name,arr,segment\n", (2, None, "no_rows")),
    "NUL": (FIRST.encode().replace(b"Beta", b"Be\x00ta"), (3, "name", "control_character")),
    "long cell": (FIRST.encode().replace(b"Beta", b"x" * 131_073), (3, "name", "too_long")),
    "long name": (FIRST.encode().replace(b"Beta", b"x" * 10_001), (3, "name", "too_long")),
    "unclosed quote": (FIRST.encode().replace(b"Beta", b'"Beta'), (3, None, "unclosed_quote")),
    "too many cells": (FIRST.encode() + b"Gamma,1,SMB,1,,,x\n", (4, None, "too_many_cells")),
    "too few cells": (FIRST.encode() + b"Gamma,1,SMB\n", (4, None, "too_few_cells")),
    "spreadsheet error": (FIRST.encode().replace(b"Lena", b"#N/A"), (2, "cs_owner", "excel_error")),
    "invisible": (FIRST.replace("Acme", "Ac\u200bme").encode(), (2, "name", "invisible_character")),
    "duplicate header": (b"name,arr,segment,ARR\nAcme,1,SMB,1\n", (1, "arr", "duplicate_column")),
    "missing column": (b"name,segment\nAcme,SMB\n", (1, "arr", "missing_column")),
    "duplicate day": (DAYS.encode() + b"Acme,1,SMB,2026-01-02,6,30\n", (5, "date", "duplicate")),
    "contradiction": (FIRST.encode() + b"Acme,1,SMB,5,Lena,300\n", (4, "arr", "contradiction")),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_read_is_refused_with_row_column_and_code(
    service: Api, sql: connection, case: str
) -> None:
    content, error = BAD[case]
    response = upload(service, content)
    assert refused(response) == [error]
    assert response.json["total_errors"] == 1
    assert response.text.isascii()
    assert fetch(sql, "SELECT count(*) FROM accounts") == [(0,)]


def test_equal_files_of_other_bytes_give_equal_results(service: Api, sql: connection) -> None:
    upload(service, FIRST)
    before = everything(sql)
    for content in (
        "\ufeff" + FIRST,
        FIRST.replace("\n", "\r\n"),
        FIRST.replace("\n", "\r"),
        FIRST.replace(",", ";"),
        FIRST.replace(",", "\t"),
    ):
        assert counts(upload(service, content)) == (0, 0, 2, 0, 0)
    assert everything(sql) == before


def test_a_file_of_four_mebibytes_is_taken_and_one_byte_more_is_not(
    service: Api, sql: connection
) -> None:
    content = accounts_csv(1) + accounts_csv(32_000, start=1).partition(b"\n")[2]
    whole = content[: content.rindex(b"\n", 0, MAX_BYTES) + 1]
    padded = whole + b"\n" * (MAX_BYTES - len(whole))
    response = upload(service, padded + b"\n")
    assert (response.status, response.headers["content-type"]) == (413, "application/problem+json")
    assert str(MAX_BYTES) in response.json["detail"]
    assert fetch(sql, "SELECT count(*) FROM accounts") == [(0,)]
    assert len(padded) == MAX_BYTES
    assert counts(upload(service, padded)) == (whole.count(b"\n") - 1, 0, 0, 0, 0)
    assert fetch(
        sql,
        "SELECT count(*) FROM accounts JOIN account_health"
        " ON account_id = id WHERE score IS NOT NULL",
    ) == [(whole.count(b"\n") - 1,)]


NAMES = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'=1",
    "''",
    "'s Gravenhage",
    'Zoë "Ω"; Ltd',
    "\\N",
    "\\.",
    "C:\\temp",
    "💡",
]


def test_names_that_look_like_formulas_or_like_syntax_are_stored_as_they_were_meant(
    service: Api, sql: connection
) -> None:
    quoted = ['"{}"'.format(protected(name).replace('"', '""')) for name in NAMES]
    content = "name,arr,segment,nps\n" + "".join(f"{name},1,SMB,-5\n" for name in quoted)
    assert counts(upload(service, content)) == (len(NAMES), 0, 0, 0, 0)
    assert {name for (name,) in fetch(sql, "SELECT name FROM accounts WHERE nps = -5")} == {*NAMES}
    assert counts(upload(service, content)) == (0, 0, len(NAMES), 0, 0)


def test_names_that_differ_in_spaces_around_them_are_one(service: Api) -> None:
    assert counts(upload(service, "name,arr,segment\nAcme,1,SMB\nAcme  ,1,SMB\n")) == (
        1,
        0,
        0,
        0,
        0,
    )
    assert counts(upload(service, "name,arr,segment\n  Acme,1,SMB\n")) == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (FIRST.encode(), "text/csv", 415),
        (FIRST.encode(), "", 415),
        (b"file=x", "application/x-www-form-urlencoded", 415),
        (body(part(FIRST.encode())), "multipart/form-data", 422),
        (body(part(FIRST.encode())), "multipart/form-data; boundary=", 422),
        (body(part(FIRST.encode())), "multipart/form-data; boundary=other", 422),
        (body(part(FIRST.encode())), "multipart/form-data; boundary=" + "x" * 1000, 422),
        (body(), MULTIPART, 422),
        (b"", MULTIPART, 422),
        (FIRST.encode(), MULTIPART, 422),
        (body(part(FIRST.encode())).removesuffix(b"--\r\n"), MULTIPART, 422),
        (body(part(FIRST.encode())).removesuffix(b"\r\n"), MULTIPART, 200),
        (body(part(FIRST.encode()))[:-60], MULTIPART, 422),
        (body(part(FIRST.encode()), part(FIRST.encode())), MULTIPART, 422),
        (body(*[part(FIRST.encode())] * 5), MULTIPART, 422),
        (body(part(FIRST.encode()), part(b"x", 'name="other"')), MULTIPART, 422),
        (body(part(FIRST.encode(), 'name="file"')), MULTIPART, 422),
        (body(part(FIRST.encode(), 'name="csv"; filename="a.csv"')), MULTIPART, 422),
        (body(part(FIRST.encode(), 'filename="a.csv"')), MULTIPART, 422),
        (body(part(b"x" * 5000, 'name="file"')), MULTIPART, 422),
        (body(part(FIRST.encode())), f"{MULTIPART}; charset=idna", 200),
        (body(part(FIRST.encode())), MULTIPART.replace("multipart/f", "Multipart/F"), 200),
        (body(part(FIRST.encode(), 'name="file"; filename=""')), MULTIPART, 200),
    ],
)  # fmt: skip
def test_a_request_without_exactly_one_file_is_refused_with_what_to_send(
    service: Api, sql: connection, content: bytes, content_type: str, status: int
) -> None:
    response = send(service, content, content_type)
    assert response.status == status, response.text
    if status != 200:
        assert Problem.model_validate_json(
            response.text, strict=True, extra="forbid"
        ).detail.endswith("named file, with a filename.")
    assert (fetch(sql, "SELECT count(*) FROM accounts") == [(2,)]) == (status == 200)


def test_an_unknown_name_in_the_query_is_refused(service: Api) -> None:
    assert upload(service, FIRST, dryrun="true").status == 422
    assert upload(service, FIRST, dry_run="perhaps").status == 422
    assert service.get("/accounts").json["total"] == 0


CHARSETS = (
    "",
    "; charset=idna",
    "; charset=punycode",
    "; charset=undefined",
    "; charset=base64",
    "; charset=\x00",
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=60), max_size=3), st.binary(max_size=20), st.sampled_from(CHARSETS)
)
def test_no_body_causes_a_server_error(
    alone: Api, contents: list[bytes], name: bytes, charset: str
) -> None:
    parts = b"".join(
        b"--x\r\nContent-Disposition: form-data; name=" + name + b"\r\n\r\n" + content + b"\r\n"
        for content in contents
    )
    assert send(
        alone, parts + b"--x--\r\n", f"multipart/form-data; boundary=x{charset}"
    ).status in {415, 422}


@pytest.fixture
def alone() -> Api:
    return api()


def test_a_failure_in_the_last_step_leaves_nothing_behind(
    service: Api, sql: connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(service, FIRST)
    before = everything(sql)

    def fail(*_: Any) -> int:
        raise RuntimeError

    monkeypatch.setattr(imports, "rescore", fail)
    assert upload(service, DAYS).status == 500
    assert everything(sql) == before


def test_an_import_that_postgres_ended_because_of_a_deadlock_is_repeated(
    service: Api, sql: connection, monkeypatch: Any
) -> None:
    attempts: list[int] = []

    def once(statements: Any, ids: Any, today: Any) -> int:
        attempts.append(len(ids))
        if len(attempts) == 1:
            statements.execute(
                "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$"
            )
        return rescore(statements, ids, today)

    monkeypatch.setattr(imports, "rescore", once)
    assert counts(upload(service, DAYS)) == (2, 0, 0, 3, 0)
    assert attempts == [2, 2]
    assert stale(sql) == []


ACCEPTED = st.fixed_dictionaries({
    column.name: {
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=column.most + 1),
        "choice": st.sampled_from(["", *column.choices]),
        "dollars": st.sampled_from([
            "", "0", "0.005", "999999999999.999", "1000000000000", "1,000,000,000,000.00",
        ]),
        "integer": st.integers(column.least, column.most).map(str) | st.just(""),
        "ratio": st.floats(0, 1).map(repr) | st.sampled_from(["", "100%", "1e-400", "5e-324"]),
        "number": st.floats(0, 10**6).map(repr) | st.just(""),
        "date": st.dates().map(str) | st.just(""),
        "flag": st.sampled_from(["", "yes", "no"]),
    }[column.kind]
    for column in (*ACCOUNT_COLUMNS, *DAY_COLUMNS)
})  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(ACCEPTED, min_size=1, max_size=4))
def test_what_the_reader_accepts_the_database_takes_and_every_account_can_be_read_back(
    service: Api, sql: connection, rows: list[dict[str, str]]
) -> None:
    content = io.StringIO()
    csv.writer(content).writerows([rows[0], *(row.values() for row in rows)])
    try:
        read_file(io.BytesIO(content.getvalue().encode()))
    except InvalidFileError:
        return
    assert upload(service, content.getvalue()).status == 200
    assert counts(upload(service, content.getvalue()))[:2] == (0, 0)
    for found in service.get("/accounts", page_size=100).json["accounts"]:
        Account.model_validate(found)
    with sql.cursor() as cursor:
        cursor.execute("DELETE FROM accounts")
