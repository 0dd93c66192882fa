"""What tests of insights share: accounts of their own, and a function whose model is the stand-in."""

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
"""For one answer, where a test is not about time."""


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


def insight(answer: Response, source: str) -> Any:
    assert answer.status == 200, answer.text
    assert answer.json["source"] == source, answer.text
    return answer.json


def reasons(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Why insights were written by rule: of the lines in the log since the last time."""
    lines = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    return [line["reason"] for line in lines if line["message"] == "insight by rule"]


def numbers(text: str) -> list[float]:
    """All that a text tells in digits, thousands' commas taken out."""
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
