"""The table of handlers: what each supports, refuses, answers, and does twice without harm."""

import json
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.errors import UserError
from stack.local.apigateway.apis import HttpApis
from stack.local.cloudwatch.logs import LogStore
from stack.local.lambda_.functions import LambdaFunctions
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.packages import Packages
from stack.local.lambda_.resources import _OF_VERSION, _VERSIONED
from stack.local.neon.postgres.server import Postgres
from stack.local.neon.projects import default_branch
from stack.local.registry import FUNCTIONS, HANDLERS
from stack.local.resources import base, schemas, sdk
from stack.local.resources.base import Cloud, Context
from stack.local.resources.store import Store
from stack.local.resources.values import UNKNOWN, Archive
from stack.local.system.ports import StackPorts
from stack.local.vercel.projects import VercelProjects
from tests.support.program import evaluate, make_project

DOCUMENT = schemas.SCHEMAS
SCHEMAS = DOCUMENT["resources"]
TYPES = sorted(HANDLERS)
PORTS = StackPorts(api=20000, site=20001, postgres=20100)

API = "aws:apigatewayv2/api:Api"
INTEGRATION = "aws:apigatewayv2/integration:Integration"
ROUTE = "aws:apigatewayv2/route:Route"
STAGE = "aws:apigatewayv2/stage:Stage"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
LAYER = "aws:lambda/layerVersion:LayerVersion"
FUNCTION = "aws:lambda/function:Function"
ALIAS = "aws:lambda/alias:Alias"
PERMISSION = "aws:lambda/permission:Permission"
INVOCATION = "aws:lambda/invocation:Invocation"
NEON = "neon:index/project:Project"
BRANCH = "neon:index/branch:Branch"
ENDPOINT = "neon:index/endpoint:Endpoint"
VERCEL = "vercel:index/project:Project"
VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
DOMAIN = "vercel:index/projectDomain:ProjectDomain"
DEPLOYMENT = "vercel:index/deployment:Deployment"

PASSWORD_OF = "neon:index/getBranchRolePassword:getBranchRolePassword"

INVOKE_ARN = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:api:live/invocations"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
MAY_LOG = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:PutLogEvents"],
                "Resource": "arn:aws:logs:x:1:log-group:g:*",
            }
        ],
    }
)


class PostgresInMemory:
    """What the handlers need of the server, in memory."""

    port = PORTS.postgres

    def __init__(self) -> None:
        self.roles: dict[str, str] = {}
        self.databases: dict[str, str] = {}

    def create_role(self, name: str, password: str) -> None:
        self.roles[name] = password

    def create_database(self, name: str, owner: str) -> None:
        self.databases.setdefault(name, owner)

    def copy_database(self, source: str, target: str, owner: str) -> None:
        assert source in self.databases
        self.databases.setdefault(target, owner)

    def database_exists(self, name: str) -> bool:
        return name in self.databases

    def drop_database(self, name: str) -> None:
        self.databases.pop(name, None)

    def drop_role(self, name: str) -> None:
        self.roles.pop(name, None)


@dataclass
class Data:
    """The data plane's side, which says only that it was asked."""

    root: Path
    store: Store
    asked: list[str] = field(default_factory=list)
    answer: Invocation = field(
        default_factory=lambda: Invocation(request_id="1", payload=b'{"revision": "0001"}')
    )
    invoked: list[tuple[str, str, bytes]] = field(default_factory=list)
    enabled: bool = True
    built: list[tuple[Path, Mapping[str, str]]] = field(default_factory=list)

    def configure(self) -> None:
        self.asked.append("configure")

    def changed(self, name: str) -> None:
        self.asked.append(f"changed {name}")

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        self.invoked.append((name, qualifier, event))
        return self.answer

    def variables(self, project_id: str) -> Mapping[str, str]:
        return {
            item["key"]: item["value"]
            for item in self.store.find("vercel-variables", projectId=project_id).values()
        }

    def build(
        self,
        frontend: Path,
        variables: Mapping[str, str],
        *,
        progress: Callable[[str], None],
        cancelled: threading.Event,
    ) -> Path:
        self.built.append((frontend, variables))
        pages = self.root / "pages"
        pages.mkdir(exist_ok=True)
        return pages


