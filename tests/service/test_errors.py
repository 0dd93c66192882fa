"""Errors as RFC 9457 problem details, and which sites may read them."""

import hashlib
from pathlib import Path

import pytest
import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.http.multipart import MAX_BYTES
from service.http.problems import MEDIA_TYPE
from service.schema.responses import Problem
from service.settings import ApiKey, Settings, SettingsError
from tests.service.lambda_api import ORIGIN, Api, Response, api
from tests.service.uploads import MULTIPART, body, part, send

PREFLIGHT = {
    "access-control-request-method": "GET",
    "access-control-request-headers": "content-type",
}
STRANGERS = (
    "https://evil.example",
    f"{ORIGIN}:8443",
    "http://insights.example",
    "https://insights.example.evil.example",
    "https://sub.insights.example",
    "https://INSIGHTS.example",
    f"{ORIGIN}/",
    "null",
    "*",
    "",
)


@pytest.fixture
def alone() -> Api:
    return api()


def problem(answer: Response) -> Problem:
    assert answer.headers["content-type"] == MEDIA_TYPE
    return Problem.model_validate_json(answer.text, strict=True, extra="forbid")


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/accounts/", {}, 404, "not-found"),
        ("DELETE", "/accounts", {}, 405, "method-not-allowed"),
        ("GET", "/accounts", {"page": 0}, 422, "invalid"),
        ("GET", "/", {"a": 1}, 422, "invalid"),
        ("GET", "/health/ready", {}, 503, "unavailable"),
    ],
)
def test_an_error_is_a_problem_with_a_sentence_and_the_request(
    alone: Api, method: str, path: str, query: dict[str, int], status: int, code: str
) -> None:
    answer = alone(method, path, {"x-request-id": "mine"}, **query)
    found = problem(answer)
    assert (answer.status, found.status, found.type.rsplit(":", 1)[-1]) == (status, status, code)
    assert (found.instance, found.request_id) == (path, "mine")
    assert found.detail.endswith((".", ":"))
    assert (found.errors is None) == (status != 422)
    assert answer.text.isascii()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/health/live", "GET, HEAD"),
        ("PUT", "/accounts/7", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/ingest/generate-mock", "POST"),
        ("HEAD", "/ingest/csv", "POST"),
        ("OPTIONS", "/accounts", "GET, HEAD"),
        ("PATCH", "/accounts/export.csv", "GET, HEAD"),
        ("OPTIONS", "/accounts/export.csv", "GET, HEAD"),
        ("PUT", "/accounts/export.csvx", "DELETE, GET, HEAD, PATCH"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    alone: Api, method: str, path: str, allowed: str
) -> None:
    answer = alone(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_a_trailing_slash_is_not_found_and_not_redirected(alone: Api) -> None:
    answer = alone.get("/health/live/")
    assert answer.status == 404
    assert "location" not in answer.headers


def test_the_offending_value_is_never_repeated(alone: Api) -> None:
    for query in (
        {"page": "hunter2"},
        {"q": "hunter2\x00"},
        {"bucket": "hunter2"},
        {"min_score": "hunter2"},
        {"nosuch": "hunter2"},
    ):
        answer = alone.get("/accounts", **query)
        assert answer.status == 422
        assert "hunter2" not in answer.text


def test_an_unknown_name_is_repeated_only_in_part(alone: Api) -> None:
    error = alone.get("/accounts", **{"x" * 500: "1"}).json["errors"][0]
    assert error["loc"] == ["query", "x" * 100]


def test_all_that_is_wrong_is_told_at_once(alone: Api) -> None:
    errors = problem(alone.get("/accounts", page=0, page_size=0, segment="x")).errors or []
    assert {str(error.loc[1]) for error in errors} == {"page", "page_size", "segment"}


def test_a_preflight_of_the_site_is_answered_with_exactly_its_origin(alone: Api) -> None:
    answer = alone("OPTIONS", "/accounts", {"origin": ORIGIN, **PREFLIGHT})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in answer.headers["vary"].split(", ")
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_preflight_of_a_stranger_is_refused_without_an_allowed_origin(
    alone: Api, origin: str
) -> None:
    answer = alone("OPTIONS", "/accounts", {"origin": origin, **PREFLIGHT})
    assert (answer.status, problem(answer).instance) == (400, "/accounts")
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


def test_a_preflight_for_a_method_or_header_that_no_route_takes_is_refused(alone: Api) -> None:
    assert (
        alone(
            "OPTIONS", "/accounts", {"origin": ORIGIN, "access-control-request-method": "TRACE"}
        ).status
        == 400
    )
    asked = {**PREFLIGHT, "access-control-request-headers": "x-unheard-of"}
    assert alone("OPTIONS", "/accounts", {"origin": ORIGIN, **asked}).status == 400


@pytest.mark.parametrize("origin", STRANGERS)
def test_an_answer_to_a_stranger_allows_no_origin(alone: Api, origin: str) -> None:
    answer = alone.get("/", {"origin": origin})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"].split(", ")


async def fail(request: Request) -> JSONResponse:
    raise RuntimeError


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fail", 500),
        ("GET", "/nowhere", 404),
        ("GET", "/accounts?page=0", 422),
        ("PUT", "/accounts", 405),
        ("GET", "/health/ready", 503),
        ("GET", "/", 200),
    ],
)
def test_the_site_can_read_every_answer_and_its_id(
    alone: Api, method: str, path: str, status: int
) -> None:
    alone.app.router.routes.append(Route("/fail", fail))
    path, _, query = path.partition("?")
    answer = alone(method, path, {"origin": ORIGIN}, **({"page": 0} if query else {}))
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


