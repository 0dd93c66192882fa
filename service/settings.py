"""Reads the function's environment variables, once, when the function starts.

The stack's program sets the same names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from service.schema.limits import MODEL_LENGTH

SERVICE_NAME = "ai-success-insights"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


_KEY = re.compile(r"([A-Za-z0-9_-]{1,64}):(read|write):([0-9a-f]{64})")


class SettingsError(Exception):
    """A variable of the environment is wrong.

    The message names the variable and what it may be, and never holds a secret.
    """

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} {reason}")
        self.variable = variable
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key's scope, read or write (which includes read), and the SHA-256 of its secret."""

    scope: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's settings.

    database_url: of the pooler; when empty, routes that need the database return 503.
    cors_origins: exact origins that may call the service from a browser.
    cors_origin_regex: matched against the whole origin.
    api_keys: by id; without keys, every path is open.
    api_keys_protect_reads: whether reads need a key too.
    openai_api_key: without it, insights are written by rules.
    openai_base_url: empty for OpenAI's API.
    openai_seconds: the limit of one response of the model, in total.
    time_zone: decides which day it is for renewals, reviews, movers and the history.
    """

    database_url: str = field(default="", repr=False)  # holds a password
    cors_origins: frozenset[str] = frozenset()
    cors_origin_regex: str | None = None
    api_keys: Mapping[str, ApiKey] = field(default_factory=dict[str, ApiKey])
    api_keys_protect_reads: bool = False
    openai_api_key: str = field(default="", repr=False)
    openai_model: str = "gpt-5-mini"
    openai_base_url: str = ""
    openai_seconds: float = 10.0
    time_zone: tzinfo = UTC
    stage: str = "dev"
    version: str = "0"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables. Raises `SettingsError` for the first that is wrong.

        The program that deploys this service calls it too, with the values of a stack, so that a
        value which stops the service is refused before anything is deployed.
        """
        settings = cls(
            database_url=environment.get("DATABASE_URL", ""),
            cors_origins=_origins(environment.get("CORS_ORIGINS", "")),
            cors_origin_regex=_pattern(environment.get("CORS_ORIGIN_REGEX", "")),
            api_keys=_keys(environment.get("API_KEYS", "")),
            api_keys_protect_reads=_flag(
                "API_KEYS_PROTECT_READS", environment.get("API_KEYS_PROTECT_READS", "")
            ),
            openai_api_key=_secret("OPENAI_API_KEY", environment.get("OPENAI_API_KEY", "")),
            openai_model=_model(environment.get("OPENAI_MODEL") or cls.openai_model),
            openai_base_url=_endpoint(environment.get("OPENAI_BASE_URL", "")),
            time_zone=_time_zone(environment.get("TIME_ZONE", "")),
            stage=environment.get("STAGE") or cls.stage,
            version=environment.get("SERVICE_VERSION") or cls.version,
        )
        if settings.api_keys_protect_reads and not settings.api_keys:
            raise SettingsError(
                "API_KEYS_PROTECT_READS", "is true, and API_KEYS holds no key: nothing is protected"
            )
        return settings


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(",") if part.strip())
    for origin in sorted(origins):
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                "CORS_ORIGINS",
                f"holds {origin!r}: an origin is scheme://host or scheme://host:port in lower "
                "case, without a path",
            )
    return origins


def _keys(text: str) -> dict[str, ApiKey]:
    """Parse `id:scope:sha256hex`, comma-separated.

    An error names an entry by its position, because the entry may hold a secret by mistake. A text
    that is not empty has to hold a key: its author expects the API to be protected.
    """
    keys: dict[str, ApiKey] = {}
    for position, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        found = _KEY.fullmatch(entry)
        if not found:
            raise SettingsError(
                "API_KEYS",
                f"has an entry {position} that is not id:scope:sha256: the id is of letters, "
                "digits, '-' and '_', the scope is read or write, the hash has 64 hex digits in "
                "lower case",
            )
        if found[1] in keys:
            raise SettingsError(
                "API_KEYS",
                f"has an entry {position} with the id of an earlier one: "
                "a new secret needs a new id",
            )
        keys[found[1]] = ApiKey(scope=found[2], digest=bytes.fromhex(found[3]))
    if text and not keys:
        raise SettingsError("API_KEYS", "holds no key, so that nothing would be protected")
    return keys


def _secret(name: str, text: str) -> str:
    """Check a secret that is sent in a header. Its value is never part of an error."""
    if not re.fullmatch(r"[!-~]{0,512}", text):
        raise SettingsError(
            name, "holds blanks or characters that no key has, or has more than 512 characters"
        )
    return text


def _model(text: str) -> str:
    if not re.fullmatch(rf"[A-Za-z0-9._:/@-]{{1,{MODEL_LENGTH}}}", text):
        raise SettingsError(
            "OPENAI_MODEL",
            f"is {text[:MODEL_LENGTH]!r}: the name of a model has 1 to {MODEL_LENGTH} letters, "
            f"digits and any of . _ : / @ -, such as {Settings.openai_model}",
        )
    return text


def _endpoint(text: str) -> str:
    """Check the URL of a model API. The error does not repeat it: it might hold a password."""
    if text and not re.fullmatch(r"https?://[^\s?#@]{1,2000}", text):
        raise SettingsError(
            "OPENAI_BASE_URL",
            "is not an http(s) URL without user, query and fragment, such as "
            "https://api.example.com/v1",
        )
    return text


def _time_zone(text: str) -> tzinfo:
    """Return a time zone of the IANA database.

    The names are those of the package `tzdata`, which is shipped with the function: directories of
    a machine can lack zones, have others, or ignore the case of their names.
    """
    if text in ("", "UTC"):
        return UTC
    from importlib.resources import files
    from zoneinfo import ZoneInfo

    if text not in files("tzdata").joinpath("zones").read_text(encoding="utf-8").split():
        raise SettingsError(
            "TIME_ZONE",
            f"is {text[:64]!r}: the name of an IANA time zone is expected, such as Europe/Berlin "
            "or UTC",
        )
    return ZoneInfo(text)


def _flag(name: str, text: str) -> bool:
    if text not in ("", "true", "false"):
        raise SettingsError(name, f"is {text!r}: true or false is expected")
    return text == "true"


def _pattern(text: str) -> str | None:
    if not text:
        return None
    try:
        matches_all = re.compile(text).fullmatch("https://evil.example")
    except re.error as error:
        raise SettingsError("CORS_ORIGIN_REGEX", f"is not a regular expression: {error}") from None
    if matches_all:
        raise SettingsError(
            "CORS_ORIGIN_REGEX",
            "matches origins of other sites: write the host's own part into it",
        )
    return text
