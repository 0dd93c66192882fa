"""The OpenAPI document: committed, complete, and true of the answers."""

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


def test_the_committed_document_is_the_present_one() -> None:
    assert committed() == COMMITTED.read_text(encoding="utf-8"), (
        "write it again: python scripts/openapi.py"
    )


def test_every_operation_is_documented_and_known_to_the_tests_that_go_through_all(
    document: dict[str, Any],
) -> None:
    assert {name for name, _ in operations(document)} == set(REQUESTS)


def test_every_answer_has_a_schema_and_every_error_an_example(document: dict[str, Any]) -> None:
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


def test_keys_are_optional_in_the_document_until_there_are_some_and_never_asked_of_what_watches(
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
        told = tuple(
            dict(operations(each))[name].get("security") for each in (document, writes, everything)
        )
        assert told == found, name
    for name, operation in operations(document):
        assert ("401" in operation["responses"]) == ("security" in operation), name
    assert document["components"]["securitySchemes"]["ApiKey"]["name"] == "X-API-Key"


@pytest.mark.parametrize(
    ("text", "fits"),
    [("a", True), (" a ", True), (" ", False), ("\u3000", False), ("a\nb", False), ("", False)],
)
def test_a_text_that_says_nothing_is_refused_by_the_document_as_by_the_service(
    document: dict[str, Any], text: str, fits: bool
) -> None:
    schema, _null = document["components"]["schemas"]["AccountChange"]["properties"]["cs_owner"][
        "anyOf"
    ]
    assert bool(re.search(schema["pattern"].replace("$", r"\Z"), text)) == fits
    try:
        AccountChange.model_validate_json(json.dumps({"cs_owner": text}), strict=True)
    except ValidationError:
        assert not fits
    else:
        assert fits


def test_every_factor_may_be_named_and_the_document_lists_them(
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


def test_every_reference_leads_to_a_schema_and_every_schema_is_referred_to(
    document: dict[str, Any],
) -> None:
    found = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert found == set(document["components"]["schemas"])


def test_the_examples_fit_their_schemas() -> None:
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
