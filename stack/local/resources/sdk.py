"""Evaluates a Pulumi program in this process, with a `Host` instead of Pulumi's engine.

This is the only file that uses internals of the Pulumi SDK: its monitor, its settings, its type
tables and its protocol classes. The SDK is pinned to one version for that reason.

Under the CLI the program talks to the engine over gRPC through two stubs, the resource monitor and
the engine's log. The SDK's own unit-test mocks replace both stubs in process; `run_program` uses
the same hooks, with a monitor that passes each request on to the `Host`. It does not use
`pulumi.runtime.set_mocks`, because that registers the stack's outputs before the program has run.
"""

import asyncio
import runpy
import sys
import threading
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pulumi
from google.protobuf import empty_pb2
from pulumi import _types  # pyright: ignore[reportPrivateUsage] - the only table of input types
from pulumi.runtime import config as sdk_config
from pulumi.runtime import mocks, proto, settings, stack
from pulumi.runtime.proto import plugin_pb2 as plugin_pb2
from pulumi.runtime.proto import provider_pb2 as provider_pb2
from pulumi.runtime.proto import provider_pb2_grpc as provider_pb2_grpc

from common.errors import UserError
from stack.local.resources import values

STACK_TYPE = "pulumi:pulumi:Stack"
# The SDK makes each request in a thread of the loop's executor, and a request lasts as long as its
# resource takes to be created. The default executor has only cores + 4 threads.
_THREADS = 64


@dataclass(frozen=True, kw_only=True)
class Registration:
    """The request that registers a resource.

    inputs: decoded, by wire name. custom: False for a component.
    """

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    protect: bool
    secret_outputs: Sequence[str]
    delete_before_replace: bool


class Host(Protocol):
    """Handles a program's requests instead of the engine.

    Methods are called from several threads; an exception ends the evaluation.
    """

    def register(self, registration: Registration) -> tuple[str, Mapping[str, Any]]:
        """Return id ("" while unknown) and outputs."""
        ...

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        """Receive the outputs that a component or the stack registers."""
        ...

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        """Return id and outputs of a resource that the program reads by `.get`."""
        ...

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the result of a provider function."""
        ...

    def log(self, message: str) -> None:
        """Receive a message that the program logs, at level info or above."""
        ...


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program and the stack that it is evaluated for.

    config: by full key (`project:key`), values as texts. secret_keys: those that are secret.
    """

    path: Path
    project: str
    stack: str
    config: Mapping[str, str]
    secret_keys: Sequence[str]


class _Monitor(mocks.MockMonitor):
    """The resource monitor; the base class handles the requests that concern no resource."""

    def __init__(self, host: Host) -> None:
        super().__init__(typing.cast("mocks.Mocks", None))
        self._host = host

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN that the engine would use, so that both front ends agree on it.

        It holds the types of all parent components, separated by "$".
        """
        parent_types = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if parent_types == STACK_TYPE else f"{parent_types}${type_}"
        return "::".join(
            [f"urn:pulumi:{settings.get_stack()}", settings.get_project(), qualified, name]
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:  # the SDK registers the stack itself as the root component
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
        )
        identity, outputs = self._host.register(registration)
        return proto.resource_pb2.RegisterResourceResponse(
            urn=urn, id=identity, object=values.encode(outputs)
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._host.finish(request.urn, values.decode(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        response = proto.resource_pb2.ResourceInvokeResponse()
        result = self._host.invoke(request.tok, values.decode(request.args))
        # The field is called "return", which Python does not allow as an attribute.
        getattr(response, "return").CopyFrom(values.encode(result))
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        identity, outputs = self._host.read(request.type, request.name, request.id)
        urn = self.make_urn(request.parent, request.type, request.name)
        return proto.resource_pb2.ReadResourceResponse(
            urn=urn, id=identity, properties=values.encode(outputs)
        )


class _Engine:
    """The engine's stub, of which a program uses the log alone."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def Log(self, request: Any) -> Any:  # noqa: N802
        if request.severity >= proto.engine_pb2.INFO:
            self._host.log(request.message)
        return empty_pb2.Empty()


def run_program(program: Program, host: Host, *, preview: bool) -> None:
    """Evaluate the program once and return when all its resources have been registered.

    It blocks; call it from a thread that has no event loop. The working directory must be the
    program's, as under the CLI. Raises what the program or the host raises.
    """
    asyncio.run(_run(program, host, preview=preview))


async def _run(program: Program, host: Host, *, preview: bool) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="register"))
    # An Output that depends on a failed resource ends with the same exception, and nothing awaits
    # it. The loop would log each of them; `run_in_stack` already raises the first.
    loop.set_exception_handler(lambda _loop, _context: None)
    monitor = _Monitor(host)
    # The SDK keeps its settings in module state, so only one evaluation may run at a time.
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            # The SDK uses a feature, secrets for example, only when the monitor announces it.
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
    # The second evaluation of a process must not find the stack resource of the first.
    settings.set_root_resource(typing.cast("pulumi.Resource", None))
    sdk_config.set_all_config(dict(program.config), list(program.secret_keys))
    await stack.run_in_stack(lambda: _execute(program.path))


