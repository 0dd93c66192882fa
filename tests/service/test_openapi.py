"""The OpenAPI document: committed, complete and correct."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from scripts.openapi import document as committed
from service.app import create_app
from service.http import openapi
from service.schema.requests import AccountChange
from service.settings import ApiKey, Settings
from tests.service.every_operation import REQUESTS
from tests.service.lambda_api import Api

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(version="1")).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_committed_document_is_current() -> None:
    assert committed() == COMMITTED.read_text(encoding="utf-8"), (
        "generate it: python scripts/openapi.py"
    )


def test_every_documented_operation_is_in_the_tests_of_every_operation(
    document: dict[str, Any],
) -> None:
    assert {name for name, _ in operations(document)} == set(REQUESTS)


def test_every_response_has_a_schema_and_every_error_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert {"200", "422"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            if status == "304":
                assert "content" not in response
                continue
            ((media_type, content),) = response["content"].items()
            if name == "GET /accounts/export.csv" and status == "200":
                assert (media_type, content["schema"]) == ("text/csv", {"type": "string"})
                continue
            assert media_type == (
                "application/json" if status == "200" else "application/problem+json"
            ), name
            schema = schemas[content["schema"]["$ref"].rsplit("/", 1)[-1]]
            assert "example" in content or schema["examples"], name


def test_every_body_has_a_schema_with_an_example(document: dict[str, Any]) -> None:
    bodies = {
        name: operation["requestBody"]
        for name, operation in operations(document)
        if "requestBody" in operation
    }
    assert set(bodies) == {
        "PATCH /accounts/{account_id}",
        "POST /scoring/what-if",
        "POST /actions/recommend",
        "POST /ingest/csv",
    }
    assert bodies.pop("POST /ingest/csv")["content"]["multipart/form-data"]["example"]
    for name, body in bodies.items():
        reference = body["content"]["application/json"]["schema"]["$ref"]
        assert document["components"]["schemas"][reference.rsplit("/", 1)[-1]]["examples"], name


def test_api_keys_are_documented_as_the_settings_require_them(
    document: dict[str, Any],
) -> None:
    keys = {"a": ApiKey(scope="write", digest=bytes(32))}
    writes = create_app(Settings(api_keys=keys)).openapi()
    everything = create_app(Settings(api_keys=keys, api_keys_protect_reads=True)).openapi()
    needed, optional = [{"ApiKey": []}], [{}, {"ApiKey": []}]
    for name, found in {
        "GET /accounts": (optional, optional, needed),
        "POST /scoring/what-if": (optional, optional, needed),
        "PATCH /accounts/{account_id}": (optional, needed, needed),
        "GET /": (None, None, None),
        "GET /health/ready": (None, None, None),
    }.items():
        result = tuple(
            dict(operations(each))[name].get("security") for each in (document, writes, everything)
        )
        assert result == found, name
    for name, operation in operations(document):
        assert ("401" in operation["responses"]) == ("security" in operation), name
    assert document["components"]["securitySchemes"]["ApiKey"]["name"] == "X-API-Key"


@pytest.mark.parametrize(
    ("text", "valid"),
    [("a", True), (" a ", True), (" ", False), ("\u3000", False), ("a\nb", False), ("", False)],
)
def test_the_documented_pattern_of_texts_matches_the_service(
    document: dict[str, Any], text: str, valid: bool
) -> None:
    schema, _null = document["components"]["schemas"]["AccountChange"]["properties"]["cs_owner"][
        "anyOf"
    ]
    assert bool(re.search(schema["pattern"].replace("$", r"\Z"), text)) == valid
    try:
        AccountChange.model_validate_json(json.dumps({"cs_owner": text}), strict=True)
    except ValidationError:
        assert not valid
    else:
        assert valid


def test_the_document_lists_every_factor_that_can_be_named(
    document: dict[str, Any], sampled: Api
) -> None:
    names = document["components"]["schemas"]["RiskFactors"]["items"]["enum"]
    assert sampled("POST", "/actions/recommend", body=json.dumps(names)).status == 200
    published = sampled.get("/scoring").json
    components = [component for group in published["groups"] for component in group["components"]]
    assert set(names) == {
        each[part]
        for each in (*components, *published["adjustments"])
        for part in ("code", "label")
    }


def test_every_reference_has_a_schema_and_every_schema_a_reference(
    document: dict[str, Any],
) -> None:
    found = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert found == set(document["components"]["schemas"])


def test_examples_are_valid() -> None:
    checked = 0
    for model in (*openapi.RESPONSE_MODELS, *openapi.REQUEST_MODELS):
        for example in (model.model_config.get("json_schema_extra") or {}).get("examples", []):  # type: ignore[union-attr]
            model.model_validate_json(json.dumps(example), strict=True, extra="forbid")
            checked += 1
    assert checked, "there are examples to check"


def test_the_document_and_its_page_are_served_without_a_warning(
    sampled: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        served = sampled.get("/openapi.json")
        assert sampled.get("/openapi.json").text == served.text
    assert served.json["components"]["schemas"]["Problem"]
    page = sampled.get("/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "openapi.json" in page.text
    assert capsys.readouterr().err == ""
