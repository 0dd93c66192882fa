"""The gRPC provider over a real connection, with all handlers and stubs of the services."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import grpc
import pytest
from google.protobuf import empty_pb2

from common.errors import UserError
from stack.local.cloud import Cloud
from stack.local.pulumi_provider.server import ProviderServer
from stack.local.registry import HANDLERS, PROVIDERS, VERSION
from stack.local.resources import values
from stack.local.resources.base import Context
from stack.local.resources.values import UNKNOWN, Secret
from tests.support.handler_bench import (
    BRANCH,
    DEPLOYMENT,
    FUNCTION,
    INTEGRATION,
    INVOCATION,
    LAYER,
    LOG_GROUP,
    NEON_PROJECT,
    PERMISSION,
    ROLE,
    TYPES,
    VARIABLE,
    HandlerBench,
)
from tests.support.provider_client import ProviderClient, protocol


@pytest.fixture
def engine(bench: HandlerBench) -> Iterator[ProviderClient]:
    server = ProviderServer(cast("Cloud", bench.context().cloud), bench.root, lambda _line: None)
    client = ProviderClient(server.port)
    yield client
    client.channel.close()
    server.stop()


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return str(cast("grpc.Call", caught.value).details())


def test_the_provider_reports_the_newest_version_of_its_packages(engine: ProviderClient):
    response = engine.stub.GetPluginInfo(empty_pb2.Empty())
    assert response.version == VERSION


def test_parameterize_accepts_the_package_of_the_bridge(engine: ProviderClient):
    value = protocol.ParameterizeRequest.ParametersValue(name="neon", version="0.15.0", value=b"{}")
    response = engine.stub.Parameterize(protocol.ParameterizeRequest(value=value))
    assert (response.name, response.version) == ("neon", "0.15.0")


@pytest.mark.parametrize(("package", "near"), [("aws", "region"), ("vercel", "team")])
def test_an_unknown_input_of_a_provider_resource_is_refused(
    engine: ProviderClient, package: str, near: str
):
    assert near in PROVIDERS[package]
    urn = f"urn:pulumi:local::p::pulumi:providers:{package}::default"
    news = values.encode({"misspelt": "x", near: "y", "version": "1"})
    response = engine.stub.CheckConfig(protocol.CheckRequest(urn=urn, news=news))
    assert [failure.property for failure in response.failures] == ["misspelt"]
    assert near in response.failures[0].reason


def test_another_region_replaces_the_providers_resources_and_other_tags_do_not(
    engine: ProviderClient,
):
    def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
        return engine.stub.DiffConfig(
            protocol.DiffRequest(old_inputs=values.encode(old), news=values.encode(new))
        )

    assert list(diff({"region": "us-east-1"}, {"region": "eu-west-2"}).replaces) == ["region"]
    assert not diff({"defaultTags": "a"}, {"defaultTags": "b"}).replaces
    assert (
        diff(
            {"region": "us-east-1", "version": "7"}, {"region": "us-east-1", "version": "8"}
        ).changes
        == protocol.DiffResponse.DIFF_NONE
    )


def test_a_resource_gets_the_region_of_its_stacks_provider(
    engine: ProviderClient, bench: HandlerBench
):
    urn = "urn:pulumi:local::p::pulumi:providers:aws::aws"
    engine.stub.Configure(
        protocol.ConfigureRequest(urn=urn, args=values.encode({"region": "sa-east-1"}))
    )
    _, outputs = engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert ":sa-east-1:" in outputs["arn"]


@pytest.mark.parametrize("type_", TYPES)
def test_the_inputs_of_the_program_pass_the_check(
    engine: ProviderClient, bench: HandlerBench, type_: str
):
    assert engine.check(type_, bench.sample(type_)) == {}


@pytest.mark.parametrize("type_", TYPES)
def test_an_unknown_input_is_refused_with_the_known_ones(
    engine: ProviderClient, bench: HandlerBench, type_: str
):
    failures = engine.check(type_, {**bench.sample(type_), "misspelt": "x"})
    assert failures.keys() == {"misspelt"}
    assert "known are" in failures["misspelt"]


@pytest.mark.parametrize(
    ("type_", "changed", "where", "reason"),
    [
        (LOG_GROUP, {"retentionInDays": "seven"}, "retentionInDays", "expected int"),
        (
            FUNCTION,
            {"environment": {"variabels": {}}},
            "environment",
            "environment.variabels is unknown",
        ),
        (FUNCTION, {"memorySize": 64}, "", "allowed are 128 to 10240"),
        (NEON_PROJECT, {"pgVersion": "17"}, "pgVersion", "expected a number"),
        (NEON_PROJECT, {"branch": {"role_name": "x"}}, "branch", "branch.role_name is unknown"),
        (NEON_PROJECT, {"branch": "main"}, "branch", "branch is not a map"),
        (VARIABLE, {"targets": "production"}, "targets", "targets is not a list"),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_refused(
    engine: ProviderClient,
    bench: HandlerBench,
    type_: str,
    changed: dict[str, Any],
    where: str,
    reason: str,
):
    failures = engine.check(type_, {**bench.sample(type_), **changed})
    assert list(failures) == [where]
    assert reason in failures[where]


def test_several_failures_are_reported_together(engine: ProviderClient, bench: HandlerBench):
    assert engine.check(LOG_GROUP, {**bench.sample(LOG_GROUP), "a": 1, "b": 2}).keys() == {"a", "b"}


def test_a_missing_archive_is_refused(engine: ProviderClient, bench: HandlerBench):
    failures = engine.check(LAYER, {**bench.sample(LAYER), "code": values.Archive("nowhere.zip")})
    assert failures == {"code": "code: there is no file nowhere.zip"}


def test_a_type_without_a_handler_is_refused_by_name(engine: ProviderClient):
    message = error_of(lambda: engine.create("aws:sqs/queue:Queue", {}))
    assert "aws:sqs/queue:Queue" in message
    assert "'it'" in message


@pytest.mark.parametrize("type_", TYPES)
def test_the_same_inputs_are_no_difference(engine: ProviderClient, bench: HandlerBench, type_: str):
    sample = bench.sample(type_)
    response = engine.diff(type_, sample, sample)
    assert response.changes == protocol.DiffResponse.DIFF_NONE
    assert (list(response.diffs), list(response.replaces)) == ([], [])


@pytest.mark.parametrize(
    ("type_", "key"), [(type_, key) for type_ in TYPES for key in sorted(HANDLERS[type_].supported)]
)
def test_a_change_of_an_input_replaces_or_updates_as_its_handler_says(
    engine: ProviderClient, bench: HandlerBench, type_: str, key: str
):
    old = bench.sample(type_)
    response = engine.diff(type_, old, {**old, key: UNKNOWN})
    assert list(response.diffs) == [key]
    assert list(response.replaces) == ([key] if key in HANDLERS[type_].replaces_locally else [])


def test_an_archive_differs_by_its_content_and_not_by_its_path(
    engine: ProviderClient, bench: HandlerBench
):
    old = bench.sample(LAYER)
    moved = {**old, "code": values.Archive("elsewhere.zip", old["code"].hash)}
    assert engine.diff(LAYER, old, moved).changes == protocol.DiffResponse.DIFF_NONE
    assert list(engine.diff(LAYER, old, {**old, "code": bench.archive("other")}).replaces) == [
        "code"
    ]


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ != INVOCATION])
def test_a_replacement_with_the_same_id_deletes_the_old_resource_first(
    engine: ProviderClient, bench: HandlerBench, type_: str
):
    sample = bench.sample(type_)
    if type_ == FUNCTION:
        bench.create(LAYER)
    identity, _ = engine.create(type_, sample)
    assert engine.diff(type_, sample, sample, identity).deleteBeforeReplace
    assert engine.create(type_, sample)[0] == identity
    engine.delete(type_, identity, sample)
    assert engine.read(type_, identity, sample).id == identity, (
        "`pulumi up --replace` creates without a diff, and then deletes the old resource"
    )


@pytest.mark.parametrize(
    ("type_", "changed"),
    [
        (ROLE, {"name": "another"}),
        (INTEGRATION, {"apiId": "a2"}),
        (LAYER, {"compatibleRuntimes": ["python3.12"]}),
        (PERMISSION, {"qualifier": "other"}),
        (DEPLOYMENT, {"meta": {"config": "other"}}),
    ],
)
def test_a_replacement_with_another_id_is_created_first_and_survives_the_deletion(
    engine: ProviderClient, bench: HandlerBench, type_: str, changed: dict[str, Any]
):
    old, new = bench.sample(type_), {**bench.sample(type_), **changed}
    before, _ = engine.create(type_, old)
    response = engine.diff(type_, old, new, before)
    assert response.replaces
    assert not response.deleteBeforeReplace
    after, _ = engine.create(type_, new)
    assert after != before
    engine.delete(type_, before, old)
    assert engine.read(type_, after, new).id == after
    assert engine.read(type_, before, old).id == ""


def test_a_change_that_would_replace_a_project_at_neon_keeps_the_local_database(
    engine: ProviderClient, bench: HandlerBench
):
    old = bench.sample(NEON_PROJECT)
    identity, before = engine.create(NEON_PROJECT, old)
    branch = {**old["branch"], "databaseName": "other"}
    new = {**old, "regionId": "aws-eu-central-1", "pgVersion": 16, "orgId": "o", "branch": branch}
    assert not engine.diff(NEON_PROJECT, old, new, identity).replaces
    after = engine.update(NEON_PROJECT, identity, before, old, new)
    assert after["databaseName"] == before["databaseName"]
    assert old["branch"]["databaseName"] in bench.postgres.databases


@pytest.mark.parametrize("type_", TYPES)
def test_a_preview_has_unknown_computed_outputs_and_creates_nothing(
    engine: ProviderClient, bench: HandlerBench, type_: str
):
    sample = bench.sample(type_)
    before = bench.store.stacks(), dict(bench.postgres.databases)
    identity, outputs = engine.create(type_, sample, preview=True)
    handler = HANDLERS[type_]
    assert identity == ""
    assert {
        name for name, value in outputs.items() if values.holds(value, values.Unknown)
    } == handler.computed
    assert {name: values.reveal(outputs[name]) for name in sample} == sample
    assert not bench.data.invoked
    assert (bench.store.stacks(), dict(bench.postgres.databases)) == before


def test_a_preview_of_an_update_has_only_recomputed_outputs_unknown(
    engine: ProviderClient, bench: HandlerBench
):
    old = bench.sample(FUNCTION)
    identity, outputs = engine.create(FUNCTION, old)
    tagged = engine.update(
        FUNCTION, identity, outputs, old, {**old, "tags": {"a": "b"}}, preview=True
    )
    assert tagged["version"] == "1"
    changed = engine.update(
        FUNCTION, identity, outputs, old, {**old, "memorySize": 1024}, preview=True
    )
    assert changed["version"] is UNKNOWN
    assert changed["arn"] == outputs["arn"]
    assert (bench.store.get("functions", identity) or {})["memorySize"] == 512, (
        "a preview changes nothing"
    )


@pytest.mark.parametrize("type_", TYPES)
def test_only_outputs_that_the_real_provider_marks_are_secret(
    engine: ProviderClient, bench: HandlerBench, type_: str
):
    for preview in (True, False):
        _, outputs = engine.create(type_, bench.sample(type_), preview=preview)
        assert {name for name, value in outputs.items() if isinstance(value, Secret)} == HANDLERS[
            type_
        ].secrets


def test_a_read_returns_what_exists_whatever_the_state_says(
    engine: ProviderClient, bench: HandlerBench
):
    sample = bench.sample(LOG_GROUP)
    identity, _ = engine.create(LOG_GROUP, sample)
    stored = bench.store.get("log-groups", identity) or {}
    bench.store.put("log-groups", identity, {**stored, "retentionInDays": 30})
    response = engine.read(LOG_GROUP, identity, sample)
    assert values.decode(response.inputs) == {**sample, "retentionInDays": 30}
    assert values.decode(response.properties)["retentionInDays"] == 30


def test_the_parent_of_a_branch_is_looked_up_by_the_id_of_an_import(
    engine: ProviderClient, bench: HandlerBench
):
    project, outputs = engine.create(
        NEON_PROJECT, {**bench.sample(NEON_PROJECT), "defaultBranchProtected": True}
    )
    response = engine.read(BRANCH, f"{project}/{outputs['defaultBranchId']}", {})
    assert response.id == outputs["defaultBranchId"]
    assert values.decode(response.properties)["protected"] == "yes"
    assert engine.read(BRANCH, f"{project}/another", {}).id == ""
    urn = engine.urn(BRANCH)
    refresh = protocol.ReadRequest(urn=urn, id=response.id, properties=response.properties)
    assert engine.stub.Read(refresh) == response, (
        "a refresh sends the id that it got, and no inputs"
    )
    bench.delete(NEON_PROJECT, project)
    assert engine.stub.Read(refresh).id == ""


def test_a_type_without_look_up_cannot_be_imported(engine: ProviderClient, bench: HandlerBench):
    identity, _ = engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert "is not supported locally" in error_of(lambda: engine.read(LOG_GROUP, identity, {}))


def test_a_function_returns_its_arguments_and_results_and_marks_its_secrets(
    engine: ProviderClient, bench: HandlerBench
):
    project, outputs = engine.create(NEON_PROJECT, bench.sample(NEON_PROJECT))
    request = protocol.InvokeRequest(
        tok="neon:index/getProject:getProject", args=values.encode({"id": project})
    )
    response = values.decode(getattr(engine.stub.Invoke(request), "return"))
    assert response["id"] == project
    assert response["databaseName"] == outputs["databaseName"]
    assert response["databasePassword"] == outputs["databasePassword"]
    assert isinstance(response["databasePassword"], Secret)


@pytest.mark.parametrize("type_", TYPES)
def test_a_second_delete_is_no_error(engine: ProviderClient, bench: HandlerBench, type_: str):
    sample = bench.sample(type_)
    identity, _ = engine.create(type_, sample)
    engine.delete(type_, identity, sample)
    engine.delete(type_, identity, sample)


def run_before_create(monkeypatch: pytest.MonkeyPatch, hook: Callable[[Context], None]) -> None:
    real = type(HANDLERS[LOG_GROUP]).create

    def create(self: Any, context: Context, inputs: Mapping[str, Any]) -> Any:
        hook(context)
        return real(self, context, inputs)

    monkeypatch.setattr(type(HANDLERS[LOG_GROUP]), "create", create)


@pytest.mark.parametrize(
    ("error", "message"),
    [(UserError("disk full"), "disk full"), (KeyError("x"), "KeyError: 'x'")],
)
def test_an_error_of_a_handler_is_the_details_of_the_call(
    engine: ProviderClient,
    bench: HandlerBench,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
):
    def fail(_context: Context) -> None:
        raise error

    run_before_create(monkeypatch, fail)
    assert error_of(lambda: engine.create(LOG_GROUP, bench.sample(LOG_GROUP))) == message


def test_an_unknown_function_is_refused_by_name(engine: ProviderClient):
    assert "aws:lambda/getInvocation" in error_of(
        lambda: engine.stub.Invoke(protocol.InvokeRequest(tok="aws:lambda/getInvocation:x"))
    )


def test_cancel_ends_the_calls_of_its_own_engine_only(
    engine: ProviderClient, bench: HandlerBench, monkeypatch: pytest.MonkeyPatch
):
    started, seen = threading.Semaphore(0), dict[str, bool]()

    def wait(context: Context) -> None:
        started.release()
        seen[context.urn] = context.cancelled.wait(0.5 if context.urn.endswith("other") else 30)

    run_before_create(monkeypatch, wait)
    other = ProviderClient(engine.port)
    calls = [
        threading.Thread(
            target=client.create,
            args=(LOG_GROUP, {**bench.sample(LOG_GROUP), "name": f"/{name}"}),
            kwargs={"name": name},
        )
        for client, name in ((engine, "own"), (other, "other"))
    ]
    for call in calls:
        call.start()
        assert started.acquire(timeout=30)
    engine.stub.Cancel(empty_pb2.Empty())
    for call in calls:
        call.join(40)
    other.channel.close()
    assert seen == {engine.urn(LOG_GROUP, "own"): True, engine.urn(LOG_GROUP, "other"): False}


def test_a_call_waits_for_the_call_of_a_killed_engine_for_the_same_resource(
    engine: ProviderClient, bench: HandlerBench, monkeypatch: pytest.MonkeyPatch
):
    started, order = threading.Event(), list[str]()
    lock = threading.Lock()

    def work(context: Context) -> None:
        assert lock.acquire(blocking=False), "two calls for one resource at the same time"
        first = not started.is_set()
        started.set()
        if first:
            assert context.cancelled.wait(30), "the connection is closed"
        order.append("first" if first else "second")
        lock.release()

    run_before_create(monkeypatch, work)
    killed = ProviderClient(engine.port)
    request = protocol.CreateRequest(
        urn=engine.urn(LOG_GROUP), properties=values.encode(bench.sample(LOG_GROUP))
    )
    call = killed.stub.Create.future(request)
    assert started.wait(30)
    killed.channel.close()
    engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert order == ["first", "second"]
    assert call.code() is grpc.StatusCode.CANCELLED