def test_the_site_can_read_why_a_file_is_too_large_or_none_and_why_a_key_does_not_suffice(
    alone: Api,
) -> None:
    keyed = api(
        api_keys={"reader": ApiKey(scope="read", digest=hashlib.sha256(b"secret").digest())}
    )
    key = {"x-api-key": "reader.secret"}
    too_large = body(part(b"x" * (MAX_BYTES + 1)))
    for service, content_type, headers, status in (
        (alone, MULTIPART, {}, 413),
        (alone, "text/csv", {}, 415),
        (keyed, MULTIPART, {}, 401),
        (keyed, MULTIPART, key, 403),
    ):
        answer = send(service, too_large, content_type, headers={"origin": ORIGIN, **headers})
        assert problem(answer).status == answer.status == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_pattern_of_origins_is_matched_from_end_to_end() -> None:
    previews = api(cors_origin_regex=r"https://app-[a-z0-9]+-team\.vercel\.app")
    allowed = previews.get("/", {"origin": "https://app-abc123-team.vercel.app"})
    assert allowed.headers["access-control-allow-origin"] == "https://app-abc123-team.vercel.app"
    for stranger in (
        "https://app-abc-team.vercel.app.evil.example",
        "xhttps://app-abc-team.vercel.app",
        "https://app-abc-teamXvercel.app",
    ):
        assert "access-control-allow-origin" not in previews.get("/", {"origin": stranger}).headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://a.example,null"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "https://*.a.example"),
        ("CORS_ORIGIN_REGEX", ".*"),
        ("CORS_ORIGIN_REGEX", "https://.*"),
        ("CORS_ORIGIN_REGEX", "("),
    ],
)
def test_a_setting_that_lets_in_strangers_stops_the_function_and_is_named(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_the_environment_is_read_by_the_names_of_the_contract() -> None:
    settings = Settings.from_environment({
        "DATABASE_URL": "postgresql://u:p@h/d",
        "CORS_ORIGINS": "https://a.example, http://localhost:3000,http://[::1]:3000",
        "CORS_ORIGIN_REGEX": r"https://a-[a-z]+\.example",
        "STAGE": "prod",
        "SERVICE_VERSION": "v1",
    })  # fmt: skip
    assert settings == Settings(
        database_url="postgresql://u:p@h/d",
        cors_origins=frozenset({"https://a.example", "http://localhost:3000", "http://[::1]:3000"}),
        cors_origin_regex=r"https://a-[a-z]+\.example",
        stage="prod",
        version="v1",
    )
    assert Settings.from_environment({"CORS_ORIGIN_REGEX": "", "CORS_ORIGINS": ""}) == Settings()


@pytest.mark.parametrize(
    "variable",
    [
        {"OPENAI_API_KEY": "sk hunter2"},
        {"OPENAI_API_KEY": "sk-hunter2\r\nX: 1"},
        {"OPENAI_API_KEY": "hunter2" * 100},
        {"OPENAI_MODEL": "gpt 5"},
        {"OPENAI_MODEL": "x" * 129},
        {"OPENAI_BASE_URL": "ftp://models.example"},
        {"OPENAI_BASE_URL": "https://user:hunter2@models.example"},
        {"OPENAI_BASE_URL": "https://models.example?key=hunter2"},
    ],
)
def test_a_wrong_setting_of_the_model_is_refused_by_its_name_without_a_secret(
    variable: dict[str, str],
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(variable)
    assert next(iter(variable)) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_default_model_is_that_of_the_program() -> None:
    declared = yaml.safe_load(
        (Path(__file__).parents[2] / "Pulumi.yaml").read_text(encoding="utf-8")
    )["config"]
    assert declared["openaiModel"]["default"] == Settings().openai_model


def test_the_key_of_the_model_is_not_shown_with_the_settings() -> None:
    settings = Settings.from_environment(
        {"OPENAI_API_KEY": "sk-hunter2", "OPENAI_MODEL": "", "OPENAI_BASE_URL": ""}
    )
    assert (settings.openai_api_key, settings.openai_model, settings.openai_seconds) == (
        "sk-hunter2",
        "gpt-5-mini",
        10.0,
    )
    assert "hunter2" not in repr(settings)
