"""Accounts and a function for tests of insights; the stand-in is its model."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg2.extensions import connection

from service.clock import today
from service.queries.scores import rescore
from tests.service.lambda_api import Api, Response, api
from tests.support.stand_in_openai import StandInOpenAI

KEY = "sk-stand-in-4711"
SECONDS = 60.0
"""For one request to the model, where a test is not about time."""


@contextmanager
def asking(url: str, openai: StandInOpenAI, **settings: Any) -> Iterator[Api]:
    """The function on a database, with the stand-in as its model."""
    given = {
        "openai_api_key": KEY,
        "openai_base_url": openai.url,
        "openai_model": "gpt-5-mini",
        "openai_seconds": SECONDS,
        **settings,
    }
    function = api(url, **given)
    yield function
    function.close()


def add(sql: connection, name: str, **columns: Any) -> int:
    """The id of a new account, which is scored."""
    given = {
        "arr": 50_000,
        "segment": "SMB",
        "nps": -30,
        "tickets_last_30d": 4,
        "active_users": 31,
        "seats_purchased": 80,
        **columns,
    }
    with sql.cursor() as cursor:
        names, marks = ", ".join(["name", *given]), ", ".join(["%s"] * (len(given) + 1))
        cursor.execute(
            f"INSERT INTO accounts ({names}) VALUES ({marks}) RETURNING id", [name, *given.values()]
        )
        (account_id,) = cursor.fetchone() or (0,)
    rescored(sql, account_id)
    return account_id


def rescored(sql: connection, account_id: int) -> None:
    with sql.cursor() as cursor:
        cursor.execute("BEGIN")
        rescore(cursor, [account_id], today())
        cursor.execute("COMMIT")


def insight(response: Response, source: str) -> Any:
    assert response.status == 200, response.text
    assert response.json["source"] == source, response.text
    return response.json


def reasons(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The reasons for insights by rule in the log, since the last call."""
    lines = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    return [line["reason"] for line in lines if line["message"] == "insight by rule"]


def numbers(text: str) -> list[float]:
    """The numbers in a text, without commas of thousands."""
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
