"""Evaluates the real program in process, and records what it registers.

No bundle is built and no provider is called: the bundle is two small zips, the dashboard is two
files, and the host invents ids and outputs.
"""

import contextlib
import json
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from bundle import Bundle, Target
from bundle.size_report import Part, Report
from components import service
from stack.local.resources import sdk, values
from tests.support.configuration import ROOT, environment, stack_settings

PASSWORD = "p@ss:w/rd%2F?#[é] &=+"
BUNDLE_VERSION = "0123456789ab"

_EMPTY = Part(sha256="", zipped=0, unzipped=0, files=0, packages=())

COMPUTED_OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "neon:index/project:Project": {
        "databaseHost": "ep-quiet-1.eu-central-1.aws.neon.tech",
        "databaseHostPooler": "ep-quiet-1-pooler.eu-central-1.aws.neon.tech",
        "databaseName": "insights",
        "databaseUser": "insights:owner",
        "databasePassword": PASSWORD,
        "connectionUri": f"postgres://insights:{PASSWORD}@ep-quiet-1.eu-central-1.aws.neon.tech/insights",
        "connectionUriPooler": f"postgres://insights:{PASSWORD}@ep-quiet-1-pooler.eu-central-1.aws.neon.tech/insights",
        "defaultBranchId": "br-main-1",
        "defaultEndpointId": "ep-quiet-1",
    },
    "neon:index/branch:Branch": {"logicalSize": "31"},
    "neon:index/endpoint:Endpoint": {
        "host": "database-endpoint-id.eu-central-1.aws.neon.tech",
        "proxyHost": "eu-central-1.aws.neon.tech",
    },
    "aws:apigatewayv2/api:Api": {
        "apiEndpoint": "https://abc123.execute-api.us-east-1.amazonaws.com",
        "executionArn": "arn:aws:execute-api:us-east-1:123456789012:abc123",
    },
    "aws:cloudwatch/logGroup:LogGroup": {
        "arn": "arn:aws:logs:us-east-1:123456789012:log-group:{name}"
    },
    "aws:iam/role:Role": {"arn": "arn:aws:iam::123456789012:role/{name}"},
    "aws:lambda/layerVersion:LayerVersion": {
        "arn": "arn:aws:lambda:us-east-1:123456789012:layer:{layerName}:1"
    },
    "aws:lambda/function:Function": {
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:{name}",
        "version": "7",
    },
    "aws:lambda/alias:Alias": {
        "invokeArn": "arn:aws:apigateway:us-east-1:lambda:path/functions/"
        "{functionName}:{name}/invocations"
    },
    "aws:lambda/invocation:Invocation": {"result": '{"revision": "0001", "applied": []}'},
    "aws:scheduler/scheduleGroup:ScheduleGroup": {
        "arn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/{name}"
    },
    "vercel:index/deployment:Deployment": {"url": "insights-abc123.vercel.app"},
}
"""Outputs that a provider computes, by type; `{input}` in an ARN is replaced by that input."""

EXISTING: Mapping[str, Mapping[str, Any]] = {
    "neon:index/branch:Branch": {
        "projectId": "quiet-forest-1",
        "name": "main",
        "protected": "yes",
        "logicalSize": 31,
    },
    "neon:index/getProject:getProject": {
        "databaseName": "insights",
        "databaseUser": "insights:owner",
        "databasePassword": values.Secret("parents-password"),
        "connectionUri": values.Secret(
            "postgres://insights:parents-password@ep-parent-1.eu-central-1.aws.neon.tech/insights"
        ),
        "defaultBranchId": "br-main-1",
        "name": "parent",
    },
    "neon:index/getBranchRolePassword:getBranchRolePassword": {"password": values.Secret(PASSWORD)},
}
"""What exists already: the result of a read by its type, of an invoke by its function."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A registration as it is sent, with its options.

    `inputs` hold `values.Secret` and `values.UNKNOWN`.
    """

    type: str
    name: str
    custom: bool
    parent: str
    inputs: Mapping[str, Any]
    dependencies: Collection[str]
    protect: bool
    provider: str
    package: str
    secret_outputs: Collection[str]
    delete_before_replace: bool
    create_timeout: str
    replace_on_changes: Collection[str] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """The inputs without their secret wrappers."""
        return values.reveal(self.inputs)