@dataclass
class Bench:
    """A project directory, a cloud with nothing behind it, and the handlers in between."""

    root: Path
    store: Store = field(init=False)
    data: Data = field(init=False)
    postgres: PostgresInMemory = field(default_factory=PostgresInMemory)

    def __post_init__(self) -> None:
        self.store = Store(self.root / "cloud.json")
        self.data = Data(self.root, self.store)
        self.logs = LogStore(self.root / "logs")
        self.store.put(
            "neon-projects",
            "parent",
            {"owner": "urn", "role": "parent", "database": "parent", "password": "p", "name": "p"},
        )
        self.postgres.create_database("parent", "parent")
        for name in ("code", "other", "layer"):
            with zipfile.ZipFile(self.root / f"{name}.zip", "w") as archive:
                archive.writestr(f"{name}.py", f"NAME = {name!r}\n")

    def context(self, name: str = "it", type_: str = "t") -> Context:
        services: dict[type, Any] = {
            Postgres: self.postgres,
            LogStore: self.logs,
            Packages: Packages(self.root / "packages"),
            HttpApis: self.data,
            VercelProjects: self.data,
            LambdaFunctions: self.data,
        }
        cloud = SimpleNamespace(
            store=self.store, service=services.__getitem__, ports=lambda _stack: PORTS
        )
        urn = f"urn:pulumi:local::ai-success-insights::{type_}::{name}"
        return Context(
            cloud=cast("Cloud", cloud), urn=urn, stack="local", region="us-east-1", root=self.root
        )

    def archive(self, name: str) -> Archive:
        return Archive(f"{name}.zip").hashed(self.root)

    def sample(self, type_: str) -> dict[str, Any]:
        """Inputs as the program has them, ids of other resources made up."""
        return {
            API: {"name": "api", "protocolType": "HTTP"},
            INTEGRATION: {
                "apiId": "a1",
                "integrationType": "AWS_PROXY",
                "integrationUri": INVOKE_ARN,
                "payloadFormatVersion": "2.0",
                "timeoutMilliseconds": 30000,
            },
            ROUTE: {
                "apiId": "a1",
                "routeKey": "$default",
                "authorizationType": "NONE",
                "target": "integrations/i1",
            },
            STAGE: {
                "apiId": "a1",
                "name": "$default",
                "autoDeploy": True,
                "defaultRouteSettings": {"throttlingRateLimit": 50, "throttlingBurstLimit": 100},
            },
            LOG_GROUP: {"name": "/aws/lambda/api", "retentionInDays": 7},
            ROLE: {"name": "api", "assumeRolePolicy": TRUST},
            POLICY: {"role": "api", "policy": MAY_LOG},
            LAYER: {
                "layerName": "deps",
                "code": self.archive("layer"),
                "compatibleRuntimes": ["python3.13"],
            },
            FUNCTION: {
                "name": "api",
                "role": "arn:aws:iam::000000000000:role/api",
                "runtime": "python3.13",
                "handler": "service.handler.handler",
                "code": self.archive("code"),
                "environment": {"variables": {"A": "1"}},
                "memorySize": 512,
                "timeout": 29,
                "publish": True,
                "loggingConfig": {"logFormat": "Text", "logGroup": "/aws/lambda/api"},
            },
            ALIAS: {"name": "live", "functionName": "api", "functionVersion": "1"},
            PERMISSION: {
                "action": "lambda:InvokeFunction",
                "principal": "apigateway.amazonaws.com",
                "function": "api",
                "qualifier": "live",
                "sourceArn": "arn:aws:execute-api:us-east-1:000000000000:a1/*/*",
            },
            INVOCATION: {
                "functionName": "migrate",
                "input": "{}",
                "triggers": {"migrations": "abc"},
            },
            NEON: {
                "name": "insights",
                "regionId": "aws-us-east-1",
                "historyRetentionSeconds": 21600,
                "branch": {"name": "main", "roleName": "insights", "databaseName": "insights"},
            },
            BRANCH: {
                "projectId": "parent",
                "parentId": default_branch("parent"),
                "name": "insights-pr-1",
            },
            ENDPOINT: {
                "projectId": "parent",
                "branchId": "br-1",
                "type": "read_write",
                "autoscalingLimitMinCu": 0.25,
            },
            VERCEL: {"name": "insights"},
            VARIABLE: {
                "projectId": "prj_1",
                "key": "NEXT_PUBLIC_API_URL",
                "value": "http://x",
                "targets": ["production"],
                "sensitive": False,
            },
            DOMAIN: {"projectId": "prj_1", "domain": f"localhost:{PORTS.site}"},
            DEPLOYMENT: {
                "projectId": "prj_1",
                "files": {"frontend/package.json": "3~abc"},
                "pathPrefix": "frontend",
                "production": True,
            },
        }[type_]

    def create(self, type_: str, name: str = "it", **changed: Any) -> tuple[str, Mapping[str, Any]]:
        return self.create_from(type_, {**self.sample(type_), **changed}, name)

    def create_from(
        self, type_: str, inputs: Mapping[str, Any], name: str
    ) -> tuple[str, Mapping[str, Any]]:
        return HANDLERS[type_].create(self.context(name), inputs)

    def update(self, type_: str, identity: str, **changed: Any) -> Mapping[str, Any]:
        old = self.sample(type_)
        return HANDLERS[type_].update(self.context(), identity, old, {**old, **changed})

    def read(
        self, type_: str, identity: str, outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        return HANDLERS[type_].read(self.context(), identity, self.sample(type_), outputs)

    def delete(self, type_: str, identity: str) -> None:
        HANDLERS[type_].delete(self.context(), identity, self.sample(type_))

    def call(self, token: str, **arguments: Any) -> Any:
        return FUNCTIONS[token].call(self.context(), arguments)["password"]

    def refusals(self, type_: str, **changed: Any) -> str:
        inputs = {
            key: value
            for key, value in {**self.sample(type_), **changed}.items()
            if value is not None
        }
        with pytest.raises(UserError) as refused:
            base.check(HANDLERS[type_], "it", inputs, self.root)
        assert str(refused.value).startswith(f"{type_} 'it'"), "type and resource"
        return str(refused.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# the table


def test_the_table_holds_just_the_types_that_the_program_has(tmp_path: Path):
    project = make_project(tmp_path)
    branch = {"databaseBranchOf": "quiet-forest-1", "siteDomain": "{stack}.example.com"}
    recordings = [evaluate(project, preview=True), evaluate(project, stack="pr-1", config=branch)]
    resources = [resource for recording in recordings for resource in recording.resources.values()]
    assert {
        it.type for it in resources if it.custom and not it.type.startswith("pulumi:")
    } == HANDLERS.keys()
    assert {token for token, _ in recordings[1].asked} - HANDLERS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("token", FUNCTIONS)
def test_a_function_answers_what_the_schema_has_and_marks_as_secret_what_the_real_provider_marks(
    token: str,
):
    schema, function = DOCUMENT["functions"][token], FUNCTIONS[token]
    assert function.results | schema["inputs"].keys() | {"id"} == schema["outputs"].keys()
    assert function.secrets == set(schema["secret"])


@pytest.mark.parametrize("type_", TYPES)
def test_a_realiser_stands_under_the_type_of_its_sdk_class(type_: str):
    assert HANDLERS[type_].type == type_
    assert HANDLERS[type_].sdk.pulumi_type == type_


@pytest.mark.parametrize("type_", TYPES)
def test_what_a_realiser_supports_is_in_the_sdks_signature_and_what_replaces_is_supported(
    type_: str,
):
    handler = HANDLERS[type_]
    assert handler.supported <= sdk.input_types(handler.sdk).keys()
    assert handler.replaces <= handler.supported
    assert handler.supported


@pytest.mark.parametrize("type_", TYPES)
def test_what_a_realiser_computes_is_the_sdks_outputs_without_its_inputs(type_: str):
    handler = HANDLERS[type_]
    assert handler.computed == sdk.output_names(handler.sdk) - sdk.input_types(handler.sdk).keys()
    assert handler.recomputed_outputs(handler.supported) <= handler.computed
    assert handler.secrets <= sdk.output_names(handler.sdk)


@pytest.mark.parametrize("type_", SCHEMAS)
def test_a_realiser_marks_as_secret_what_the_real_provider_marks(type_: str):
    handler = HANDLERS[type_]
    assert handler.secrets == set(SCHEMAS[type_]["secret"]) & (handler.computed | handler.supported)


@pytest.mark.parametrize("type_", TYPES)
def test_the_inputs_of_the_program_pass_the_door(type_: str, bench: Bench):
    base.check(HANDLERS[type_], "it", bench.sample(type_), bench.root)


@pytest.mark.parametrize("type_", TYPES)
def test_inputs_that_are_not_known_yet_pass_one_by_one_and_all_together(type_: str, bench: Bench):
    handler, sample = HANDLERS[type_], bench.sample(type_)
    for key in sample:
        assert handler.check({**sample, key: UNKNOWN}) == [], key
    assert handler.check(dict.fromkeys(handler.supported, UNKNOWN)) == []


# create, again, update, read, delete


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_created_answers_every_computed_output(type_: str, bench: Bench):
    if type_ == FUNCTION:
        bench.create(LAYER)
    identity, outputs = bench.create(type_)
    assert identity
    assert outputs.keys() == HANDLERS[type_].computed


@pytest.mark.parametrize("type_", TYPES)
def test_what_was_created_and_forgotten_is_found_again_by_the_next_run(type_: str, bench: Bench):
    first, then = bench.create(type_), bench.create(type_)
    assert first[0] == then[0]
    moving = {"lastModified", "createdDate"}
    assert {**first[1], **dict.fromkeys(moving)} == {**then[1], **dict.fromkeys(moving)}


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ != INVOCATION])
def test_what_is_deleted_has_gone_and_may_be_deleted_twice(type_: str, bench: Bench):
    identity, outputs = bench.create(type_)
    assert bench.read(type_, identity, outputs) is not None
    bench.delete(type_, identity)
    assert bench.read(type_, identity, outputs) is None
    bench.delete(type_, identity)


