"""What a report is made of, piece by piece: comparisons, permissions, OpenAPI documents, money, and Markdown that nothing breaks."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.report import children, cost, openapi, prices
from stack.report.compare import Kind, compare
from stack.report.database import Migrated, Schemas
from stack.report.markdown import LONGEST, LONGEST_BLOCK, block, bytes_, code, table
from stack.report.permissions import Permission, permissions

PATIENT = settings(deadline=None, database=None)


def snapshot(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "stack": "prod",
        "resources": list(resources),
        "outputs": [],
        "refusals": [],
        "error": "",
    }


def resource(
    name: str,
    type_: str = "t",
    /,
    *,
    protect: bool = False,
    data_loss: str = "",
    replaces: tuple[str, ...] = (),
    **inputs: Any,
) -> Any:
    return {
        "name": name,
        "type": type_,
        "inputs": inputs,
        "protect": protect,
        "data_loss": data_loss,
        "replaces": list(replaces),
    }


# comparisons


def test_what_is_the_same_is_the_same_and_each_other_fate_has_its_kind() -> None:
    base = snapshot(
        resource("a", x=1), resource("b", x=1), resource("c", replaces=("x",), x=1), resource("d")
    )
    head = snapshot(
        resource("a", x=1), resource("b", x=2), resource("c", replaces=("x",), x=2), resource("e")
    )
    found = {change.name: change.kind for change in compare(base, head)}
    assert found == {
        "a": Kind.SAME,
        "b": Kind.CHANGED,
        "c": Kind.REPLACED,
        "d": Kind.LOST,
        "e": Kind.CREATED,
    }


def test_losses_come_first_what_is_protected_before_all() -> None:
    base = snapshot(
        resource("plain"),
        resource("data", data_loss="its data"),
        resource("kept", data_loss="its name", protect=True),
    )
    names = [change.name for change in compare(base, snapshot(resource("new")))]
    assert names == ["kept", "data", "plain", "new"]


def test_a_difference_is_told_by_its_path_also_inside_of_a_document() -> None:
    old = resource(
        "a", env={"variables": {"A": "1", "B": "2"}}, policy='{"Version": "1", "Statement": []}'
    )
    new = resource(
        "a", env={"variables": {"A": "1", "C": "3"}}, policy='{"Statement": [], "Version": "2"}'
    )
    (change,) = compare(snapshot(old), snapshot(new))
    assert [(it.path, it.old, it.new) for it in change.differences] == [
        ("env.variables.B", "2", None),
        ("env.variables.C", None, "3"),
        ("policy.Version", "1", "2"),
    ]


def test_a_list_of_the_same_length_is_compared_by_its_places_and_another_as_a_whole() -> None:
    (change,) = compare(
        snapshot(resource("a", x=[{"y": 1}, 2], z=[1])),
        snapshot(resource("a", x=[{"y": 3}, 2], z=[1, 2])),
    )
    assert [(it.path, it.old, it.new) for it in change.differences] == [
        ("x[0].y", 1, 3),
        ("z", [1], [1, 2]),
    ]
    assert {it.root for it in change.differences} == {"x", "z"}


def test_protection_that_goes_is_a_change() -> None:
    (change,) = compare(snapshot(resource("a", protect=True)), snapshot(resource("a")))
    assert change.kind is Kind.CHANGED
    assert [it.path for it in change.differences] == ["protection"]


def test_a_resource_of_another_type_under_the_same_name_is_lost_and_created() -> None:
    assert [
        it.kind for it in compare(snapshot(resource("a", "t")), snapshot(resource("a", "u")))
    ] == [Kind.LOST, Kind.CREATED]


# permissions


def statement(**parts: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **parts}]})


def test_a_statement_is_one_line_for_each_action_on_each_resource() -> None:
    policy = statement(
        Action=["s3:GetObject", "s3:PutObject"],
        Resource=["a", "b"],
        Condition={"Bool": {"aws:SecureTransport": "true"}},
    )
    found = permissions(snapshot(resource("policy", policy=policy)))
    assert {(it.action, it.resource) for it in found} == {
        (a, r) for a in ("s3:GetObject", "s3:PutObject") for r in ("a", "b")
    }
    assert {it.condition for it in found} == {'{"Bool": {"aws:SecureTransport": "true"}}'}


def test_principals_exceptions_and_single_statements_are_read_too() -> None:
    trust = json.dumps(
        {
            "Statement": {
                "Effect": "Deny",
                "NotPrincipal": {"AWS": ["1", "2"]},
                "NotAction": "s3:*",
                "NotResource": "x",
            }
        }
    )
    assert permissions(snapshot(resource("role", trust=trust))) == {
        Permission("role", "Deny", "not s3:*", "not x", f"not AWS {account}", "")
        for account in ("1", "2")
    }
    anybody = permissions(
        snapshot(
            resource(
                "queue", policy=statement(Principal="*", Action="sqs:SendMessage", Resource="q")
            )
        )
    )
    assert {it.principal for it in anybody} == {"*"}


def test_who_may_call_a_function_is_a_permission_although_it_is_no_document() -> None:
    (found,) = permissions(
        snapshot(
            resource(
                "p",
                action="lambda:InvokeFunction",
                principal="apigateway",
                function="f",
                sourceArn="arn",
            )
        )
    )
    assert (found.action, found.resource, found.principal, found.condition) == (
        "lambda:InvokeFunction", "f", "apigateway", '{"sourceArn": "arn"}',
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"Statement": null}', '{"Statement": ["x"]}', "plain", '["Statement"]'],
)
def test_text_that_is_no_policy_holds_no_permission(text: str) -> None:
    assert permissions(snapshot(resource("a", x=text, y={"z": text}))) == frozenset()


# OpenAPI


def api(paths: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}


def answer(schema: str) -> dict[str, Any]:
    return {
        "200": {
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        }
    }


def told(base: dict[str, Any], head: dict[str, Any]) -> set[tuple[bool, str]]:
    return {(change.breaking, change.detail) for change in openapi.compare(base, head)}


def parameter(**parts: Any) -> dict[str, Any]:
    return {"get": {"parameters": [{"name": "size", "in": "query", **parts}], "responses": {}}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"get": {"responses": {}}}, parameter(), {(False, "parameter size (query) comes")}),
        (
            {"get": {"responses": {}}},
            parameter(required=True),
            {(True, "parameter size (query) comes, required")},
        ),
        (parameter(), {"get": {"responses": {}}}, {(True, "parameter size (query) goes")}),
        (
            parameter(schema={"maximum": 9}),
            parameter(schema={"maximum": 5}),
            {(True, "parameter size (query) changes")},
        ),
        (parameter(description="old"), parameter(description="new"), set()),
        (
            {"get": {"responses": {}}},
            {"get": {"responses": {}, "security": [{"key": []}]}},
            {(True, "who may call it changes")},
        ),
        (
            {"get": {"responses": {}}},
            {"get": {"responses": {}, "deprecated": True}},
            {(False, "is deprecated")},
        ),
        (
            {"get": {"responses": answer("A")}},
            {"get": {"responses": {}}},
            {(True, "answer 200 goes")},
        ),
        (
            {"get": {"responses": answer("A")}},
            {"get": {"responses": answer("B")}},
            {(True, "answer 200 changes")},
        ),
        (
            {"post": {"responses": {}}},
            {"post": {"responses": {}, "requestBody": {}}},
            {(True, "a request's body comes")},
        ),
    ],
)
def test_a_change_of_an_operation_is_told_and_judged(
    old: Any, new: Any, expected: set[tuple[bool, str]]
) -> None:
    assert told(api({"/x": old}), api({"/x": new})) == expected


def test_operations_that_go_are_told_before_those_that_come() -> None:
    found = openapi.compare(
        api({"/a": {"get": {"responses": {}}}}), api({"/b": {"get": {"responses": {}}}})
    )
    assert [(it.breaking, it.what, it.detail) for it in found] == [
        (True, "GET /a", "goes"),
        (False, "GET /b", "comes"),
    ]


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def test_a_required_field_breaks_who_sends_a_schema_and_not_who_reads_it() -> None:
    sent = {
        "post": {
            "responses": {},
            "requestBody": {"content": {"x": {"schema": {"$ref": "#/components/schemas/Outer"}}}},
        }
    }
    outer = schema(inner={"$ref": "#/components/schemas/It"})
    old, new = schema(a={"type": "string"}), schema("b", a={"type": "string"}, b={"type": "string"})
    assert told(api({"/x": sent}, It=old, Outer=outer), api({"/x": sent}, It=new, Outer=outer)) == {
        (True, "field b comes, required")
    }
    read = {"get": {"responses": answer("It")}}
    assert told(api({"/x": read}, It=old), api({"/x": read}, It=new)) == {(False, "field b comes")}


def test_fields_that_go_or_change_break_and_words_do_not() -> None:
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
    assert told(api({}, It=old), api({}, It=new)) == {
        (True, "field a goes"),
        (True, "field b changes"),
        (True, "field c becomes optional"),
    }


def test_values_of_an_enumeration_are_looked_at() -> None:
    assert told(api({}, It={"enum": ["a"]}), api({}, It={"enum": ["a", "b"]})) == {
        (True, "its values change")
    }


# database


def test_the_schemas_are_compared_as_they_are_after_the_upgrade() -> None:
    base = Migrated(schema="CREATE TABLE a (\n    b text\n);")
    upgraded = Migrated(schema="CREATE TABLE a (\n    b text,\n    c text\n);")
    difference = Schemas(base=base, head=upgraded, upgraded=upgraded).difference
    assert "+    c text" in difference
    assert not [line for line in difference if line.startswith(("---", "+++"))]


def test_a_released_migration_that_was_edited_is_seen() -> None:
    assert Schemas(
        base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(schema="a")
    ).one_way_differs
    assert not Schemas(
        base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(error="failed")
    ).one_way_differs


def test_schemas_that_cannot_be_compared_are_not_taken_for_the_same() -> None:
    for failed in (
        Schemas(
            base=Migrated(error="failed"), head=Migrated(schema="b"), upgraded=Migrated(error="x")
        ),
        Schemas(base=Migrated(schema="a"), head=Migrated(error="x"), upgraded=Migrated(error="x")),
    ):
        assert failed.difference == []
        assert failed.incomparable
    assert (
        "+b"
        in Schemas(
            base=Migrated(schema="a"), head=Migrated(schema="b"), upgraded=Migrated(error="x")
        ).difference
    )


# money


def stack(
    *, rate: int = 1, memory: int = 1024, architecture: str = "arm64", days: int = 30, **neon: Any
) -> dict[str, Any]:
    return snapshot(
        resource(
            "s",
            cost.STAGE,
            defaultRouteSettings={"throttlingRateLimit": rate, "throttlingBurstLimit": 1},
        ),
        resource("f", cost.FUNCTION, name="api", memorySize=memory, architectures=[architecture]),
        resource(
            "m", cost.FUNCTION, name="migrate", memorySize=memory, architectures=[architecture]
        ),
        resource(
            "p",
            cost.PERMISSION,
            function="api",
            principal="apigateway.amazonaws.com",
            action="lambda:InvokeFunction",
        ),
        resource("l", cost.LOG_GROUP, name="/aws/lambda/api", retentionInDays=days),
        resource(
            "n",
            cost.PROJECT,
            name="db",
            defaultEndpointSettings={
                "autoscalingLimitMinCu": 0.25,
                "autoscalingLimitMaxCu": 2,
                **neon,
            },
        ),
    )


def busy(**changed: Any) -> dict[str, float]:
    return {line.part: line.busy for line in cost.monthly(stack(**changed))}


def test_the_busy_month_is_that_of_the_throttle_reckoned_by_hand() -> None:
    requests = 730 * 3600
    found = busy()
    assert found["HTTP API"] == pytest.approx(requests * 1e-6)
    assert found["Lambda api"] == pytest.approx(requests * 0.2e-6 + requests * 0.1 * 0.0000133334)
    gigabytes = requests * 600e-9
    assert found["Logs /aws/lambda/api"] == pytest.approx(
        gigabytes * 0.5 + gigabytes * (30 / (730 / 24)) * 0.15 * 0.03
    )
    assert found["Neon db"] == pytest.approx(2 * 730 * prices.NEON_CU_HOUR)


def test_what_serves_no_requests_costs_nothing_for_them() -> None:
    assert "Lambda migrate" not in busy()


@pytest.mark.parametrize(
    ("changed", "part", "more"),
    [
        ({"rate": 2}, "HTTP API", True),
        ({"memory": 2048}, "Lambda api", True),
        ({"architecture": "x86_64"}, "Lambda api", True),
        ({"days": 7}, "Logs /aws/lambda/api", False),
        ({"autoscalingLimitMaxCu": 4}, "Neon db", True),
    ],
)
def test_each_key_of_the_configuration_that_costs_shows(
    changed: dict[str, Any], part: str, more: bool
) -> None:
    before, after = busy(), busy(**changed)
    assert (after[part] > before[part]) == more
    assert after[part] != before[part]


def test_requests_above_the_first_tier_are_cheaper() -> None:
    assert busy(rate=1000)["HTTP API"] < 1000 * busy()["HTTP API"]


def test_at_rest_only_what_never_sleeps_costs() -> None:
    assert {line.at_rest for line in cost.monthly(stack())} == {0}
    awake = {line.part: line.at_rest for line in cost.monthly(stack(suspendTimeoutSeconds=-1))}
    assert awake["Neon db"] == pytest.approx(0.25 * 730 * prices.NEON_CU_HOUR)


def test_a_type_without_a_price_is_named_and_not_taken_for_free() -> None:
    assert cost.unpriced(
        snapshot(resource("q", "aws:sqs/queue:Queue"), resource("r", "aws:iam/role:Role"))
    ) == ["aws:sqs/queue:Queue"]
    assert cost.unpriced(stack()) == []


# Markdown


def rendered(span: str) -> str:
    """The text of a code span in a table's cell: the fence is the longest run of backticks at its ends (CommonMark 6.1, GFM tables)."""
    plain = span.replace("\\|", "|")
    fence = re.match("`+", plain)
    assert fence, span
    inner = plain[len(fence[0]) : -len(fence[0])]
    assert plain.endswith(fence[0])
    assert fence[0] not in [run for run in re.findall("`+", inner) if len(run) == len(fence[0])]
    return inner.strip()


