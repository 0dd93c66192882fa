"""The provider as an engine meets it: over a real connection, with the handlers behind it and a cloud of records."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf import empty_pb2

from common.errors import UserError
from stack.local.cloud import Cloud
from stack.local.pulumi_provider.server import ProviderServer
from stack.local.registry import HANDLERS, PROVIDERS, VERSION
from stack.local.resources import sdk, values
from stack.local.resources.base import Context
from stack.local.resources.values import UNKNOWN, Secret
from tests.stack.local.test_resources import (
    BRANCH,
    DEPLOYMENT,
    FUNCTION,
    INTEGRATION,
    LAYER,
    LOG_GROUP,
    NEON,
    PERMISSION,
    ROLE,
    TYPES,
    VARIABLE,
    Bench,
)

protocol = sdk.provider_pb2
INVOCATION_LEAVES_NOTHING = "aws:lambda/invocation:Invocation"


class Caller:
    """What an engine calls, with properties in Python's terms."""

    def __init__(self, port: int) -> None:
        self.port = port
        own = [
            ("grpc.use_local_subchannel_pool", 1)
        ]  # a connection of its own, as of another process
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", own)
        self.stub = sdk.provider_pb2_grpc.ResourceProviderStub(self.channel)

    @staticmethod
    def urn(type_: str, name: str = "it") -> str:
        return (
            f"urn:pulumi:local::ai-success-insights::ai:index:Part$ai:index:Inner${type_}::{name}"
        )

    def check(self, type_: str, inputs: Mapping[str, Any]) -> dict[str, str]:
        answer = self.stub.Check(
            protocol.CheckRequest(urn=self.urn(type_), news=values.encode(inputs))
        )
        assert values.decode(answer.inputs) == dict(inputs), (
            "what the program wrote is what the state keeps"
        )
        return {failure.property: failure.reason for failure in answer.failures}

    def diff(
        self, type_: str, old: Mapping[str, Any], new: Mapping[str, Any], identity: str = ""
    ) -> Any:
        request = protocol.DiffRequest(
            urn=self.urn(type_), id=identity, old_inputs=values.encode(old), news=values.encode(new)
        )
        return self.stub.Diff(request)

    def create(
        self, type_: str, inputs: Mapping[str, Any], *, preview: bool = False, name: str = "it"
    ) -> tuple[str, dict[str, Any]]:
        request = protocol.CreateRequest(
            urn=self.urn(type_, name), properties=values.encode(inputs), preview=preview
        )
        answer = self.stub.Create(request)
        return answer.id, values.decode(answer.properties)

    def update(
        self, type_: str, identity: str, outputs: Any, old: Any, new: Any, *, preview: bool = False
    ) -> dict[str, Any]:
        encoded = {
            "olds": values.encode(values.reveal(outputs)),
            "old_inputs": values.encode(old),
            "news": values.encode(new),
        }
        answer = self.stub.Update(
            protocol.UpdateRequest(urn=self.urn(type_), id=identity, preview=preview, **encoded)
        )
        return values.decode(answer.properties)

    def read(self, type_: str, identity: str, inputs: Mapping[str, Any]) -> Any:
        return self.stub.Read(
            protocol.ReadRequest(urn=self.urn(type_), id=identity, inputs=values.encode(inputs))
        )

    def delete(self, type_: str, identity: str, inputs: Mapping[str, Any]) -> None:
        self.stub.Delete(
            protocol.DeleteRequest(
                urn=self.urn(type_), id=identity, old_inputs=values.encode(inputs)
            )
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def engine(bench: Bench) -> Iterator[Caller]:
    server = ProviderServer(cast("Cloud", bench.context().cloud), bench.root, lambda _line: None)
    caller = Caller(server.port)
    yield caller
    caller.channel.close()
    server.stop()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return str(cast("grpc.Call", caught.value).details())


def test_it_is_as_new_as_every_package_that_it_stands_in_for(engine: Caller):
    answer = engine.stub.GetPluginInfo(empty_pb2.Empty())
    assert answer.version == VERSION


def test_it_becomes_the_package_that_the_bridge_is_asked_for(engine: Caller):
    value = protocol.ParameterizeRequest.ParametersValue(name="neon", version="0.15.0", value=b"{}")
    answer = engine.stub.Parameterize(protocol.ParameterizeRequest(value=value))
    assert (answer.name, answer.version) == ("neon", "0.15.0")


@pytest.mark.parametrize(("package", "near"), [("aws", "region"), ("vercel", "team")])
def test_a_providers_input_that_there_is_not_is_refused(engine: Caller, package: str, near: str):
    assert near in PROVIDERS[package]
    urn = f"urn:pulumi:local::p::pulumi:providers:{package}::default"
    news = values.encode({"misspelt": "x", near: "y", "version": "1"})
    answer = engine.stub.CheckConfig(protocol.CheckRequest(urn=urn, news=news))
    assert [failure.property for failure in answer.failures] == ["misspelt"]
    assert near in answer.failures[0].reason


def test_another_region_replaces_what_the_provider_has_made_and_other_tags_do_not(engine: Caller):
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


def test_the_region_is_that_of_the_stacks_provider(engine: Caller, bench: Bench):
    urn = "urn:pulumi:local::p::pulumi:providers:aws::aws"
    engine.stub.Configure(
        protocol.ConfigureRequest(urn=urn, args=values.encode({"region": "sa-east-1"}))
    )
    _, outputs = engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert ":sa-east-1:" in outputs["arn"]


@pytest.mark.parametrize("type_", TYPES)
def test_what_the_program_sends_passes(engine: Caller, bench: Bench, type_: str):
    assert engine.check(type_, bench.sample(type_)) == {}


@pytest.mark.parametrize("type_", TYPES)
def test_a_name_that_there_is_not_is_refused_with_those_that_there_are(
    engine: Caller, bench: Bench, type_: str
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
        (NEON, {"pgVersion": "17"}, "pgVersion", "expected a number"),
        (NEON, {"branch": {"role_name": "x"}}, "branch", "branch.role_name is unknown"),
        (NEON, {"branch": "main"}, "branch", "branch is not a map"),
        (VARIABLE, {"targets": "production"}, "targets", "targets is not a list"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    engine: Caller, bench: Bench, type_: str, changed: dict[str, Any], where: str, reason: str
):
    failures = engine.check(type_, {**bench.sample(type_), **changed})
    assert list(failures) == [where]
    assert reason in failures[where]


def test_several_failures_are_told_at_once(engine: Caller, bench: Bench):
    assert engine.check(LOG_GROUP, {**bench.sample(LOG_GROUP), "a": 1, "b": 2}).keys() == {"a", "b"}


def test_an_archive_that_is_not_there_is_refused(engine: Caller, bench: Bench):
    failures = engine.check(LAYER, {**bench.sample(LAYER), "code": values.Archive("nowhere.zip")})
    assert failures == {"code": "code: there is no file nowhere.zip"}


def test_a_type_that_is_not_in_the_table_is_refused_by_name(engine: Caller):
    said = refusal(lambda: engine.create("aws:sqs/queue:Queue", {}))
    assert "aws:sqs/queue:Queue" in said
    assert "'it'" in said


@pytest.mark.parametrize("type_", TYPES)
def test_the_same_inputs_are_no_difference(engine: Caller, bench: Bench, type_: str):
    sample = bench.sample(type_)
    answer = engine.diff(type_, sample, sample)
    assert answer.changes == protocol.DiffResponse.DIFF_NONE
    assert (list(answer.diffs), list(answer.replaces)) == ([], [])


@pytest.mark.parametrize(
    ("type_", "key"), [(type_, key) for type_ in TYPES for key in sorted(HANDLERS[type_].supported)]
)
def test_a_change_replaces_where_the_table_says_so_and_updates_elsewhere(
    engine: Caller, bench: Bench, type_: str, key: str
):
    old = bench.sample(type_)
    answer = engine.diff(type_, old, {**old, key: UNKNOWN})
    assert list(answer.diffs) == [key]
    assert list(answer.replaces) == ([key] if key in HANDLERS[type_].replaces else [])


def test_an_archive_differs_by_its_content_and_not_by_its_path(engine: Caller, bench: Bench):
    old = bench.sample(LAYER)
    moved = {**old, "code": values.Archive("elsewhere.zip", old["code"].hash)}
    assert engine.diff(LAYER, old, moved).changes == protocol.DiffResponse.DIFF_NONE
    assert list(engine.diff(LAYER, old, {**old, "code": bench.archive("other")}).replaces) == [
        "code"
    ]


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ != INVOCATION_LEAVES_NOTHING])
def test_a_successor_that_could_not_stand_beside_the_old_one_comes_after_it(
    engine: Caller, bench: Bench, type_: str
):
    sample = bench.sample(type_)
    if type_ == FUNCTION:
        bench.create(LAYER)
    identity, _ = engine.create(type_, sample)
    assert engine.diff(type_, sample, sample, identity).deleteBeforeReplace, (
        "`pulumi up --replace` may ask for it at any time"
    )
    assert engine.create(type_, sample)[0] == identity


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
def test_a_replacement_is_made_before_the_old_one_goes_which_leaves_the_new_one(
    engine: Caller, bench: Bench, type_: str, changed: dict[str, Any]
):
    old, new = bench.sample(type_), {**bench.sample(type_), **changed}
    before, _ = engine.create(type_, old)
    answer = engine.diff(type_, old, new, before)
    assert answer.replaces
    assert not answer.deleteBeforeReplace
    after, _ = engine.create(type_, new)
    assert after != before
    engine.delete(type_, before, old)
    assert engine.read(type_, after, new).id == after
    assert engine.read(type_, before, old).id == ""


