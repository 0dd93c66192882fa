"""The only file that touches what the Pulumi SDK does not promise: its monitor, its settings, its type tables, its protocol classes.

`run_program` evaluates a program in this process, with a `Host` in the place of the engine. The SDK is pinned for it.
"""

import asyncio
import runpy
import sys
import threading
import types
import typing
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pulumi
from google.protobuf import empty_pb2
from pulumi import _types  # pyright: ignore[reportPrivateUsage] - inputs are described nowhere else
from pulumi.runtime import config as sdk_config
from pulumi.runtime import mocks, proto, settings, stack
from pulumi.runtime.proto import plugin_pb2 as plugin_pb2
from pulumi.runtime.proto import provider_pb2 as provider_pb2
from pulumi.runtime.proto import provider_pb2_grpc as provider_pb2_grpc

from common.errors import UserError
from stack.local.resources import values

STACK_TYPE = "pulumi:pulumi:Stack"
_THREADS = 64  # the loop's default of cores + 4 is shared with the SDK's own calls: six long creations would stall the rest


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A resource that the program registered, as it stands on the wire."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    protect: bool
    secret_outputs: Sequence[str]
    delete_before_replace: bool
    dependencies: Sequence[str]


class Host(Protocol):
    """What stands in the place of the engine. Called from threads; an exception ends the evaluation."""

    def register(self, registration: Registration) -> tuple[str, Mapping[str, Any]]:
        """Return id ("" while unknown) and outputs."""
        ...

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        """A component or the stack has registered its outputs."""
        ...

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        """Return id and outputs of a resource that exists and is not the program's (`.get` in a program)."""
        ...

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]: ...

    def log(self, message: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program and the stack that it is evaluated for."""

    path: Path
    project: str
    stack: str
    config: Mapping[str, str]
    secret_keys: Sequence[str]


class _Monitor(mocks.MockMonitor):
    def __init__(self, host: Host) -> None:
        super().__init__(typing.cast("mocks.Mocks", None))
        self._host = host

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it (the types of all components above), so that both ways in know a resource by one name."""
        above = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if above == STACK_TYPE else f"{above}${type_}"
        return "::".join(
            [f"urn:pulumi:{settings.get_stack()}", settings.get_project(), qualified, name]
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return proto.resource_pb2.RegisterResourceResponse(urn=urn)
        registration = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=values.decode(request.object),
            protect=request.protect,
            secret_outputs=list(request.additionalSecretOutputs),
            delete_before_replace=request.deleteBeforeReplace,
            dependencies=list(request.dependencies),
        )
        identity, outputs = self._host.register(registration)
        return proto.resource_pb2.RegisterResourceResponse(
            urn=urn, id=identity, object=values.encode(outputs)
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._host.finish(request.urn, values.decode(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = proto.resource_pb2.ResourceInvokeResponse()
        getattr(answer, "return").CopyFrom(
            values.encode(self._host.invoke(request.tok, values.decode(request.args)))
        )
        return answer

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        identity, outputs = self._host.read(request.type, request.name, request.id)
        urn = self.make_urn(request.parent, request.type, request.name)
        return proto.resource_pb2.ReadResourceResponse(
            urn=urn, id=identity, properties=values.encode(outputs)
        )


class _Engine:
    def __init__(self, host: Host) -> None:
        self._host = host

    def Log(self, request: Any) -> Any:  # noqa: N802
        if request.severity >= proto.engine_pb2.INFO:
            self._host.log(request.message)
        return empty_pb2.Empty()


def run_program(program: Program, host: Host, *, preview: bool) -> None:
    """Evaluate the program once and return when all its resources have been registered.

    Blocks; call it from a thread that has no event loop. What the program or the host raises comes out as itself.
    The working directory must be the program's, as under the CLI.
    """
    asyncio.run(_run(program, host, preview=preview))


async def _run(program: Program, host: Host, *, preview: bool) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="register"))
    # Each Output that hung on a failed resource reports the failure that `run_in_stack` raises already.
    loop.set_exception_handler(lambda _loop, _context: None)
    monitor = _Monitor(host)
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures),
            engine=_Engine(host),
            project=program.project,
            stack=program.stack,
            dry_run=preview,
            organization="local",
            root_directory=str(program.path.parent),
            package_refs={},
            base_providers_by_ref={},
            legacy_apply_enabled=False,
            outputs=set(),
            lock=threading.Lock(),
            parallel=None,
            callbacks=None,
        )
    )
    settings.set_root_resource(typing.cast("pulumi.Resource", None))
    sdk_config.set_all_config(dict(program.config), list(program.secret_keys))
    await stack.run_in_stack(lambda: _execute(program.path))


