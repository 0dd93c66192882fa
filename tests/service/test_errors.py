"""Problem details (RFC 9457), CORS and settings."""

import hashlib
from pathlib import Path
from typing import Any

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
OTHER_ORIGINS = (
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


def problem(response: Response) -> Problem:
    assert response.headers["content-type"] == MEDIA_TYPE
    return Problem.model_validate_json(response.text, strict=True, extra="forbid")


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
def test_an_error_has_problem_details_with_a_sentence_and_the_request_id(
    alone: Api, method: str, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    response = alone(method, path, {"x-request-id": "mine"}, **query)
    found = problem(response)
    assert (response.status, found.status, found.type.rsplit(":", 1)[-1]) == (status, status, code)
    assert (found.instance, found.request_id) == (path, "mine")
    assert found.detail.endswith((".", ":"))
    assert (found.errors is None) == (status != 422)
    assert response.text.isascii()


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
def test_a_wrong_method_is_a_405_with_the_allowed_methods(
    alone: Api, method: str, path: str, allowed: str
) -> None:
    response = alone(method, path)
    assert (response.status, response.headers["allow"]) == (405, allowed)


def test_a_trailing_slash_is_not_found_and_not_redirected(alone: Api) -> None:
    response = alone.get("/health/live/")
    assert response.status == 404
    assert "location" not in response.headers


def test_an_error_never_repeats_the_invalid_value(alone: Api) -> None:
    queries: list[dict[str, Any]] = [
        {"page": "hunter2"},
        {"q": "hunter2\x00"},
        {"bucket": "hunter2"},
        {"min_score": "hunter2"},
        {"nosuch": "hunter2"},
    ]
    for query in queries:
        response = alone.get("/accounts", **query)
        assert response.status == 422
        assert "hunter2" not in response.text


def test_an_error_repeats_a_long_parameter_name_only_in_part(alone: Api) -> None:
    query: dict[str, Any] = {"x" * 500: "1"}
    error = alone.get("/accounts", **query).json["errors"][0]
    assert error["loc"] == ["query", "x" * 100]


def test_an_error_lists_all_invalid_parameters(alone: Api) -> None:
    response = alone.get("/accounts", page=0, page_size=0, segment="x")
    assert problem(response).errors
    assert {error["loc"][1] for error in response.json["errors"]} == {
        "page",
        "page_size",
        "segment",
    }


def test_a_preflight_of_the_site_allows_exactly_its_origin(alone: Api) -> None:
    response = alone("OPTIONS", "/accounts", {"origin": ORIGIN, **PREFLIGHT})
    assert response.status == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "Origin" in response.headers["vary"].split(", ")
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
def test_a_preflight_of_another_origin_is_refused(alone: Api, origin: str) -> None:
    response = alone("OPTIONS", "/accounts", {"origin": origin, **PREFLIGHT})
    assert (response.status, problem(response).instance) == (400, "/accounts")
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


def test_a_preflight_for_an_unsupported_method_or_header_is_refused(alone: Api) -> None:
    assert (
        alone(
            "OPTIONS", "/accounts", {"origin": ORIGIN, "access-control-request-method": "TRACE"}
        ).status
        == 400
    )
    headers = {**PREFLIGHT, "access-control-request-headers": "x-unheard-of"}
    assert alone("OPTIONS", "/accounts", {"origin": ORIGIN, **headers}).status == 400


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
def test_a_response_to_another_origin_allows_no_origin(alone: Api, origin: str) -> None:
    response = alone.get("/", {"origin": origin})
    assert response.status == 200
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"].split(", ")


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
def test_the_site_can_read_every_response_and_its_request_id(
    alone: Api, method: str, path: str, status: int
) -> None:
    alone.app.router.routes.append(Route("/fail", fail))
    path, _, query = path.partition("?")
    response = alone(method, path, {"origin": ORIGIN}, page=[0] if query else [])
    assert response.status == status
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-ID" in response.headers["access-control-expose-headers"]


def test_the_site_can_read_the_errors_of_uploads_and_api_keys(
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
        response = send(service, too_large, content_type, headers={"origin": ORIGIN, **headers})
        assert problem(response).status == response.status == status
        assert response.headers["access-control-allow-origin"] == ORIGIN


def test_the_origin_pattern_has_to_match_the_whole_origin() -> None:
    previews = api(cors_origin_regex=r"https://app-[a-z0-9]+-team\.vercel\.app")
    allowed = previews.get("/", {"origin": "https://app-abc123-team.vercel.app"})
    assert allowed.headers["access-control-allow-origin"] == "https://app-abc123-team.vercel.app"
    for origin in (
        "https://app-abc-team.vercel.app.evil.example",
        "xhttps://app-abc-team.vercel.app",
        "https://app-abc-teamXvercel.app",
    ):
        assert "access-control-allow-origin" not in previews.get("/", {"origin": origin}).headers


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
def test_a_cors_setting_that_is_too_wide_fails_the_start_and_is_named(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_settings_are_read_from_the_documented_environment_variables() -> None:
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
def test_an_invalid_model_setting_is_named_without_a_secret(
    variable: dict[str, str],
) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment(variable)
    assert next(iter(variable)) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_default_model_is_the_one_in_pulumi_yaml() -> None:
    declared = yaml.safe_load(
        (Path(__file__).parents[2] / "Pulumi.yaml").read_text(encoding="utf-8")
    )["config"]
    assert declared["openaiModel"]["default"] == Settings().openai_model


def test_the_repr_of_settings_does_not_show_the_openai_key() -> None:
    settings = Settings.from_environment(
        {"OPENAI_API_KEY": "sk-hunter2", "OPENAI_MODEL": "", "OPENAI_BASE_URL": ""}
    )
    assert (settings.openai_api_key, settings.openai_model, settings.openai_seconds) == (
        "sk-hunter2",
        "gpt-5-mini",
        10.0,
    )
    assert "hunter2" not in repr(settings)
