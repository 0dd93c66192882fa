"""One request for every operation of the OpenAPI document; a test compares the two."""

import json
import secrets
from collections.abc import Callable
from typing import Any, Final

from tests.service.lambda_api import Api, Response, api
from tests.service.uploads import upload

CSV: Final = "name,arr,segment,date,logins\nEvery Operation,1,SMB,2026-01-01,5\n"

REQUESTS: Final[dict[str, Callable[[Api, int], Response]]] = {
    "GET /": lambda service, _: service.get("/"),
    "GET /health/live": lambda service, _: service.get("/health/live"),
    "GET /health/ready": lambda service, _: service.get("/health/ready"),
    "GET /accounts": lambda service, _: service.get(
        "/accounts", bucket=["Red", "Unscored"], q="e", sort="-health_score"
    ),
    "GET /accounts/{account_id}": lambda service, account: service.get(f"/accounts/{account}"),
    "GET /accounts/{account_id}/health-history": lambda service, account: service.get(
        f"/accounts/{account}/health-history"
    ),
    "GET /accounts/{account_id}/metrics-history": lambda service, account: service.get(
        f"/accounts/{account}/metrics-history"
    ),
    "GET /accounts/export.csv": lambda service, _: service.get("/accounts/export.csv"),
    "GET /portfolio/metrics": lambda service, _: service.get("/portfolio/metrics"),
    "GET /portfolio/summary": lambda service, _: service.get("/portfolio/summary"),
    "GET /portfolio/attention": lambda service, _: service.get("/portfolio/attention"),
    "GET /portfolio/renewals": lambda service, _: service.get("/portfolio/renewals"),
    "GET /portfolio/movers": lambda service, _: service.get("/portfolio/movers"),
    "GET /scoring": lambda service, _: service.get("/scoring"),
    "GET /playbooks": lambda service, _: service.get("/playbooks"),
    "GET /playbooks/{playbook_id}": lambda service, _: service.get("/playbooks/1"),
    "PATCH /accounts/{account_id}": lambda service, account: service.patch(
        f"/accounts/{account}", {"nps": 7}
    ),
    "POST /actions/recommend": lambda service, account: service.post(
        "/actions/recommend", account_id=account
    ),
    "POST /health/recompute": lambda service, _: service.post("/health/recompute", limit=50),
    "DELETE /accounts/{account_id}": lambda service, _: service(
        "DELETE", f"/accounts/{_account(service, secrets.token_hex())}"
    ),
    "POST /ingest/{import_id}/undo": lambda service, _: service.post(
        f"/ingest/{_upload(service, secrets.token_hex())['import_id']}/undo"
    ),
    "POST /ingest/csv": lambda service, _: upload(service, CSV),
    "POST /ingest/generate-mock": lambda service, _: service.post(
        "/ingest/generate-mock", count=2, seed=5
    ),
    "POST /insights/account/{account_id}": lambda service, account: service.post(
        f"/insights/account/{account}"
    ),
    "POST /insights/portfolio": lambda service, _: service.post("/insights/portfolio"),
    "POST /scoring/what-if": lambda service, _: service(
        "POST", "/scoring/what-if", body=json.dumps({"nps": 7})
    ),
}


def _upload(service: Api, name: str) -> dict[str, Any]:
    response = upload(service, CSV.replace("Every Operation", name))
    assert response.status == 200, response.text
    return response.json


def _account(service: Api, name: str) -> int:
    """Return the id of a new account."""
    _upload(service, name)
    return service.get("/accounts", q=name).json["accounts"][0]["id"]


def statuses(url: str, account_id: int, times: int) -> list[tuple[str, int]]:
    """Return the status of every operation, `times` times, in a new execution environment."""
    service = api(url)
    found = [
        (name, request(service, account_id).status)
        for _ in range(times)
        for name, request in REQUESTS.items()
    ]
    service.close()
    return found