def _execute(path: Path) -> None:
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as error:  # it would end the supervisor
        raise UserError(
            f"{path.name} called sys.exit({error.code!r}): "
            "raise pulumi.RunError to say what is wrong"
        ) from None


def forget_modules(root: Path, packages: Sequence[str]) -> None:
    """Remove the program's packages below `root` from `sys.modules` and from the SDK's caches.

    The next evaluation imports them again. `common` must not be among them: the program and the
    supervisor share its `UserError`, and `except` compares classes by identity.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in packages and file and Path(file).is_relative_to(root):
            del sys.modules[name]
            # Python takes bytecode for current by the source's size and its time in seconds.
            if cached := getattr(module, "__cached__", None):
                Path(cached).unlink(missing_ok=True)
    # The SDK caches what it finds out about a class for ever, and a class holds its module.
    for cache in vars(_types).values():
        if hasattr(cache, "cache_clear"):
            cache.cache_clear()


def input_types(resource: type[pulumi.Resource]) -> Mapping[str, Any]:
    """Return wire name → type of the inputs that the SDK declares for a resource or provider."""
    # The provider SDKs have a class `XArgs`; ours of Neon (`sdks/`) has `_XProperties`.
    module = sys.modules[resource.__module__]
    arguments = getattr(module, f"{resource.__name__}Args", None) or getattr(
        module, f"_{resource.__name__}Properties"
    )
    return _types.input_type_types(arguments)


def output_names(resource: type[pulumi.Resource]) -> frozenset[str]:
    """Return the wire names of the outputs that the SDK declares for a resource."""
    return frozenset(_types.resource_types(resource))


def text_outputs(resource: type[pulumi.Resource]) -> frozenset[str]:
    """Return the wire names of the outputs that the SDK declares as `str`."""
    return frozenset(name for name, kind in _types.resource_types(resource).items() if kind is str)


def type_mismatch(value: Any, expected: Any, path: str) -> str | None:
    """Say where `value` is not of the type that the SDK declares; None when it matches.

    value: decoded. expected: a type of `input_types`. path: names the value in the message.
    """
    if isinstance(value, values.Secret):
        return type_mismatch(value.value, expected, path)
    if value is values.UNKNOWN or expected is Any:
        return None
    origin = typing.get_origin(expected)
    if origin in (typing.Union, types.UnionType):
        return _union_mismatch(value, typing.get_args(expected), path)
    if isinstance(expected, type) and _types.is_input_type(expected):
        return _object_mismatch(value, expected, path)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            return f"{path} is not a map"
        item_type = typing.get_args(expected)[1]
        return _first((item, item_type, f"{path}.{key}") for key, item in value.items())
    if origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, list):
            return f"{path} is not a list"
        item_type = typing.get_args(expected)[0]
        return _first((item, item_type, f"{path}[{index}]") for index, item in enumerate(value))
    return _scalar_mismatch(value, expected, path)


def _first(parts: Iterable[tuple[Any, Any, str]]) -> str | None:
    return next(filter(None, (type_mismatch(*part) for part in parts)), None)


def _union_mismatch(value: Any, members: Sequence[Any], path: str) -> str | None:
    # `Input[T]` is a union of T, awaitables and outputs of T, and `TDict` beside a class `T`. A
    # decoded value can only be T itself, so the other members are left out.
    plain = [member for member in members if member is not type(None) and not _is_wrapper(member)]
    found = [type_mismatch(value, member, path) for member in plain]
    return found[0] if found and all(found) else None


def _is_wrapper(member: Any) -> bool:
    name = getattr(typing.get_origin(member) or member, "__name__", "")
    return name in ("Awaitable", "Output") or name.endswith("Dict")


def _object_mismatch(value: Any, expected: type, path: str) -> str | None:
    if not isinstance(value, Mapping):
        return f"{path} is not an object"
    members = _types.input_type_types(expected)
    for key, item in value.items():
        if key not in members:
            return f"{path}.{key} is unknown; known are {', '.join(sorted(members))}"
        if found := type_mismatch(item, members[key], f"{path}.{key}"):
            return found
    return None


_SCALARS: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
}


def _scalar_mismatch(value: Any, expected: Any, path: str) -> str | None:
    if expected is pulumi.Archive:
        return None if isinstance(value, values.Archive) else f"{path} is not an archive"
    allowed = _SCALARS.get(expected, (str, int))  # an enumeration is its text or number on the wire
    # bool is a subclass of int, so it needs a check of its own.
    wrong = not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)
    if wrong:
        return f"{path} is {value!r}, expected {getattr(expected, '__name__', expected)}"
    return None