@dataclass
class Recording:
    """What one evaluation registered, and the host that it was evaluated under.

    resources: by name, in the order of registration.
    asked: reads and invokes, as a type or function with its arguments.
    created: names of the resources that the host created, in order.
    """

    preview: bool
    computed_outputs: Mapping[str, Mapping[str, Any]]
    existing: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EXISTING)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    fails: Collection[str] = ()
    resources: dict[str, Resource] = field(default_factory=dict)
    component_outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    builds: list[tuple[Target, bool]] = field(default_factory=list)
    packages: list[Mapping[str, Any]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Resource:
        return self.resources[name]

    def of(self, suffix: str) -> list[Resource]:
        """Return the resources whose type ends in `suffix`."""
        return [resource for resource in self.resources.values() if resource.type.endswith(suffix)]

    @property
    def names(self) -> set[tuple[str, str]]:
        return {(resource.type, resource.name) for resource in self.resources.values()}

    def text(self, show: Callable[[Any], Any]) -> str:
        """Return everything that was sent as one text, shown by `values.redact` or `.reveal`."""
        sent = [resource.inputs for resource in self.resources.values()]
        everything = [*sent, *self.component_outputs.values(), self.outputs]
        return json.dumps(
            show(
                values.transform(
                    everything, lambda leaf: leaf.path if isinstance(leaf, values.Archive) else leaf
                )
            ),
            ensure_ascii=False,
        )

    # The methods of the host

    def request(self, request: Any) -> None:
        self.resources[request.name] = Resource(
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=_name(request.parent),
            inputs=values.decode(request.object),
            dependencies={_name(urn) for urn in request.dependencies},
            protect=request.protect,
            provider=_name(request.provider.rpartition("::")[0]),
            package=request.packageRef,
            secret_outputs=set(request.additionalSecretOutputs),
            delete_before_replace=request.deleteBeforeReplace,
            create_timeout=request.customTimeouts.create,
            replace_on_changes=set(request.replaceOnChanges),
        )

    def register(self, registration: sdk.Registration) -> tuple[str, Mapping[str, Any]]:
        if registration.name in self.fails:
            raise RuntimeError(f"{registration.name} failed")
        if not registration.custom:
            return "", {}
        if self.preview and not registration.type.startswith("pulumi:providers:"):
            return "", registration.inputs
        plain = {key: str(value) for key, value in values.reveal(registration.inputs).items()}
        computed_outputs = self.computed_outputs.get(registration.type, {})
        computed = {
            key: value.format(**plain) if value.startswith("arn:") else value
            for key, value in computed_outputs.items()
        }
        outputs = {**registration.inputs, **computed}
        secret = {
            key: values.Secret(outputs[key])
            for key in registration.secret_outputs
            if key in outputs
        }
        self.created.append(registration.name)
        return f"{registration.name}-id", {**outputs, **secret}

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs
        else:
            self.component_outputs[_name(urn)] = outputs

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        self.asked.append((type_, {"id": identity}))
        return identity.rpartition("/")[2], self.existing[type_]

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append((token, values.reveal(arguments)))
        return {**arguments, **self.existing[token]}

    def log(self, message: str) -> None:
        pass


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def make_project(root: Path) -> Path:
    """Create a directory with the real program and configuration, and hardly anything to deploy."""
    for path in (ROOT / "__main__.py", *ROOT.glob("Pulumi*.yaml")):
        (root / path.name).symlink_to(path)
    for name, text in {
        "frontend/app/page.tsx": "export default () => null\n",
        "frontend/package.json": "{}\n",
        "service/upkeep.py": "handler = None\n",
        "service/migrations/versions/0001.py": "revision = '0001'\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "bundle").mkdir()
    for part in ("layer", "code"):
        with zipfile.ZipFile(root / "bundle" / f"{part}.zip", "w") as archive:
            archive.writestr(f"{part}.txt", part)
    return root


def evaluate(
    project: Path,
    *,
    stack: str = "prod",
    preview: bool = False,
    local: bool = False,
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    computed_outputs: Mapping[str, Mapping[str, Any]] = COMPUTED_OUTPUTS,
    into: Recording | None = None,
    fails: Collection[str] = (),
) -> Recording:
    """Evaluate the program of `project` once, and raise what it raises.

    config, secrets: as in `tests.support.configuration.stack_settings`.
    into: records the evaluation; after an error it has what was registered before.
    fails: names of resources whose registration fails.
    """
    recording = into or Recording(preview=preview, computed_outputs=computed_outputs, fails=fails)
    settings = stack_settings(project, stack, config, secrets)
    program = sdk.Program(
        path=project / "__main__.py",
        project=settings.project,
        stack=stack,
        config=settings.config,
        secret_keys=settings.secret_keys,
    )

    def build(
        root: Path, target: Target, *, bytecode: bool, progress: Callable[[str], None]
    ) -> Bundle:
        recording.builds.append((target, bytecode))
        report = Report(
            target=target.name,
            python=target.python,
            bytecode=None,
            layer=_EMPTY,
            code=_EMPTY,
            smoke_test="",
        )
        return Bundle(
            layer=Path("bundle/layer.zip"),
            code=Path("bundle/code.zip"),
            version=BUNDLE_VERSION,
            report=report,
        )

    with (
        contextlib.chdir(project),
        environment(local=local),
        mock.patch.object(service, "build", build),
        mock.patch.object(sdk, "_Monitor", _recording_monitor(recording)),
    ):
        sdk.run_program(program, recording, preview=preview)
    return recording


@cache
def _evaluated(
    project: Path, stack: str, preview: bool, config: tuple[tuple[str, str], ...]
) -> Recording:
    return evaluate(
        project,
        stack=stack,
        preview=preview,
        config=dict(config),
        secrets={"openaiApiKey": "sk-secret"},
    )


def recorded(
    project: Path, stack: str = "prod", *, preview: bool = False, **config: str
) -> Recording:
    """Evaluate the program once for all tests with the same arguments.

    config: short keys, and `aws_region` for `aws:region`.
    """
    return _evaluated(
        project,
        stack,
        preview,
        tuple((key.replace("_", ":"), value) for key, value in config.items()),
    )


def variables(recording: Recording, name: str) -> dict[str, str]:
    """Return the environment variables of a function."""
    return recording[name].plain["environment"]["variables"]


def write_program(directory: Path, source: str, *, stack: str = "test") -> sdk.Program:
    """Write a program of a few lines, in a project of its own without configuration."""
    path = directory / "__main__.py"
    path.write_text(source)
    return sdk.Program(path=path, project="tiny", stack=stack, config={}, secret_keys=())


def evaluate_source(
    directory: Path,
    source: str,
    *,
    preview: bool = False,
    computed_outputs: Mapping[str, Mapping[str, Any]] = COMPUTED_OUTPUTS,
    existing: Mapping[str, Mapping[str, Any]] = EXISTING,
) -> Recording:
    """Evaluate a program of a few lines under the recording host."""
    recording = Recording(preview=preview, computed_outputs=computed_outputs, existing=existing)
    program = write_program(directory, source)
    with (
        contextlib.chdir(directory),
        mock.patch.object(sdk, "_Monitor", _recording_monitor(recording)),
    ):
        sdk.run_program(program, recording, preview=preview)
    return recording


def _recording_monitor(recording: Recording) -> type:
    class RecordingMonitor(sdk._Monitor):
        def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
            if request.type != sdk.STACK_TYPE:
                recording.request(request)
            return super().RegisterResource(request)

        def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
            parameter = request.parameterization
            recording.packages.append(
                {
                    "name": request.name,
                    "version": request.version,
                    "parameterization": {
                        "name": parameter.name,
                        "version": parameter.version,
                        "value": parameter.value,
                    },
                }
            )
            return super().RegisterPackage(request)

    return RecordingMonitor
