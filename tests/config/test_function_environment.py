"""The limit of 4 KB for the environment of the function."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from config.function_environment import ENVIRONMENT_LIMIT, check_environment, environment_size
from tests.support.configuration import load, refusal

API_KEYS = f"app:write:{'0' * 64}"  # blanks may follow
PATIENT = settings(deadline=None, database=None)


def test_an_environment_over_4_kb_is_refused_with_its_size_and_the_largest_variables():
    message = refusal(secrets={"apiKeys": API_KEYS.ljust(3700)})
    assert re.search(r"is (\d+) bytes and Lambda allows 4096", message)
    assert "API_KEYS (3700 bytes)" in message
    assert "apiKeys" in message
    assert "0000" not in message, "the value of a secret is never shown"
    many = json.dumps([f"https://origin-{number:03}.example.com" for number in range(150)])
    assert "extraOrigins" in refusal(config={"extraOrigins": many})


def test_a_secret_may_fill_the_4_kb_and_one_byte_more_is_refused():
    message = refusal(secrets={"apiKeys": API_KEYS.ljust(ENVIRONMENT_LIMIT)})
    excess = int(re.findall(r"is (\d+) bytes", message)[0]) - ENVIRONMENT_LIMIT
    assert load(secrets={"apiKeys": API_KEYS.ljust(ENVIRONMENT_LIMIT - excess)})
    assert "is 4097 bytes" in refusal(
        secrets={"apiKeys": API_KEYS.ljust(ENVIRONMENT_LIMIT - excess + 1)}
    )


@PATIENT
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=8))
def test_the_size_of_an_environment_is_that_of_its_json(variables: dict[str, str]):
    assert environment_size(variables) == len(json.dumps(variables, separators=(",", ":")).encode())


def test_an_environment_of_exactly_the_limit_passes_and_one_byte_more_does_not():
    overhead = environment_size({"A": ""})
    check_environment({"A": "x" * (ENVIRONMENT_LIMIT - overhead)})
    with pytest.raises(UserError, match="is 4097 bytes"):
        check_environment({"A": "x" * (ENVIRONMENT_LIMIT - overhead + 1)})
