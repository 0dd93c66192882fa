"""Handlers of Lambda's resource types: functions, aliases, layers, permissions, invocations."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi_aws as aws

from common.errors import UserError
from config.function_environment import ENVIRONMENT_LIMIT, environment_size
from stack.local.lambda_.functions import LATEST, LambdaFunctions, raise_if_failed
from stack.local.lambda_.packages import Packages
from stack.local.resources.arns import arn, function_arn, invoke_arn
from stack.local.resources.base import Context, ResourceHandler, all_known
from stack.local.resources.stored import Stored, digest
from stack.local.resources.values import Archive

_MAX_VERSIONS = 3  # Lambda keeps all; here each is a directory
# The inputs that a published version consists of (Lambda's PublishVersion). A change of the others,
# tags and reserved concurrency, publishes no version.
_VERSIONED_INPUTS = frozenset(
    {
        "code",
        "layers",
        "environment",
        "memorySize",
        "timeout",
        "role",
        "runtime",
        "handler",
        "description",
        "loggingConfig",
    }
)
_VERSION_OUTPUTS = frozenset(
    {"version", "qualifiedArn", "qualifiedInvokeArn", "lastModified", "sourceCodeSize"}
)


class _Unpacked(Stored):
    """Unpacks a zip, and removes the directories that no record names any longer."""

    def _write(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        with context.cloud.service(Packages).lock:
            return super()._write(context, identity, inputs)

    def applied(self, context: Context, identity: str) -> None:
        functions = context.cloud.service(LambdaFunctions)
        context.cloud.service(Packages).prune(functions.directories)


class LayerVersion(_Unpacked):
    """A version of a layer: its zip, unpacked. Every change of inputs creates another version."""

    sdk = aws.lambda_.LayerVersion
    kind = "layers"
    supported = frozenset(
        {"layerName", "code", "compatibleArchitectures", "compatibleRuntimes", "description"}
    )
    replaces = supported

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return arn(
            "lambda",
            context.region,
            f"layer:{inputs['layerName']}:{self._version(context, inputs)}",
        )

    def _version(self, context: Context, inputs: Mapping[str, Any]) -> int:
        siblings = context.cloud.store.find(self.kind, layerName=inputs["layerName"])
        wanted = {**dict.fromkeys(self.supported), **inputs, "owner": context.urn}
        for record in siblings.values():
            if all(record.get(key) == value for key, value in wanted.items()):
                return record["number"]
        return max((record["number"] for record in siblings.values()), default=0) + 1

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        code: Archive = inputs["code"]
        directory = context.cloud.service(Packages).unpack(context.root / code.path, code.hash)
        return {
            "arn": identity,
            "layerArn": identity.rpartition(":")[0],
            "version": identity.rpartition(":")[2],
            "codeSha256": base64.b64encode(bytes.fromhex(code.hash)).decode(),
            "createdDate": _now(),
            "signingJobArn": "",
            "signingProfileVersionArn": "",
            "sourceCodeSize": (context.root / code.path).stat().st_size,
            "directory": str(directory),
            "number": int(identity.rpartition(":")[2]),
        }

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(self.kind, identity)
        if record is None or not Path(record["directory"]).is_dir():
            return None
        return super().read(context, identity, inputs, outputs)


class Function(_Unpacked):
    """A function; with `publish`, each change of `_VERSIONED_INPUTS` publishes a version.

    The record holds the last `_MAX_VERSIONS` versions and `$LATEST`, each with its configuration
    and the directories of its code and layers.
    """

    sdk = aws.lambda_.Function
    kind = "functions"
    supported = frozenset(
        {
            "name",
            "role",
            "runtime",
            "architectures",
            "code",
            "layers",
            "handler",
            "environment",
            "memorySize",
            "timeout",
            "publish",
            "reservedConcurrentExecutions",
            "loggingConfig",
            "description",
            "tags",
        }
    )
    replaces = frozenset({"name"})

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        failures: list[str] = []
        if all_known(inputs, "environment"):
            size = environment_size((inputs.get("environment") or {}).get("variables") or {})
            if size > ENVIRONMENT_LIMIT:
                failures.append(
                    f"the environment is {size} bytes, Lambda allows {ENVIRONMENT_LIMIT}"
                )
        if all_known(inputs, "memorySize") and not 128 <= inputs.get("memorySize", 128) <= 10240:
            failures.append(f"memorySize is {inputs['memorySize']}, allowed are 128 to 10240 MB")
        if all_known(inputs, "timeout") and not 1 <= inputs.get("timeout", 3) <= 900:
            failures.append(f"timeout is {inputs['timeout']}, allowed are 1 to 900 s")
        if all_known(inputs, "loggingConfig") and not (inputs.get("loggingConfig") or {}).get(
            "logGroup"
        ):
            failures.append(
                "loggingConfig.logGroup is missing: Lambda would create one without retention"
            )
        return failures

    def recomputed_outputs(self, changed: frozenset[str]) -> frozenset[str]:
        return _VERSION_OUTPUTS if changed & _VERSIONED_INPUTS else frozenset()

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return inputs["name"]

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        code: Archive = inputs["code"]
        directory = context.cloud.service(Packages).unpack(context.root / code.path, code.hash)
        layers = [self._layer(context, layer) for layer in inputs.get("layers", [])]
        present = context.cloud.store.get(self.kind, identity) or {}
        snapshot = {key: inputs.get(key) for key in sorted(_VERSIONED_INPUTS)}
        latest = {"configuration": snapshot, "taskRoot": str(directory), "layers": layers}
        versions: dict[str, Any] = {**present.get("versions", {}), LATEST: latest}
        version = present.get("version", LATEST)
        if inputs.get("publish"):
            if version == LATEST or versions[version]["configuration"] != snapshot:
                version = str(
                    max((int(number) for number in versions if number != LATEST), default=0) + 1
                )
            versions[version] = latest
            versions = {number: versions[number] for number in (LATEST, *_newest(versions))}
        return {
            "arn": function_arn(context.region, identity),
            "invokeArn": invoke_arn(context.region, identity),
            "qualifiedArn": function_arn(context.region, identity, version),
            "qualifiedInvokeArn": invoke_arn(context.region, identity, version),
            "responseStreamingInvokeArn": invoke_arn(context.region, identity),
            "lastModified": _now(),
            "signingJobArn": "",
            "signingProfileVersionArn": "",
            "sourceCodeSize": (context.root / code.path).stat().st_size,
            "version": version,
            "tagsAll": inputs.get("tags", {}),
            "versions": versions,
        }

    def _layer(self, context: Context, identity: str) -> str:
        record = context.cloud.store.get(LayerVersion.kind, identity)
        if record is None:
            raise UserError(f"there is no layer {identity}")
        return record["directory"]

    def read(
        self, context: Context, identity: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        record = context.cloud.store.get(self.kind, identity)
        if record is None:
            return None
        version = record["versions"][record["version"]]
        if not all(Path(path).is_dir() for path in (version["taskRoot"], *version["layers"])):
            return None
        return super().read(context, identity, inputs, outputs)

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(LambdaFunctions).changed(identity)
        super().applied(context, identity)


class Alias(Stored):
    """A name for a version; a running request ends in the version in which it started."""

    sdk = aws.lambda_.Alias
    kind = "aliases"
    supported = frozenset({"name", "functionName", "functionVersion", "description"})
    replaces = frozenset({"name", "functionName"})

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return f"{inputs['functionName']}:{inputs['name']}"

    def describe(
        self, context: Context, identity: str, inputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        name, alias = inputs["functionName"], inputs["name"]
        return {
            "arn": function_arn(context.region, name, alias),
            "invokeArn": invoke_arn(context.region, name, alias),
        }

    def applied(self, context: Context, identity: str) -> None:
        context.cloud.service(LambdaFunctions).alias_changed(identity.partition(":")[0])


class Permission(Stored):
    """A permission to invoke a function, which the gateway checks before each invocation."""

    sdk = aws.lambda_.Permission
    kind = "permissions"
    supported = frozenset({"action", "principal", "function", "qualifier", "sourceArn"})
    replaces = supported

    def check(self, inputs: Mapping[str, Any]) -> list[str]:
        if inputs.get("sourceArn"):
            return []
        return ["sourceArn is missing: any API of any account could invoke the function"]

    def identify(self, context: Context, inputs: Mapping[str, Any]) -> str:
        return digest(context.urn, json.dumps(inputs, sort_keys=True))


class Invocation(ResourceHandler):
    """An invocation at deployment, repeated when an input changes; deleting it does nothing."""

    sdk = aws.lambda_.Invocation
    supported = frozenset({"functionName", "input", "triggers", "qualifier", "lifecycleScope"})
    replaces = supported

    def create(self, context: Context, inputs: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        name, qualifier = inputs["functionName"], inputs.get("qualifier", LATEST)
        invocation = context.cloud.service(LambdaFunctions).invoke(
            name, qualifier, inputs["input"].encode()
        )
        raise_if_failed(name, qualifier, invocation)
        identity = digest(context.urn, json.dumps(inputs, sort_keys=True))
        return identity, {"result": invocation.payload.decode(errors="replace")}

    def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
        pass


def _newest(versions: Mapping[str, Any]) -> list[str]:
    return sorted((number for number in versions if number != LATEST), key=int)[-_MAX_VERSIONS:]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())


HANDLERS = (LayerVersion(), Function(), Alias(), Permission(), Invocation())
