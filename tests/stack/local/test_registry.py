"""The tables of resource handlers and functions: what all entries have in common."""

from pathlib import Path

import pytest

from common.errors import UserError
from stack.local.registry import FUNCTIONS, HANDLERS
from stack.local.resources import base, schemas, sdk
from stack.local.resources.values import UNKNOWN
from tests.support.handler_bench import (
    ALIAS,
    DOMAIN,
    FUNCTION,
    INVOCATION,
    LAYER,
    LOG_GROUP,
    POLICY,
    ROLE,
    STAGE,
    TYPES,
    VARIABLE,
    VERCEL_PROJECT,
    HandlerBench,
)
from tests.support.program import evaluate, make_project

PROVIDER_SCHEMAS = schemas.SCHEMAS
RESOURCE_SCHEMAS = PROVIDER_SCHEMAS["resources"]


def test_the_registry_has_exactly_the_types_and_functions_that_the_program_uses(tmp_path: Path):
    project = make_project(tmp_path)
    branch = {"databaseBranchOf": "quiet-forest-1", "siteDomain": "{stack}.example.com"}
    recordings = [evaluate(project, preview=True), evaluate(project, stack="pr-1", config=branch)]
    resources = [resource for recording in recordings for resource in recording.resources.values()]
    assert {
        it.type for it in resources if it.custom and not it.type.startswith("pulumi:")
    } == HANDLERS.keys()
    assert {token for token, _ in recordings[1].asked} - HANDLERS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("token", FUNCTIONS)
def test_a_functions_results_and_secrets_are_those_of_the_providers_schema(
    token: str,
):
    schema, function = PROVIDER_SCHEMAS["functions"][token], FUNCTIONS[token]
    assert function.results | schema["inputs"].keys() | {"id"} == schema["outputs"].keys()
    assert function.secrets == set(schema["secret"])


@pytest.mark.parametrize("type_", TYPES)
def test_a_handler_is_registered_under_the_type_of_its_sdk_class(type_: str):
    assert HANDLERS[type_].type == type_
    assert getattr(HANDLERS[type_].sdk, "pulumi_type", None) == type_


@pytest.mark.parametrize("type_", TYPES)
def test_supported_inputs_are_declared_by_the_sdk_and_replacing_inputs_are_supported(
    type_: str,
):
    handler = HANDLERS[type_]
    assert handler.supported <= sdk.input_types(handler.sdk).keys()
    assert handler.replaces <= handler.supported
    assert handler.supported


@pytest.mark.parametrize("type_", TYPES)
def test_computed_outputs_are_the_sdks_outputs_without_its_inputs(type_: str):
    handler = HANDLERS[type_]
    assert handler.computed == sdk.output_names(handler.sdk) - sdk.input_types(handler.sdk).keys()
    assert handler.recomputed_outputs(handler.supported) <= handler.computed
    assert handler.secrets <= sdk.output_names(handler.sdk)


@pytest.mark.parametrize("type_", RESOURCE_SCHEMAS)
def test_a_handlers_secrets_are_those_of_the_providers_schema(type_: str):
    handler = HANDLERS[type_]
    assert handler.secrets == set(RESOURCE_SCHEMAS[type_]["secret"]) & (
        handler.computed | handler.supported
    )


@pytest.mark.parametrize("type_", TYPES)
def test_the_inputs_of_the_program_pass_the_check(type_: str, bench: HandlerBench):
    base.check(HANDLERS[type_], "it", bench.sample(type_), bench.root)


@pytest.mark.parametrize("type_", TYPES)
def test_unknown_inputs_pass_the_check_one_by_one_and_all_together(type_: str, bench: HandlerBench):
    handler, sample = HANDLERS[type_], bench.sample(type_)
    for key in sample:
        assert handler.check({**sample, key: UNKNOWN}) == [], key
    assert handler.check(dict.fromkeys(handler.supported, UNKNOWN)) == []


@pytest.mark.parametrize("type_", TYPES)
def test_a_create_returns_every_computed_output(type_: str, bench: HandlerBench):
    if type_ == FUNCTION:
        bench.create(LAYER)
    identity, outputs = bench.create(type_)
    assert identity
    assert outputs.keys() == HANDLERS[type_].computed


@pytest.mark.parametrize("type_", TYPES)
def test_a_second_create_adopts_the_resource_of_an_interrupted_run(type_: str, bench: HandlerBench):
    first, second = bench.create(type_), bench.create(type_)
    assert first[0] == second[0]
    volatile = {"lastModified", "createdDate"}
    assert {**first[1], **dict.fromkeys(volatile)} == {**second[1], **dict.fromkeys(volatile)}


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ != INVOCATION])
def test_a_deleted_resource_no_longer_exists_and_can_be_deleted_again(
    type_: str, bench: HandlerBench
):
    identity, outputs = bench.create(type_)
    assert bench.read(type_, identity, outputs) is not None
    bench.delete(type_, identity)
    assert bench.read(type_, identity, outputs) is None
    bench.delete(type_, identity)


@pytest.mark.parametrize(
    "type_", [type_ for type_ in TYPES if HANDLERS[type_].supported - HANDLERS[type_].replaces]
)
def test_an_update_returns_every_computed_output(type_: str, bench: HandlerBench):
    identity, _ = bench.create(type_)
    assert bench.update(type_, identity).keys() == HANDLERS[type_].computed


@pytest.mark.parametrize(
    "type_",
    [STAGE, LOG_GROUP, ROLE, POLICY, FUNCTION, ALIAS, VARIABLE, DOMAIN],
    ids=lambda type_: type_.rpartition(":")[2],
)
def test_a_create_does_not_adopt_a_resource_of_another_owner_with_the_same_name(
    type_: str, bench: HandlerBench
):
    inputs = {"name": "mine", **bench.sample(type_)}
    bench.create_from(type_, inputs, "first")
    with pytest.raises(UserError, match="exists already, created by 'first'"):
        bench.create_from(type_, inputs, "second")


def test_a_type_without_look_up_refuses_to_be_read(bench: HandlerBench):
    with pytest.raises(
        UserError, match=f"reading {VERCEL_PROJECT} 'prj_1' is not supported locally"
    ):
        HANDLERS[VERCEL_PROJECT].look_up(bench.context(), "prj_1")