@pytest.mark.parametrize(
    "type_", [type_ for type_ in TYPES if HANDLERS[type_].supported - HANDLERS[type_].replaces]
)
def test_an_update_answers_every_computed_output_too(type_: str, bench: Bench):
    identity, _ = bench.create(type_)
    assert bench.update(type_, identity).keys() == HANDLERS[type_].computed


@pytest.mark.parametrize(
    "type_",
    [STAGE, LOG_GROUP, ROLE, POLICY, FUNCTION, ALIAS, VARIABLE, DOMAIN],
    ids=lambda type_: type_.rpartition(":")[2],
)
def test_a_resource_takes_nothing_over_that_another_one_made_under_the_same_name(
    type_: str, bench: Bench
):
    inputs = {"name": "mine", **bench.sample(type_)}
    bench.create_from(type_, inputs, "first")
    with pytest.raises(UserError, match="exists already, made by 'first'"):
        bench.create_from(type_, inputs, "second")


# functions and layers


def test_a_function_is_unpacked_and_its_version_published_once_for_each_change_that_lambda_publishes(
    bench: Bench,
):
    assert bench.create(FUNCTION)[1]["version"] == "1"
    assert (
        bench.update(FUNCTION, "api", tags={"a": "b"}, reservedConcurrentExecutions=5)["version"]
        == "1"
    )
    assert bench.update(FUNCTION, "api", environment={"variables": {"A": "2"}})["version"] == "2"
    assert bench.update(FUNCTION, "api", code=bench.archive("other"))["version"] == "3"
    record = bench.store.get("functions", "api")
    assert record is not None
    roots = {version: Path(record["versions"][version]["taskRoot"]) for version in ("1", "3")}
    assert (roots["1"] / "code.py").read_text() == "NAME = 'code'\n", (
        "the old version serves on as it was"
    )
    assert (roots["3"] / "other.py").is_file()
    assert record["versions"]["2"]["configuration"]["environment"] == {"variables": {"A": "2"}}
    assert bench.data.asked[-1] == "changed api"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memorySize", 1024),
        ("timeout", 10),
        ("runtime", "python3.14"),
        ("layers", []),
        ("description", "x"),
        ("role", "r"),
    ],
)
def test_each_thing_that_a_version_is_made_of_publishes_another(bench: Bench, key: str, value: Any):
    bench.create(FUNCTION)
    assert bench.update(FUNCTION, "api", **{key: value})["version"] == "2"
    assert HANDLERS[FUNCTION].recomputed_outputs(frozenset({key})) == _OF_VERSION


