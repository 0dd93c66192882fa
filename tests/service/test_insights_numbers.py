"""A figure in a model's text is one that it was given, whatever an account is called."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from psycopg2.extensions import connection

from service.insights.failure import InsightError
from service.insights.model_output import checked
from service.insights.numbers import name
from service.insights.subject import Subject
from tests.service.insights import add, asking, insight
from tests.support.stand_in_openai import ACCOUNT, says, stand_in_openai

FIGURES = {"health_score": "61.5", "arr": "$123,456", "known_share": "72.5%"}
DIGITS = st.text("0123456789\u0660\u0661\u0662\u0669\uff10\uff11\uff19", min_size=1, max_size=6)
WORDS = st.sampled_from(["Holdings", "Acme", "GmbH", "days", "percent", "points", "k", "Two"])
NAMES = st.lists(DIGITS | WORDS, min_size=1, max_size=4).map(" ".join)
PIECES = (
    DIGITS
    | st.sampled_from(
        ["{health_score}", "{arr}", "{account_name}", "{known_share}", "is at", "-", "%", "$", ".",
         ",", "million", "ninety", "½", "²", "Ⅳ", "十", "1e3", "\N{NARROW NO-BREAK SPACE}", "3rd"]
    )
)  # fmt: skip


def subject(account: str) -> Subject:
    return Subject(
        kind="account",
        head={},
        instructions="",
        data="",
        placeholders={"account_name": name(account), **FIGURES},
        account_texts=(account, "SMB"),
        rules={},
    )


def filled(text: str, account: str = "Kestrel") -> str:
    output = checked(json.dumps({**ACCOUNT, "summary": text}), subject(account))
    return output["summary"]


def numbers(text: str) -> list[str]:
    """What a reader takes for numbers: digits of any script with what belongs to them."""
    found = re.findall(r"[-\u2212+$]?\w*\d[\w.,]*\d[\w%]*|[-\u2212+$]?\w*\d[\w%]*", text)
    return found + [it for it in text if unicodedata.category(it) in {"Nl", "No"} or it in "十"]


@given(NAMES, st.lists(PIECES | NAMES, min_size=1, max_size=6), st.sampled_from(["", " "]))
@example("99", ["The score is", "99", "."], " ")
@example("2027 Holdings", ["2027"], "")
@example("90 days", ["renews in", "90 days"], " ")
@example("Acme 1", ["Acme 1", "5"], "")
@example("Acme 1", ["{arr}", "{health_score}"], "")
def test_every_number_in_a_text_was_given_or_is_part_of_the_account_s_whole_name(
    account: str, pieces: list[str], joint: str
) -> None:
    text = joint.join(pieces)
    assume(text.strip() and account == " ".join(account.split()))
    try:
        result = filled(text, account)
    except InsightError as error:
        assert error.reason in {"unsupported_number", "unknown_figure", "invalid_output"}
        return
    quoted = name(account)
    if quoted == account:
        assert re.search(r"[^\W\d]{3}", account), "a name that is only digits is never plain"
    rest = re.sub(rf"(?<!\w){re.escape(quoted)}(?!\w)", " ", result)
    assert set(numbers(rest)) <= {number for it in FIGURES.values() for number in numbers(it)}


@pytest.mark.parametrize(
    "text",
    [
        "The score is 99.", "The score is 2027.", "99 percent", "Its 2027 goals", "due 31/01/2027",
        "\u0669\u0669", "\uff19\uff19", "Ⅳ", "½", "²", "十二", "1e3", "1 000", "1,000", "-5", "3rd",
        "12027 Holdings", "2027 Holdings2", "-2027 Holdings", "$2027 Holdings", "2027 Holdings%",
        "ninety-nine points", "a dozen tickets", "Half of its seats", "thirty percent",
        "two thousand dollars", "a third of the seats", "It would double.", "Twice as many.",
        "{health_score}%", "{health_score} percent", "{arr}k", "{arr} m", "{arr} million", "-{arr}",
        "\u2212{arr}", "minus {arr}", "${health_score}", "€{health_score}",
        "{health_score}{health_score}",
        "{health_score}.{health_score}", "{health_score},{health_score}", "x{health_score}",
        "{health_score}rd", "renews in March", "renews on the last day of Feb",
    ],
)  # fmt: skip
def test_a_number_that_was_not_given_is_refused_in_every_form(text: str) -> None:
    with pytest.raises(InsightError) as refused:
        filled(text, "2027 Holdings")
    assert refused.value.reason == "unsupported_number"


@pytest.mark.parametrize(
    ("text", "account", "expected"),
    [
        ("2027 Holdings stands at {health_score}.", "2027 Holdings",
         "2027 Holdings stands at 61.5."),
        ("{account_name} ({arr}), {known_share} known: call.", "2027 Holdings",
         "2027 Holdings ($123,456), 72.5% known: call."),
        ("{account_name}'s score is {health_score}; {account_name}-led calls.", "Acme 4",
         "Acme 4's score is 61.5; Acme 4-led calls."),
        ("{account_name} stands at {health_score}.", "99", "“99” stands at 61.5."),
        ("{account_name} stands at {health_score}.", "90 Days", "“90 Days” stands at 61.5."),
        ("Call August Two Rivers within two weeks.", "August Two Rivers",
         "Call August Two Rivers within two weeks."),
        ("One of the risks: double-check it in twenty-four hours, or two to three business days.",
         "Acme", "One of the risks: double-check it in twenty-four hours, or two to three business "
         "days."),
        ("It may march on, second to none.", "Acme", "It may march on, second to none."),
    ],
)  # fmt: skip
def test_figures_names_and_spans_of_time_are_kept(text: str, account: str, expected: str) -> None:
    assert filled(text, account) == expected


@pytest.mark.parametrize(
    ("account", "summary", "source"),
    [
        ("2027 Holdings", "2027 Holdings stands at {health_score}.", "model"),
        ("2027 Holdings", "It renews in 2027.", "rules"),
        ("99", "The score is 99.", "rules"),
        ("\u0669\u0669", "The score is \u0669\u0669.", "rules"),
    ],
)
def test_an_account_s_own_digits_are_no_figures(
    url: str, sql: connection, account: str, summary: str, source: Any
) -> None:
    with stand_in_openai() as openai, asking(url, openai) as function:
        openai.body = says({**ACCOUNT, "summary": summary})
        insight(function.post(f"/insights/account/{add(sql, account)}"), source)
