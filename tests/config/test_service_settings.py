"""The service starts with every configuration that is accepted, and what is configured is in force.

The service's own settings are the rules; the configuration applies them to a stack's values.
"""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config import service_settings
from config.service_settings import refused_variable
from config.stack_config import VARIABLE_KEYS, ConfigError
from service.settings import Settings
from tests.config.test_rules import PATIENT
from tests.support.configuration import function_variables, refusal

HASH = "0123456789abcdef" * 4
KEY = f"app:write:{HASH}"

REFUSED = [
    # key, value, what the message must say
    ("apiKeys", "app:write:abc", "entry 1 that is not id:scope:sha256"),
    ("apiKeys", f"app:admin:{HASH}", "the scope is read or write"),
    ("apiKeys", f"app:write:{HASH.upper()}", "lower case"),
    ("apiKeys", f"app:write:{HASH}:", "entry 1"),
    ("apiKeys", f"the app:write:{HASH}", "entry 1"),
    ("apiKeys", f"{KEY},web:write:abc", "entry 2"),
    ("apiKeys", f"{KEY},{KEY}", "entry 2 with the id of an earlier one"),
    ("apiKeys", f"{KEY};web:read:{HASH}", "entry 1"),
    ("apiKeys", ",", "holds no key"),
    ("apiKeys", json.dumps([KEY]), "entry 1"),
    ("openaiApiKey", "sk-secret\n", "blanks or characters"),
    ("openaiApiKey", "Bearer sk-secret", "blanks or characters"),
    ("openaiApiKey", "sk-secret“", "blanks or characters"),
    ("openaiApiKey", "s" * 513, "more than 512"),
]
SECRET_PARTS = ("abc", HASH, HASH.upper(), "sk-secret", "s" * 100)


@pytest.mark.parametrize(("key", "value", "reason"), REFUSED)
def test_a_secret_that_would_stop_the_service_is_refused_without_its_value(
    key: str, value: str, reason: str
):
    message = refusal(secrets={key: value})
    assert message.startswith(f"{key} ")
    assert reason in message
    assert f"pulumi config set {key} VALUE" in message
    assert not any(part in message for part in SECRET_PARTS)


@pytest.mark.parametrize("value", ["gpt 5", " gpt-5", "gpt-5\n", "gpt-5?", "g" * 129])
def test_a_model_that_would_stop_the_service_is_refused(value: str):
    assert "openaiModel is " in refusal(config={"openaiModel": value})


def test_protected_reads_without_a_key_are_refused_because_nothing_would_be_protected():
    message = refusal(config={"apiKeysProtectReads": "true"})
    assert message.startswith("apiKeysProtectReads is true, and API_KEYS holds no key")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("API_KEYS", "x"),
        ("API_KEYS_PROTECT_READS", "maybe"),
        ("CORS_ORIGINS", "x"),
        ("CORS_ORIGIN_REGEX", "("),
        ("OPENAI_API_KEY", " "),
        ("OPENAI_BASE_URL", "x"),
        ("OPENAI_MODEL", " "),
    ],
)
def test_every_variable_that_the_settings_can_refuse_has_a_key(variable: str, value: str):
    refused = refused_variable({variable: value})
    assert refused is not None
    assert refused[0] == variable
    assert variable in VARIABLE_KEYS


def test_a_service_without_settings_of_this_form_has_no_rules(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service_settings, "MODULE", "service.no_such_module")
    assert refused_variable({"API_KEYS": "x"}) is None


TEXT = st.text(max_size=30)


def mostly(valid: st.SearchStrategy[str], other: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return a strategy that draws one value of twenty or so from `other`."""
    return st.integers(0, 19).flatmap(lambda number: valid if number else other)


KEY_ENTRY = st.builds(
    "{}:{}:{}".format,
    mostly(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), st.sampled_from(["", "a b", "ä"])),
    mostly(st.sampled_from(["read", "write"]), st.sampled_from(["admin", "READ", ""])),
    mostly(st.just(HASH), st.sampled_from([HASH.upper(), "abc", f"{HASH} ", ""])),
)
SEPARATOR = mostly(st.sampled_from([",", ", ", ",,"]), st.sampled_from([";", " "]))
ORIGIN = st.builds(
    "{}://{}{}{}".format,
    mostly(st.sampled_from(["https", "http"]), st.sampled_from(["HTTPS", "ftp"])),
    mostly(
        st.sampled_from(["www.example.com", "localhost", "xn--bcher-kva.example", "1.2.3.4"]),
        st.sampled_from(["[::1]", "a_b.com", "EXAMPLE.com", "a..b"]),
    ),
    mostly(st.sampled_from(["", ":8443", ":1"]), st.sampled_from([":443", ":80", ":0", ":65536"])),
    mostly(st.just(""), st.sampled_from(["/", " ", ",", "#"])),
)


@PATIENT
@given(
    api_keys=st.none()
    | mostly(st.builds(str.join, SEPARATOR, st.lists(KEY_ENTRY, min_size=1, max_size=3)), TEXT),
    openai_api_key=st.none() | mostly(st.just("sk-secret"), TEXT),
    model=mostly(st.sampled_from(["gpt-5-mini", "", "a/b@c:d"]), TEXT),
    base_url=mostly(
        st.sampled_from(["", "https://api.example.com/v1", "http://localhost:1"]),
        st.sampled_from(["https://u:p@api.example", "https://api.example/\n"]) | TEXT,
    ),
    origins=st.lists(ORIGIN, max_size=2),
    team=mostly(st.sampled_from(["", "acme", "a-b"]), TEXT),
    protect_reads=st.booleans(),
)
@example(KEY, "sk-secret", "gpt-5", "https://api.example.com", ["http://localhost"], "acme", True)
def test_the_service_starts_with_what_is_accepted_and_what_is_set_is_in_force(
    api_keys: str | None,
    openai_api_key: str | None,
    model: str,
    base_url: str,
    origins: list[str],
    team: str,
    protect_reads: bool,
):
    given_secrets = {"apiKeys": api_keys, "openaiApiKey": openai_api_key}
    config = {
        "openaiModel": model,
        "openaiBaseUrl": base_url,
        "extraOrigins": json.dumps(origins),
        "previewOriginTeam": team,
        "apiKeysProtectReads": json.dumps(protect_reads),
    }
    secrets = {key: value for key, value in given_secrets.items() if value is not None}
    try:
        variables = function_variables(stack="dev", config=config, secrets=secrets)
    except ConfigError:
        return
    settings = Settings.from_environment(variables)
    assert bool(settings.api_keys) == (api_keys is not None)
    assert len(settings.api_keys) == (api_keys or "").count(HASH)
    assert settings.api_keys_protect_reads == protect_reads
    assert settings.openai_api_key == (openai_api_key or "")
    assert settings.openai_base_url == base_url
    assert settings.openai_model == (model or Settings.openai_model)
    assert settings.cors_origins >= set(origins)
    assert bool(settings.cors_origin_regex) == bool(team)