def test_a_plan_expects_no_new_version_of_what_publishes_none():
    assert (
        HANDLERS[FUNCTION].recomputed_outputs(frozenset({"tags", "reservedConcurrentExecutions"}))
        == frozenset()
    )
    assert HANDLERS[FUNCTION].supported >= _VERSIONED


def test_a_function_that_publishes_nothing_has_no_version_but_the_latest(bench: Bench):
    _, outputs = bench.create(FUNCTION, publish=False)
    assert outputs["version"] == "$LATEST"
    record = bench.store.get("functions", "api")
    assert record is not None
    assert list(record["versions"]) == ["$LATEST"]


def test_a_function_runs_with_the_layers_that_it_names_and_not_without(bench: Bench):
    arn = bench.create(LAYER)[0]
    bench.create(FUNCTION, layers=[arn])
    record = bench.store.get("functions", "api")
    assert record is not None
    assert [Path(layer, "layer.py").is_file() for layer in record["versions"]["1"]["layers"]] == [
        True
    ]
    with pytest.raises(UserError, match="there is no layer arn:none"):
        bench.update(FUNCTION, "api", layers=["arn:none"])


def test_a_function_whose_files_have_been_removed_is_made_again(bench: Bench):
    identity, outputs = bench.create(FUNCTION)
    packages = Packages(bench.root / "packages")
    packages.prune([])
    assert bench.read(FUNCTION, identity, outputs) is None
    assert bench.create(FUNCTION)[1]["version"] == "1"
    assert bench.read(FUNCTION, identity, outputs) is not None