def _execute(path: Path) -> None:
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as ended:  # would end the process that evaluates
        raise UserError(
            f"{path.name} ended itself by sys.exit({ended.code!r}): raise pulumi.RunError to say what is wrong"
        ) from None


def forget_modules(root: Path, packages: Sequence[str]) -> None:
    """Drop the program's own modules, so that the next evaluation imports them anew; all but the error that both sides know."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in packages and file and Path(file).is_relative_to(root):
            del sys.modules[name]


def input_types(resource: type[pulumi.Resource]) -> Mapping[str, Any]:
    """Wire name → type of the inputs that the SDK's signature of a resource has."""
    module = sys.modules[resource.__module__]
    arguments = getattr(module, f"{resource.__name__}Args", None) or getattr(
        module, f"_{resource.__name__}Properties"
    )
    return _types.input_type_types(arguments)


def output_names(resource: type[pulumi.Resource]) -> frozenset[str]:
    """Wire names of the outputs that the SDK declares for a resource."""
    return frozenset(_types.resource_types(resource))


def text_outputs(resource: type[pulumi.Resource]) -> frozenset[str]:
    """Wire names of the outputs that the SDK declares as plain texts."""
    return frozenset(name for name, kind in _types.resource_types(resource).items() if kind is str)


def type_mismatch(value: Any, expected: Any, where: str) -> str | None:
    """Say where `value` is not of the type that the SDK's signature has, or None."""
    if isinstance(value, values.Secret):
        return type_mismatch(value.value, expected, where)
    if value is values.UNKNOWN or expected is Any:
        return None
    origin = typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return _union_mismatch(value, typing.get_args(expected), where)
    if isinstance(expected, type) and _types.is_input_type(expected):
        return _object_mismatch(value, expected, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            return f"{where} is not a map"
        return next(
            filter(
                None,
                (
                    type_mismatch(item, typing.get_args(expected)[1], f"{where}.{key}")
                    for key, item in value.items()
                ),
            ),
            None,
        )
    if origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, list):
            return f"{where} is not a list"
        return next(
            filter(
                None,
                (
                    type_mismatch(item, typing.get_args(expected)[0], f"{where}[{at}]")
                    for at, item in enumerate(value)
                ),
            ),
            None,
        )
    return _scalar_mismatch(value, expected, where)


def _union_mismatch(value: Any, members: Sequence[Any], where: str) -> str | None:
    """An `Input[T]` is a union of T with awaitables and outputs of it; only the plain members can stand on the wire."""
    plain = [member for member in members if member is not type(None) and not _lifted(member)]
    found = [type_mismatch(value, member, where) for member in plain]
    return found[0] if found and all(found) else None


def _lifted(member: Any) -> bool:
    name = getattr(typing.get_origin(member) or member, "__name__", "")
    return name in ("Awaitable", "Output") or name.endswith("Dict")


def _object_mismatch(value: Any, expected: type, where: str) -> str | None:
    if not isinstance(value, Mapping):
        return f"{where} is not an object"
    members = _types.input_type_types(expected)
    for key, item in value.items():
        if key not in members:
            return f"{where}.{key} is unknown; known are {', '.join(sorted(members))}"
        if found := type_mismatch(item, members[key], f"{where}.{key}"):
            return found
    return None


_SCALARS: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}


def _scalar_mismatch(value: Any, expected: Any, where: str) -> str | None:
    if expected is pulumi.Archive:
        return None if isinstance(value, values.Archive) else f"{where} is not an archive"
    allowed = _SCALARS.get(expected)
    if allowed is None:  # enumerations are texts on the wire
        allowed = (str, int)
    wrong = not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
    return (
        f"{where} is {value!r}, expected {getattr(expected, '__name__', expected)}"
        if wrong
        else None
    )