@PATIENT
@given(st.text(st.sampled_from(list("`|<>@#[]()!*_~\\ \n\r\t\u202eab")), max_size=60))
def test_whatever_is_written_as_code_stays_one_span_of_one_cell(text: str) -> None:
    span = code(text)
    assert "\n" not in span
    assert "\u202e" not in span
    assert not re.search(r"(?<!\\)\|", span)
    if span != "(empty)":
        assert rendered(span) == re.sub(r"[\n\r\t\u202e]+", " ", text).strip()


def test_long_text_is_cut() -> None:
    assert len(code("x" * 1000)) == LONGEST + 2
    assert block(["x"] * 1000).count("\n") == LONGEST_BLOCK + 2


@PATIENT
@given(st.lists(st.text(st.sampled_from(list("`~ab\n")), max_size=12), max_size=6))
def test_no_line_of_a_block_ends_it(lines: list[str]) -> None:
    text = block(lines)
    fence = re.match("`+", text)
    assert fence
    inner = text.split("\n")[1:-1]
    assert len(inner) == len(lines)
    assert not [line for line in inner if line.strip().startswith(fence[0])]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (-308, "-308 B"),
        (1000, "1.0 kB"),
        (-99_949, "-99.9 kB"),
        (15_602_279, "15.60 MB"),
    ],
)
def test_sizes_are_in_units_of_a_thousand(size: int, text: str) -> None:
    assert bytes_(size) == text


def test_a_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    text = table(["a", "b"], [[code("x|y"), "1"]], right=(1,))
    assert text.splitlines() == ["| a | b |", "| --- | ---: |", "| `x\\|y` | 1 |"]


# children


def test_a_child_gets_nothing_that_opens_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "NEON_API_KEY",
        "GITHUB_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "PULUMI_CONFIG_PASSPHRASE",
    ):
        monkeypatch.setenv(name, "never-used-here")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://example.com")
    passed = children.environment(MORE="1")
    assert "never-used-here" not in passed.values()
    assert passed.keys() >= {"PATH", "UV_DEFAULT_INDEX", "MORE"}


def test_a_child_that_fails_is_told_by_the_end_of_what_it_said(tmp_path: Any) -> None:
    with pytest.raises(children.ChildFailedError, match="line 99") as failed:
        children.run(
            [
                "-c",
                "import sys\nfor at in range(100): print('line', at, file=sys.stderr)\nsys.exit(3)",
            ],
            tmp_path,
        )
    assert "line 1\n" not in str(failed.value)