def test_a_database_of_the_same_name_is_dropped_before_its_successor_is_made(
    engine: Caller, bench: Bench
):
    old = bench.sample(NEON)
    before, _ = engine.create(NEON, old)
    new = {**old, "regionId": "aws-eu-central-1"}
    answer = engine.diff(NEON, old, new, before)
    assert list(answer.replaces) == ["regionId"]
    assert answer.deleteBeforeReplace
    engine.delete(NEON, before, old)
    assert old["branch"]["databaseName"] not in bench.postgres.databases
    after, _ = engine.create(NEON, new)
    assert after != before


@pytest.mark.parametrize("type_", TYPES)
def test_a_preview_leaves_open_what_only_the_cloud_can_say_and_makes_nothing(
    engine: Caller, bench: Bench, type_: str
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


def test_a_preview_of_an_update_keeps_what_stays_and_opens_what_will_change(
    engine: Caller, bench: Bench
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
    assert bench.store.get("functions", identity)["memorySize"] == 512, "nothing has been touched"


@pytest.mark.parametrize("type_", TYPES)
def test_what_the_real_provider_marks_as_secret_is_secret_and_nothing_else(
    engine: Caller, bench: Bench, type_: str
):
    for preview in (True, False):
        _, outputs = engine.create(type_, bench.sample(type_), preview=preview)
        assert {name for name, value in outputs.items() if isinstance(value, Secret)} == HANDLERS[
            type_
        ].secrets


def test_a_read_says_what_there_is_whatever_the_state_says(engine: Caller, bench: Bench):
    sample = bench.sample(LOG_GROUP)
    identity, _ = engine.create(LOG_GROUP, sample)
    bench.store.put(
        "log-groups", identity, {**bench.store.get("log-groups", identity), "retentionInDays": 30}
    )
    answer = engine.read(LOG_GROUP, identity, sample)
    assert values.decode(answer.inputs) == {**sample, "retentionInDays": 30}
    assert values.decode(answer.properties)["retentionInDays"] == 30


def test_the_parent_of_a_branch_is_looked_up_by_the_id_of_an_import(engine: Caller, bench: Bench):
    project, outputs = engine.create(NEON, {**bench.sample(NEON), "defaultBranchProtected": True})
    answer = engine.read(BRANCH, f"{project}/{outputs['defaultBranchId']}", {})
    assert answer.id == outputs["defaultBranchId"]
    assert values.decode(answer.properties)["protected"] == "yes"
    assert engine.read(BRANCH, f"{project}/another", {}).id == ""
    urn = engine.urn(BRANCH)
    refresh = protocol.ReadRequest(urn=urn, id=answer.id, properties=answer.properties)
    assert engine.stub.Read(refresh) == answer, (
        "a refresh knows the id that it was told, and has no inputs"
    )
    engine.delete(NEON, project, bench.sample(NEON))
    assert engine.stub.Read(refresh).id == ""


def test_what_only_the_program_makes_is_not_imported(engine: Caller, bench: Bench):
    identity, _ = engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert "only what the program makes is known" in refusal(
        lambda: engine.read(LOG_GROUP, identity, {})
    )


def test_a_function_answers_with_what_it_was_asked_and_marks_its_secrets(
    engine: Caller, bench: Bench
):
    project, outputs = engine.create(NEON, bench.sample(NEON))
    request = protocol.InvokeRequest(
        tok="neon:index/getProject:getProject", args=values.encode({"id": project})
    )
    answer = values.decode(getattr(engine.stub.Invoke(request), "return"))
    assert answer["id"] == project
    assert answer["databaseName"] == outputs["databaseName"]
    assert answer["databasePassword"] == outputs["databasePassword"]
    assert isinstance(answer["databasePassword"], Secret)


@pytest.mark.parametrize("type_", TYPES)
def test_to_delete_twice_is_to_delete_once(engine: Caller, bench: Bench, type_: str):
    sample = bench.sample(type_)
    identity, _ = engine.create(type_, sample)
    engine.delete(type_, identity, sample)
    engine.delete(type_, identity, sample)


def hooked(monkeypatch: pytest.MonkeyPatch, hook: Callable[[Context], None]) -> None:
    real = type(HANDLERS[LOG_GROUP]).create

    def create(self: Any, context: Context, inputs: Mapping[str, Any]) -> Any:
        hook(context)
        return real(self, context, inputs)

    monkeypatch.setattr(type(HANDLERS[LOG_GROUP]), "create", create)


@pytest.mark.parametrize(
    ("error", "said"),
    [(UserError("out of paper"), "out of paper"), (KeyError("x"), "KeyError: 'x'")],
)
def test_a_failure_is_told_in_its_own_words(
    engine: Caller, bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    def fail(_context: Context) -> None:
        raise error

    hooked(monkeypatch, fail)
    assert refusal(lambda: engine.create(LOG_GROUP, bench.sample(LOG_GROUP))) == said


def test_a_function_that_nobody_serves_is_refused_by_name(engine: Caller):
    assert "aws:lambda/getInvocation" in refusal(
        lambda: engine.stub.Invoke(protocol.InvokeRequest(tok="aws:lambda/getInvocation:x"))
    )


def test_a_call_that_its_engine_gives_up_is_given_up_and_another_engines_is_not(
    engine: Caller, bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    begun, seen = threading.Semaphore(0), dict[str, bool]()

    def wait(context: Context) -> None:
        begun.release()
        seen[context.urn] = context.cancelled.wait(0.5 if context.urn.endswith("theirs") else 30)

    hooked(monkeypatch, wait)
    other = Caller(engine.port)
    calls = [
        threading.Thread(
            target=caller.create,
            args=(LOG_GROUP, {**bench.sample(LOG_GROUP), "name": f"/{name}"}),
            kwargs={"name": name},
        )
        for caller, name in ((engine, "ours"), (other, "theirs"))
    ]
    for call in calls:
        call.start()
        assert begun.acquire(timeout=30)
    engine.stub.Cancel(empty_pb2.Empty())
    for call in calls:
        call.join(40)
    other.channel.close()
    assert seen == {engine.urn(LOG_GROUP, "ours"): True, engine.urn(LOG_GROUP, "theirs"): False}


def test_the_next_engines_call_waits_for_the_one_that_a_killed_engine_left(
    engine: Caller, bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    begun, order = threading.Event(), list[str]()
    lock = threading.Lock()

    def work(context: Context) -> None:
        assert lock.acquire(blocking=False), "two calls at once for one resource"
        first = not begun.is_set()
        begun.set()
        if first:
            assert context.cancelled.wait(30), "the connection has gone"
        order.append("first" if first else "second")
        lock.release()

    hooked(monkeypatch, work)
    killed = Caller(engine.port)
    request = protocol.CreateRequest(
        urn=engine.urn(LOG_GROUP), properties=values.encode(bench.sample(LOG_GROUP))
    )
    call = killed.stub.Create.future(request)
    assert begun.wait(30)
    killed.channel.close()
    engine.create(LOG_GROUP, bench.sample(LOG_GROUP))
    assert order == ["first", "second"]
    assert call.code() is grpc.StatusCode.CANCELLED
