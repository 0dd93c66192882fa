"""Calls resource handlers without servers: sample inputs of each type and stubs of the services."""

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
from stack.local.lambda_.functions import LambdaFunctions, recorded_directories
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.packages import Packages
from stack.local.neon.postgres.server import Postgres
from stack.local.neon.projects import default_branch
from stack.local.registry import FUNCTIONS, HANDLERS
from stack.local.resources import base
from stack.local.resources.base import Cloud, Context
from stack.local.resources.store import Store
from stack.local.resources.values import Archive
from stack.local.scheduler.schedules import Schedules
from stack.local.system.ports import StackPorts
from stack.local.vercel.projects import VercelProjects

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
SCHEDULE_GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
SCHEDULE = "aws:scheduler/schedule:Schedule"
NEON_PROJECT = "neon:index/project:Project"
BRANCH = "neon:index/branch:Branch"
ENDPOINT = "neon:index/endpoint:Endpoint"
VERCEL_PROJECT = "vercel:index/project:Project"
VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
DOMAIN = "vercel:index/projectDomain:ProjectDomain"
DEPLOYMENT = "vercel:index/deployment:Deployment"

BRANCH_PASSWORD = "neon:index/getBranchRolePassword:getBranchRolePassword"

INVOKE_ARN = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:api:live/invocations"
)
TRUST_POLICY = json.dumps(
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
LOG_POLICY = json.dumps(
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

UPKEEP_ARN = "arn:aws:lambda:us-east-1:000000000000:function:upkeep"
SCHEDULE_TRUST_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {
                        "aws:SourceAccount": "000000000000",
                        "aws:SourceArn": "arn:aws:scheduler:x:000000000000:schedule-group/g",
                    }
                },
            }
        ],
    }
)
INVOKE_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": UPKEEP_ARN}
        ],
    }
)


class PostgresInMemory:
    """The operations of the database server that handlers use, in memory."""

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
class DataPlaneStub:
    """The emulated services as handlers call them; it only records the calls.

    calls: of `configure` and `changed`. invocation: what `invoke` returns.
    """

    root: Path
    store: Store
    calls: list[str] = field(default_factory=list)
    invocation: Invocation = field(
        default_factory=lambda: Invocation(request_id="1", payload=b'{"revision": "0001"}')
    )
    invoked: list[tuple[str, str, bytes]] = field(default_factory=list)
    enabled: bool = True
    forgotten: list[str] = field(default_factory=list)
    built: list[tuple[Path, Mapping[str, str]]] = field(default_factory=list)

    def configure(self) -> None:
        self.calls.append("configure")

    def changed(self, name: str = "") -> None:
        self.calls.append(f"changed {name}".strip())

    def forget(self, identity: str) -> None:
        self.forgotten.append(identity)

    def alias_changed(self, name: str) -> None:
        self.calls.append(f"alias changed {name}")

    def directories(self) -> set[Path]:
        return recorded_directories(self.store)

    def invoke(self, name: str, qualifier: str, event: bytes) -> Invocation:
        self.invoked.append((name, qualifier, event))
        return self.invocation

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
class HandlerBench:
    """Calls the handlers in a project directory, with a store, but without servers."""

    root: Path
    store: Store = field(init=False)
    data: DataPlaneStub = field(init=False)
    postgres: PostgresInMemory = field(default_factory=PostgresInMemory)

    def __post_init__(self) -> None:
        self.store = Store(self.root / "cloud.json")
        self.data = DataPlaneStub(self.root, self.store)
        self.logs = LogStore(self.root / "logs")
        self.packages = Packages(self.root / "packages")
        self.store.put(
            "neon-projects",
            "parent",
            {"owner": "urn", "role": "parent", "database": "parent", "password": "p", "name": "p"},
        )
        self.postgres.create_database("parent", "parent")
        owned = {"owner": "urn:pulumi:local::ai-success-insights::t::other"}
        self.store.put("schedule-groups", "g", owned)
        self.store.put("roles", "schedule", {**owned, "assumeRolePolicy": SCHEDULE_TRUST_POLICY})
        self.store.put("role-policies", "p", {**owned, "role": "schedule", "policy": INVOKE_POLICY})
        for name in ("code", "other", "layer"):
            with zipfile.ZipFile(self.root / f"{name}.zip", "w") as archive:
                archive.writestr(f"{name}.py", f"NAME = {name!r}\n")

    def context(self, name: str = "it", type_: str = "t") -> Context:
        services: dict[type, Any] = {
            Postgres: self.postgres,
            LogStore: self.logs,
            Packages: self.packages,
            HttpApis: self.data,
            VercelProjects: self.data,
            LambdaFunctions: self.data,
            Schedules: self.data,
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
        """Return inputs like those of the program, with made-up ids of other resources."""
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
            ROLE: {"name": "api", "assumeRolePolicy": TRUST_POLICY},
            POLICY: {"role": "api", "policy": LOG_POLICY},
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
            SCHEDULE_GROUP: {"name": "nightly"},
            SCHEDULE: {
                "name": "upkeep",
                "groupName": "g",
                "scheduleExpression": "cron(5 0-3 * * ? *)",
                "scheduleExpressionTimezone": "Europe/Berlin",
                "flexibleTimeWindow": {"mode": "OFF"},
                "target": {
                    "arn": UPKEEP_ARN,
                    "roleArn": "arn:aws:iam::000000000000:role/schedule",
                    "input": '{"source": "upkeep"}',
                    "retryPolicy": {"maximumRetryAttempts": 2},
                },
            },
            NEON_PROJECT: {
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
            VERCEL_PROJECT: {"name": "insights"},
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
        """Create the sample with changes."""
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

    def password(self, **arguments: Any) -> Any:
        """Call the function that returns the password of a branch's role."""
        return FUNCTIONS[BRANCH_PASSWORD].call(self.context(), arguments)["password"]

    def refusal(self, type_: str, **changed: Any) -> str:
        """Check the sample with changes (None removes an input), and return the error."""
        inputs = {
            key: value
            for key, value in {**self.sample(type_), **changed}.items()
            if value is not None
        }
        with pytest.raises(UserError) as refused:
            base.check(HANDLERS[type_], "it", inputs, self.root)
        assert str(refused.value).startswith(f"{type_} 'it'"), "the message names the resource"
        return str(refused.value)