def test_a_layers_version_is_its_contents(bench: Bench):
    first = bench.create(LAYER)[0]
    assert first.endswith(":layer:deps:1")
    assert bench.create(LAYER)[0] == first
    second = bench.create(LAYER, code=bench.archive("other"))[0]
    assert second.endswith(":layer:deps:2")
    assert bench.create(LAYER)[0] == first, "the old content is still the old version"


def test_what_is_unpacked_is_read_only(bench: Bench):
    bench.create(FUNCTION)
    record = bench.store.get("functions", "api")
    assert record is not None
    root = Path(record["versions"]["1"]["taskRoot"])
    assert (root / "code.py").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"environment": {"variables": {"A": "x" * 4096}}},
            "the environment is 4104 bytes, Lambda allows 4096",
        ),
        ({"memorySize": 64}, "memorySize is 64, allowed are 128 to 10240"),
        ({"timeout": 901}, "timeout is 901, allowed are 1 to 900"),
        ({"loggingConfig": None}, "loggingConfig.logGroup is missing"),
        ({"code": Archive("none.zip")}, "there is no file none.zip"),
        ({"memorySize": "512"}, "memorySize is '512', expected int"),
        ({"vpcConfig": {"subnetIds": [], "securityGroupIds": []}}, "'vpcConfig' is not realised"),
    ],
)
def test_a_function_that_lambda_or_this_machine_would_refuse_is_refused(
    bench: Bench, changed: dict[str, Any], message: str
):
    assert message in bench.refusals(FUNCTION, **changed)


def test_a_call_at_deployment_hands_the_answer_on(bench: Bench):
    _, outputs = bench.create(INVOCATION)
    assert outputs == {"result": '{"revision": "0001"}'}
    assert bench.data.invoked == [("migrate", "$LATEST", b"{}")]
    assert (
        bench.create(INVOCATION, triggers={"migrations": "other"})[0] != bench.create(INVOCATION)[0]
    )


