"""The function's environment, read once at its start. Names are those of the contract with the stack's program."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.schema.limits import MODEL_LENGTH

SERVICE_NAME = "ai-success-insights"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


_KEY = re.compile(r"([A-Za-z0-9_-]{1,64}):(read|write):([0-9a-f]{64})")


class SettingsError(Exception):
    """The environment is wrong: the message names the variable and what it may be, never a secret."""


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """What is kept of a key: `scope` read or write (which includes read), `digest` the SHA-256 of its secret."""

    scope: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """database_url: for requests, empty when there is none (then only what needs no database answers).
    cors_origins: exact origins that may call from a browser. cors_origin_regex: matched against the whole origin.
    api_keys: by id; without any, everything is open. api_keys_protect_reads: reads need a key too.
    openai_api_key: without it no model is asked. openai_base_url: empty for OpenAI's own. openai_seconds: for one answer, all in all.
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
    stage: str = "dev"
    version: str = "0"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `SettingsError`."""
        return cls(
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
            stage=environment.get("STAGE") or cls.stage,
            version=environment.get("SERVICE_VERSION") or cls.version,
        )


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(",") if part.strip())
    for origin in sorted(origins):
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"CORS_ORIGINS holds {origin!r}: an origin is scheme://host or scheme://host:port in lower case, without a path"
            )
    return origins


def _keys(text: str) -> dict[str, ApiKey]:
    """Of `id:scope:sha256hex`, comma-separated. A wrong entry is named by its place: it may hold a secret by mistake."""
    keys: dict[str, ApiKey] = {}
    for place, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), 1):
        found = _KEY.fullmatch(entry)
        if not found:
            raise SettingsError(
                f"API_KEYS, entry {place}: id:scope:sha256 is expected, scope read or write, the hash in 64 hex digits"
            )
        if found[1] in keys:
            raise SettingsError(
                f"API_KEYS, entry {place}: the id {found[1]!r} stands twice; a new secret takes a new id"
            )
        keys[found[1]] = ApiKey(scope=found[2], digest=bytes.fromhex(found[3]))
    return keys


def _secret(name: str, text: str) -> str:
    """Goes into a header: printable ASCII without blanks. Never told, not even when it is wrong."""
    if not re.fullmatch(r"[!-~]{0,512}", text):
        raise SettingsError(
            f"{name} holds blanks or characters that no key has, or is longer than 512"
        )
    return text


def _model(text: str) -> str:
    if not re.fullmatch(rf"[A-Za-z0-9._:/@-]{{1,{MODEL_LENGTH}}}", text):
        raise SettingsError(
            f"OPENAI_MODEL is {text[:MODEL_LENGTH]!r}: a model's name is expected, such as {Settings.openai_model}"
        )
    return text


def _endpoint(text: str) -> str:
    """The value is not told when it is wrong: it might hold a password."""
    if text and not re.fullmatch(r"https?://[^\s?#@]{1,2000}", text):
        raise SettingsError(
            "OPENAI_BASE_URL is not an http(s) URL without user, query and fragment, such as https://api.example.com/v1"
        )
    return text


def _flag(name: str, text: str) -> bool:
    if text not in ("", "true", "false"):
        raise SettingsError(f"{name} is {text!r}: true or false is expected")
    return text == "true"


def _pattern(text: str) -> str | None:
    if not text:
        return None
    try:
        matches_all = re.compile(text).fullmatch("https://evil.example")
    except re.error as error:
        raise SettingsError(f"CORS_ORIGIN_REGEX is not a regular expression: {error}") from None
    if matches_all:
        raise SettingsError(
            "CORS_ORIGIN_REGEX matches origins of strangers: name the host's own part in it"
        )
    return text
