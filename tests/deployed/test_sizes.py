"""The largest requests and responses, and unusual text, through gateway and function."""

import csv
import io
from contextlib import closing
from urllib.parse import quote

import psycopg2
import pytest

from service.http.multipart import MAX_BYTES
from service.schema.limits import (
    INDUSTRY_LENGTH,
    MAX_DOLLARS,
    NAME_LENGTH,
    OWNER_LENGTH,
    REGION_LENGTH,
)
from tests.deployed.conftest import Deployed, Response
from tests.service.uploads import MULTIPART, body, part

pytestmark = pytest.mark.xdist_group("deployed")

LARGEST_ENVELOPE = 5_500_000
"""Of an response; Lambda takes 6,291,556 bytes."""


def upload(deployed: Deployed, content: bytes) -> Response:
    return deployed("POST", "/ingest/csv", {"content-type": MULTIPART}, body=body(part(content)))


def csv_of(rows: list[list[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def total(deployed: Deployed) -> int:
    return deployed("GET", "/accounts", page_size=1).json["total"]


def test_a_file_of_four_mebibytes_is_taken_and_one_byte_more_is_413_and_writes_nothing(
    deployed: Deployed,
) -> None:
    before = total(deployed)
    rows = [
        ["name", "arr", "segment"],
        *([f"{number:05} {'x' * 240}", number, "SMB"] for number in range(15_000)),
    ]
    content = csv_of(rows)[:MAX_BYTES]
    whole = content[: content.rindex(b"\n") + 1]
    full = whole + b"\n" * (MAX_BYTES - len(whole))
    refused = upload(deployed, full + b"\n")
    assert (refused.status, refused.headers["content-type"]) == (413, "application/problem+json")
    assert str(MAX_BYTES) in refused.json["detail"]
    assert total(deployed) == before
    taken = upload(deployed, full)
    assert taken.status == 200, taken.content
    assert taken.json["accounts_created"] == whole.count(b"\n") - 1 == total(deployed) - before


@pytest.mark.parametrize(
    "character", ["𝄞", '"', "\\", "é"], ids=["four bytes", "quotes", "backslashes", "two bytes"]
)
def test_the_largest_page_of_the_longest_accounts_fits_into_a_response(
    deployed: Deployed, character: str
) -> None:
    longest = [
        MAX_DOLLARS,
        "Enterprise",
        character * INDUSTRY_LENGTH,
        character * REGION_LENGTH,
        character * OWNER_LENGTH,
        "High",
    ]
    numbers = [
        0.123456789012345,
        0.987654321098765,
        *[2**31 - 1] * 6,
        -100,
        "true",
        MAX_DOLLARS,
        "2027-01-31",
        "2026-01-31",
    ]
    header = [
        "name",
        "arr",
        "segment",
        "industry",
        "region",
        "cs_owner",
        "renewal_risk",
        "feature_x_adoption",
        "weekly_active_pct",
    ]
    header += [
        "active_users",
        "seats_purchased",
        "time_to_value_days",
        "tickets_last_30d",
        "critical_tickets_90d",
        "sla_breaches_90d",
    ]
    header += ["nps", "onboarding_phase", "expansion_oppty_dollar", "renewal_date", "qbr_last_date"]
    rows: list[list[object]] = [
        [f"{number:03}" + character * (NAME_LENGTH - 3), *longest, *numbers]
        for number in range(100)
    ]
    assert upload(deployed, csv_of([[*header], *rows])).status == 200
    page = deployed("GET", "/accounts", page_size=100, owner=longest[4])
    assert page.status == 200
    names = [account["name"] for account in page.json["accounts"]]
    assert names == [row[0] for row in rows]
    assert all(len(account["latest_health_factors"]) == 5 for account in page.json["accounts"])
    envelope = page.content.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    assert len(envelope) < LARGEST_ENVELOPE
    assert deployed("GET", "/accounts", page_size=101).status == 422


def test_an_export_with_unusual_names_can_be_imported_unchanged(
    deployed: Deployed,
) -> None:
    odd = [
        'Zoë "Ω"',
        "a\u2028X-Injected: 1",
        "%0D%0AX-Injected: 1",
        "filename=x; y",
        "💡, ' =1",
        "\u202eevil",
    ]
    rows = [["name", "arr", "segment", "cs_owner"], *([name, 1, "SMB", "odd"] for name in odd)]
    assert upload(deployed, csv_of(rows)).status == 200
    exported = deployed("GET", "/accounts/export.csv", owner="odd")
    assert (exported.status, exported.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert exported.headers["content-disposition"] == 'attachment; filename="accounts.csv"'
    assert "x-injected" not in exported.headers
    found = list(csv.DictReader(io.StringIO(exported.content.decode(), newline="")))
    assert {row["name"] for row in found} == set(odd)
    with closing(psycopg2.connect(deployed.database_url)) as sql, sql.cursor() as cursor:
        for control in ("\r\n", "\t", "\x7f", "\x85"):
            with pytest.raises(psycopg2.errors.CheckViolation):
                cursor.execute(
                    "INSERT INTO accounts (name, arr, segment) VALUES (%s, 1, 'SMB')",
                    (f"a{control}X: 1",),
                )
            sql.rollback()
            assert (
                upload(deployed, csv_of([rows[0], [f"a{control}X: 1", 1, "SMB", "odd"]])).status
                == 422
            ), quote(control)
