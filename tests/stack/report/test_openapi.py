"""How two OpenAPI documents are compared, and which changes break clients."""

from typing import Any

import pytest

from stack.report import openapi


def api(paths: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}


def response(schema: str) -> dict[str, Any]:
    return {
        "200": {
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        }
    }


def differences(base: dict[str, Any], head: dict[str, Any]) -> set[tuple[bool, str]]:
    return {(change.breaking, change.detail) for change in openapi.compare(base, head)}


def parameter(**parts: Any) -> dict[str, Any]:
    return {"get": {"parameters": [{"name": "size", "in": "query", **parts}], "responses": {}}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"get": {"responses": {}}}, parameter(), {(False, "parameter size (query) added")}),
        (
            {"get": {"responses": {}}},
            parameter(required=True),
            {(True, "parameter size (query) added, required")},
        ),
        (parameter(), {"get": {"responses": {}}}, {(True, "parameter size (query) removed")}),
        (
            parameter(schema={"maximum": 9}),
            parameter(schema={"maximum": 5}),
            {(True, "parameter size (query) changed")},
        ),
        (parameter(description="old"), parameter(description="new"), set()),
        (
            {"get": {"responses": {}}},
            {"get": {"responses": {}, "security": [{"key": []}]}},
            {(True, "authentication changed")},
        ),
        (
            {"get": {"responses": {}}},
            {"get": {"responses": {}, "deprecated": True}},
            {(False, "deprecated")},
        ),
        (
            {"get": {"responses": response("A")}},
            {"get": {"responses": {}}},
            {(True, "response 200 removed")},
        ),
        (
            {"get": {"responses": response("A")}},
            {"get": {"responses": response("B")}},
            {(True, "response 200 changed")},
        ),
        (
            {"post": {"responses": {}}},
            {"post": {"responses": {}, "requestBody": {}}},
            {(True, "request body added")},
        ),
    ],
)
def test_a_change_of_an_operation_is_reported_and_classified(
    old: Any, new: Any, expected: set[tuple[bool, str]]
) -> None:
    assert differences(api({"/x": old}), api({"/x": new})) == expected


def test_removed_operations_are_listed_before_added_ones() -> None:
    found = openapi.compare(
        api({"/a": {"get": {"responses": {}}}}), api({"/b": {"get": {"responses": {}}}})
    )
    assert [(it.breaking, it.what, it.detail) for it in found] == [
        (True, "GET /a", "removed"),
        (False, "GET /b", "added"),
    ]


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def test_an_added_required_field_breaks_clients_that_send_a_schema_but_not_readers() -> None:
    sent = {
        "post": {
            "responses": {},
            "requestBody": {"content": {"x": {"schema": {"$ref": "#/components/schemas/Outer"}}}},
        }
    }
    outer = schema(inner={"$ref": "#/components/schemas/It"})
    old, new = schema(a={"type": "string"}), schema("b", a={"type": "string"}, b={"type": "string"})
    assert differences(
        api({"/x": sent}, It=old, Outer=outer), api({"/x": sent}, It=new, Outer=outer)
    ) == {(True, "field b added, required")}
    read = {"get": {"responses": response("It")}}
    assert differences(api({"/x": read}, It=old), api({"/x": read}, It=new)) == {
        (False, "field b added")
    }


def test_removed_and_changed_fields_break_clients_and_changed_descriptions_do_not() -> None:
    old = schema(
        "c",
        a={"type": "string"},
        b={"type": "integer", "description": "old"},
        c={},
        d={"type": "string", "title": "x"},
    )
    new = schema(
        b={"type": "string", "description": "new"}, c={}, d={"type": "string", "title": "y"}
    )
    assert differences(api({}, It=old), api({}, It=new)) == {
        (True, "field a removed"),
        (True, "field b changed"),
        (True, "field c now optional"),
    }


def test_values_of_an_enumeration_are_compared() -> None:
    assert differences(api({}, It={"enum": ["a"]}), api({}, It={"enum": ["a", "b"]})) == {
        (True, "values changed")
    }