def test_a_call_that_fails_says_so_with_the_functions_own_words(bench: Bench):
    bench.data.answer = Invocation(
        request_id="1", payload=b'{"errorType": "OperationalError"}', error="Unhandled"
    )
    with pytest.raises(
        UserError,
        match=r'migrate failed \(Unhandled\): {"errorType": "OperationalError"}.*stack logs',
    ):
        bench.create(INVOCATION)


def test_a_permission_without_its_source_is_refused(bench: Bench):
    assert "any API of any account" in bench.refusals(PERMISSION, sourceArn=None)


# gateway


@pytest.mark.parametrize(
    ("type_", "changed", "message"),
    [
        (API, {"protocolType": "WEBSOCKET"}, 'protocolType must be "HTTP"'),
        (
            API,
            {"corsConfiguration": {"allowOrigins": ["*"]}},
            "'corsConfiguration' is not realised",
        ),
        (INTEGRATION, {"payloadFormatVersion": "1.0"}, 'payloadFormatVersion "2.0"'),
        (INTEGRATION, {"integrationType": "HTTP_PROXY"}, '"AWS_PROXY"'),
        (
            INTEGRATION,
            {"timeoutMilliseconds": 30001},
            "timeoutMilliseconds is 30001, allowed are 50 to 30000",
        ),
        (INTEGRATION, {"integrationUri": "https://example.com"}, "is not the invoke ARN"),
        (ROUTE, {"authorizationType": None}, "authorizationType is to be written out"),
        (ROUTE, {"authorizationType": "JWT"}, 'only "NONE" is realised'),
        (ROUTE, {"target": "i1"}, "target is 'i1', expected integrations/ID"),
        (STAGE, {"name": "prod"}, 'only the stage "$default"'),
        (STAGE, {"defaultRouteSettings": None}, "defaultRouteSettings needs both"),
        (
            STAGE,
            {"defaultRouteSettings": {"throttlingRateLimit": 50}},
            "every request is answered 429",
        ),
        (
            STAGE,
            {"routeSettings": [{"routeKey": "GET /x", "throttlingBurstLimit": 1}]},
            "routeSettings of 'GET /x' needs both",
        ),
        (
            STAGE,
            {"routeSettings": [{"routeKey": "GET /x", "throttling": 1}]},
            "routeSettings[0].throttling is unknown",
        ),
    ],
)
def test_a_part_of_the_api_that_would_not_work_is_refused(
    bench: Bench, type_: str, changed: dict[str, Any], message: str
):
    assert message in bench.refusals(type_, **changed)


def test_an_apis_address_is_the_stacks_port_and_follows_it(bench: Bench):
    identity, outputs = bench.create(API)
    assert outputs["apiEndpoint"] == f"http://localhost:{PORTS.api}"
    now = bench.read(API, identity, {**outputs, "apiEndpoint": "http://localhost:1"})
    assert now is not None
    assert now["apiEndpoint"] == f"http://localhost:{PORTS.api}"


@pytest.mark.parametrize("type_", [API, INTEGRATION, ROUTE, STAGE, DOMAIN, DEPLOYMENT])
def test_a_change_is_put_into_effect_and_so_is_a_deletion(bench: Bench, type_: str):
    identity, _ = bench.create(type_)
    assert bench.data.asked == ["configure"]
    bench.delete(type_, identity)
    assert bench.data.asked == ["configure"] * 2


# roles, log groups


def test_documents_beyond_least_privilege_are_refused(bench: Bench):
    assert "only lambda.amazonaws.com may" in bench.refusals(
        ROLE, assumeRolePolicy=TRUST.replace("lambda.", "ec2.")
    )
    assert "allows the action 'logs:*'" in bench.refusals(
        POLICY, policy=MAY_LOG.replace("PutLogEvents", "*")
    )
    assert "'managedPolicyArns' is not realised" in bench.refusals(
        ROLE, managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]
    )


