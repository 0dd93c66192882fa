"""An import that is undone, an account that is deleted, and one that gets another name."""

from collections.abc import Mapping
from typing import Any

import pytest
from psycopg2.extensions import connection

from tests.service.imported import fetch, stale
from tests.service.lambda_api import Api
from tests.service.uploads import upload

BEFORE = "name,arr,segment,nps,date,logins\nAcme,1,SMB,5,2026-01-01,7\nBeta,2,SMB,,2026-01-01,8\n"
AFTER = (
    "name,arr,segment,nps,date,logins\nAcme,9,SMB,6,2026-01-01,70\nAcme,9,SMB,6,2026-01-02,71\n"
    "Gamma,3,SMB,,2026-01-01,9\n"
)


def stored(sql: connection) -> dict[str, list[Any]]:
    """Everything but times: the accounts, their days and their scores."""
    return {
        "accounts": fetch(sql, "SELECT name, arr, segment, nps FROM accounts ORDER BY 1"),
        "days": fetch(
            sql,
            "SELECT name, date, logins FROM account_metrics_daily "
            "JOIN accounts ON accounts.id = account_id ORDER BY 1, 2",
        ),
        "scores": fetch(
            sql,
            "SELECT name, score FROM account_health JOIN accounts ON accounts.id = account_id "
            "ORDER BY 1",
        ),
    }


def test_an_import_is_undone_with_its_days_and_scores(service: Api, sql: connection) -> None:
    upload(service, BEFORE)
    before = stored(sql)
    import_id = upload(service, AFTER).json["import_id"]
    assert stored(sql) != before
    answer = service.post(f"/ingest/{import_id}/undo")
    assert answer.status == 200, answer.text
    told = answer.json
    assert (told["accounts_deleted"], told["accounts_restored"]) == (1, 1)
    assert (told["metrics_deleted"], told["metrics_restored"]) == (2, 1)
    assert stored(sql) == before
    assert stale(sql) == []
    again = service.post(f"/ingest/{import_id}/undo")
    assert again.status == 409


def test_imports_are_undone_in_the_reverse_order(service: Api, sql: connection) -> None:
    first = upload(service, BEFORE).json["import_id"]
    second = upload(service, AFTER).json["import_id"]
    refused = service.post(f"/ingest/{first}/undo")
    assert (refused.status, [error["name"] for error in refused.json["errors"]]) == (409, ["Acme"])
    for import_id in (second, first):
        assert service.post(f"/ingest/{import_id}/undo").status == 200
    assert fetch(sql, "SELECT count(*) FROM accounts") == [(0,)]


@pytest.mark.parametrize("change", ["patch", "delete", "day"])
def test_an_import_whose_accounts_were_written_to_since_is_not_undone(
    service: Api, sql: connection, change: str
) -> None:
    import_id = upload(service, AFTER).json["import_id"]
    ((acme,),) = fetch(sql, "SELECT id FROM accounts WHERE name = 'Acme'")
    if change == "patch":
        service.patch(f"/accounts/{acme}", {"cs_owner": "Lena"})
    elif change == "delete":
        service("DELETE", f"/accounts/{acme}")
    else:
        upload(service, "name,arr,segment,date,logins\nAcme,9,SMB,2026-03-03,1\n")
    before = stored(sql)
    answer = service.post(f"/ingest/{import_id}/undo")
    assert answer.status == 409, answer.text
    assert [error["account_id"] for error in answer.json["errors"]] == [acme]
    assert stored(sql) == before


def test_an_import_of_yesterday_or_of_nobody_is_not_found(service: Api, sql: connection) -> None:
    import_id = upload(service, BEFORE).json["import_id"]
    with sql.cursor() as cursor:
        cursor.execute("UPDATE imports SET created_at = created_at - interval '25 hours'")
    assert service.post(f"/ingest/{import_id}/undo").status == 404
    assert service.post("/ingest/9007199254740991/undo").status == 404
    upload(service, AFTER)
    assert fetch(sql, "SELECT count(*) FROM imports") == [(1,)], "the old one was removed"


def test_an_import_that_changes_nothing_has_nothing_to_undo(service: Api) -> None:
    upload(service, BEFORE)
    assert upload(service, BEFORE).json["import_id"] is None
    assert upload(service, AFTER, dry_run="true").json["import_id"] is None


def test_a_deleted_account_takes_its_history_along(service: Api, sql: connection) -> None:
    upload(service, BEFORE)
    ((acme,),) = fetch(sql, "SELECT id FROM accounts WHERE name = 'Acme'")
    etag = service.get(f"/accounts/{acme}").headers["etag"]
    headers: Mapping[str, str] = {"if-match": '"other"'}
    assert service("DELETE", f"/accounts/{acme}", headers).status == 412
    assert service("DELETE", f"/accounts/{acme}", {"if-match": etag}).status == 200
    for table in ("account_metrics_daily", "account_health", "health_snapshots"):
        assert fetch(sql, f"SELECT count(*) FROM {table} WHERE account_id = {acme}") == [(0,)]
    assert service.get(f"/accounts/{acme}").status == 404
    assert service("DELETE", f"/accounts/{acme}").status == 404
    assert service.get("/portfolio/metrics").json["total_accounts"] == 1


def test_an_account_gets_another_name_unless_it_is_taken(service: Api, sql: connection) -> None:
    upload(service, BEFORE)
    ((acme,),) = fetch(sql, "SELECT id FROM accounts WHERE name = 'Acme'")
    changed = service.patch(f"/accounts/{acme}", {"name": " Acme  Group ", "external_id": "A-1"})
    assert (changed.json["name"], changed.json["external_id"]) == ("Acme Group", "A-1")
    taken = service.patch(f"/accounts/{acme}", {"name": "Beta"})
    assert (taken.status, taken.json["detail"]) == (409, "Another account has this name.")
    ((beta,),) = fetch(sql, "SELECT id FROM accounts WHERE name = 'Beta'")
    taken = service.patch(f"/accounts/{beta}", {"external_id": "A-1"})
    assert (taken.status, taken.json["detail"]) == (409, "Another account has this external id.")