def test_a_log_group_without_retention_is_refused_and_one_with_it_is_a_directory(bench: Bench):
    assert "retentionInDays is missing" in bench.refusals(LOG_GROUP, retentionInDays=None)
    bench.create(LOG_GROUP)
    bench.logs.group("/aws/lambda/api").stream("s").write("hello")
    assert [record.message.strip() for record in bench.logs.records()] == ["hello"]


# Neon


def test_a_neon_project_is_a_database_with_an_owner_whose_password_stays(bench: Bench):
    identity, outputs = bench.create(NEON)
    assert bench.postgres.databases == {"parent": "parent", "insights": "insights"}
    assert bench.postgres.roles == {"insights": outputs["databasePassword"]}
    assert outputs["databaseHost"] == f"localhost:{PORTS.postgres}"
    assert bench.create(NEON) == (identity, outputs)
    assert bench.update(NEON, identity, name="renamed") == outputs
    assert bench.read(NEON, identity, {}) == outputs


def test_a_database_that_has_gone_is_another_project_so_that_it_is_migrated_anew(bench: Bench):
    identity, outputs = bench.create(NEON)
    bench.postgres.drop_database("insights")
    assert bench.read(NEON, identity, outputs) is None
    other, others = bench.create(NEON)
    assert other != identity
    assert others["defaultBranchId"] != outputs["defaultBranchId"]


def test_two_projects_cannot_have_one_database(bench: Bench):
    bench.create(NEON, "first")
    with pytest.raises(UserError, match="'insights' belongs to 'first' already"):
        bench.create(NEON, "second")


def test_a_deleted_project_takes_its_database_and_role_along(bench: Bench):
    identity, _ = bench.create(NEON)
    bench.delete(NEON, identity)
    assert (bench.postgres.databases, bench.postgres.roles) == ({"parent": "parent"}, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"regionId": "aws-eu-west-1"}, "regionId is 'aws-eu-west-1', Neon offers aws-us-east-1"),
        ({"branch": {"name": "main"}}, "branch needs roleName and databaseName"),
        ({"branch": None}, "branch needs roleName and databaseName"),
        ({"historyRetentionSeconds": None}, "refused on the Free plan"),
        ({"quota": {"activeTimeSeconds": 1}}, "'quota' is not realised"),
        ({"kuota": {}}, "no input 'kuota'"),
        ({"branch": {"role_name": "x"}}, "branch.role_name is unknown"),
    ],
)
def test_a_neon_project_that_neon_would_refuse_is_refused(
    bench: Bench, changed: dict[str, Any], message: str
):
    assert message in bench.refusals(NEON, **changed)


def test_a_branch_is_a_copy_with_a_role_whose_password_the_function_tells_and_no_other(
    bench: Bench,
):
    identity, _ = bench.create(BRANCH)
    assert bench.postgres.databases["insights-pr-1"] == "insights-pr-1"
    assert (
        bench.call(PASSWORD_OF, branchId=identity, projectId="parent", roleName="insights-pr-1")
        == bench.postgres.roles["insights-pr-1"]
    )
    assert bench.call(PASSWORD_OF, branchId=identity, projectId="parent", roleName="parent") == ""
    assert (
        bench.call(PASSWORD_OF, branchId="br-other", projectId="parent", roleName="insights-pr-1")
        == ""
    )


def test_a_deleted_branch_takes_its_copy_and_role_along_and_leaves_the_parent(bench: Bench):
    identity, _ = bench.create(BRANCH)
    bench.delete(BRANCH, identity)
    assert (bench.postgres.databases, bench.postgres.roles) == ({"parent": "parent"}, {})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"projectId": "other"}, "there is no Neon project 'other' on this machine"),
        ({"parentId": "br-elsewhere"}, "has no branch 'br-elsewhere' that can be copied"),
    ],
)
def test_a_branch_of_what_is_not_there_is_refused_and_nothing_is_made(
    bench: Bench, changed: dict[str, Any], message: str
):
    with pytest.raises(UserError, match=message):
        bench.create(BRANCH, **changed)
    assert bench.postgres.databases == {"parent": "parent"}
    assert bench.store.find("neon-branches") == {}


def test_a_parent_is_found_by_the_id_of_an_import_and_tells_of_protection_only_where_there_is_one(
    bench: Bench,
):
    context, identity = bench.context(), f"parent/{default_branch('parent')}"
    found = HANDLERS[BRANCH].look_up(context, identity)
    assert found is not None
    assert found[0] == default_branch("parent")
    assert "protected" not in found[1]
    bench.store.put(
        "neon-projects",
        "parent",
        {**(bench.store.get("neon-projects", "parent") or {}), "protected": True},
    )
    found = HANDLERS[BRANCH].look_up(context, identity)
    assert found is not None
    assert found[1]["protected"] == "yes"
    assert HANDLERS[BRANCH].look_up(context, "parent/br-other") is None
    assert HANDLERS[BRANCH].look_up(context, "other/br-other") is None


def test_what_only_the_program_makes_cannot_be_looked_up(bench: Bench):
    with pytest.raises(UserError, match=f"reading {VERCEL} 'prj_1' is not realised"):
        HANDLERS[VERCEL].look_up(bench.context(), "prj_1")


def test_protection_of_a_project_is_kept_and_changed_in_place(bench: Bench):
    identity, _ = bench.create(NEON)
    bench.update(NEON, identity, defaultBranchProtected=True)
    branch = f"{identity}/{default_branch(identity)}"
    found = HANDLERS[BRANCH].look_up(bench.context(), branch)
    assert found is not None
    assert found[1]["protected"] == "yes"
    bench.update(NEON, identity, defaultBranchProtected=None)
    assert "protected" not in (HANDLERS[BRANCH].look_up(bench.context(), branch) or ("", {}))[1]


# Vercel


@pytest.mark.parametrize(
    ("type_", "changed", "message"),
    [
        (VERCEL, {"name": None}, "without one Vercel adds a random suffix"),
        (VERCEL, {"name": "Insights"}, "1 to 52 of a-z"),
        (VERCEL, {"name": "a" * 53}, "1 to 52 of a-z"),
        (VERCEL, {"framework": "nextjs"}, "'framework' is not realised"),
        (VARIABLE, {"targets": []}, "are expected"),
        (VARIABLE, {"targets": ["staging"]}, "targets are ['staging']"),
        (DEPLOYMENT, {"files": {"/srv/package.json": "1~a"}}, "paths are relative to the program"),
        (DEPLOYMENT, {"files": {"../package.json": "1~a"}}, "paths are relative to the program"),
        (DEPLOYMENT, {"files": {}}, "files is empty"),
    ],
)
def test_a_part_of_the_site_that_would_not_work_is_refused(
    bench: Bench, type_: str, changed: dict[str, Any], message: str
):
    assert message in bench.refusals(type_, **changed)


def test_a_domain_is_this_machines_or_refused_with_the_one_that_is(bench: Bench):
    with pytest.raises(
        UserError,
        match=rf"'insights.example.com' cannot be served on this machine.*localhost:{PORTS.site}",
    ):
        bench.create(DOMAIN, domain="insights.example.com")


def test_a_deployment_is_built_with_its_projects_variables_and_another_one_for_others(bench: Bench):
    bench.create(VARIABLE)
    bench.create(DOMAIN)
    identity, outputs = bench.create(DEPLOYMENT)
    assert bench.data.built == [(bench.root / "frontend", {"NEXT_PUBLIC_API_URL": "http://x"})]
    assert outputs["domains"] == [f"localhost:{PORTS.site}"]
    bench.update(VARIABLE, "prj_1/NEXT_PUBLIC_API_URL", value="http://y")
    assert bench.create(DEPLOYMENT)[0] != identity


def test_a_deployment_whose_pages_have_gone_is_built_again(bench: Bench):
    identity, outputs = bench.create(DEPLOYMENT)
    assert bench.read(DEPLOYMENT, identity, outputs) is not None
    (bench.root / "pages").rmdir()
    assert bench.read(DEPLOYMENT, identity, outputs) is None
    bench.data.enabled = False
    assert bench.read(DEPLOYMENT, identity, outputs) is not None, (
        "without the frontend there is nothing to miss"
    )
