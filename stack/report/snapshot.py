"""`python -m stack.report.snapshot ROOT STACK`: what the program in ROOT registers, as one JSON document on standard output.

The program is evaluated as a preview of a first update. What a provider would answer is named instead of left unknown: the ARN of
resource `a` is the text `${a.arn}`, so that what is made of it, policies above all, can be read and compared.
"""

import argparse
import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from common.errors import UserError
from stack.local.deploy import stack_config
from stack.local.registry import FUNCTIONS, HANDLERS
from stack.local.resources import base, sdk, values
from stack.report import redacted

PROGRAM_PACKAGES = ("bundle", "components", "config", "pulumi_neon")
PLACE_FOR_SITE = "site.example.com"
SEALED = "sealed"  # stands for a configuration value that only the CLI can open
PROVIDERS = "pulumi:providers:"


class Recorder:
    """Stands in the place of the engine: writes down, and answers with names of what would be answered."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self.resources: list[dict[str, Any]] = []
        self.outputs: Mapping[str, Any] = {}
        self.refusals: list[str] = []

    def register(self, registration: sdk.Registration) -> tuple[str, Mapping[str, Any]]:
        if not registration.custom:
            return "", {}
        handler = HANDLERS.get(registration.type)
        if handler is not None:
            self._check(handler, registration)
        with self._lock:
            self.resources.append(self._record(registration, handler))
        if registration.type.startswith(PROVIDERS):
            return registration.name, registration.inputs
        computed = (
            _named(registration.name, handler.computed & sdk.text_outputs(handler.sdk))
            if handler
            else {}
        )
        secret = {*registration.secret_outputs, *(handler.secrets if handler else ())}
        return f"${{{registration.name}}}", _marked({**registration.inputs, **computed}, secret)

    def _check(self, handler: base.ResourceHandler, registration: sdk.Registration) -> None:
        inputs = values.transform(registration.inputs, _unnamed)
        try:
            base.check(handler, registration.name, inputs, self._root)
        except UserError as refused:
            self.refusals.append(str(refused))

    def _record(
        self, registration: sdk.Registration, handler: base.ResourceHandler | None
    ) -> dict[str, Any]:
        inputs = {
            key: redacted.value(value, self._root)
            for key, value in registration.inputs.items()
            if value is not None
        }
        if handler is None and not registration.type.startswith(PROVIDERS):
            self.refusals.append(
                f"{registration.type} {registration.name!r} is not realised on one machine"
            )
        provider = registration.type.startswith(PROVIDERS)
        return {
            "name": registration.name,
            "type": registration.type,
            "inputs": inputs,
            "protect": registration.protect,
            "replaces": ["region"] if provider else sorted(handler.replaces) if handler else [],
            "data_loss": "all that it made in the region before"
            if provider
            else handler.data_loss
            if handler
            else "",
        }

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        handler = HANDLERS.get(type_)
        return identity, _named(name, sdk.text_outputs(handler.sdk)) if handler else {}

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        function = FUNCTIONS.get(token)
        if function is None:
            raise UserError(
                f"the report does not know the function {token}: it belongs in stack/local"
            )
        return _marked(
            {**arguments, **_named(token.rpartition(":")[2], function.results)}, function.secrets
        )

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs

    def log(self, message: str) -> None:
        sys.stderr.write(f"{message}\n")


def _named(name: str, outputs: Iterable[str]) -> dict[str, Any]:
    return {output: f"${{{name}.{output}}}" for output in outputs}


def _unnamed(leaf: Any) -> Any:
    """A name of ours is no ARN and no id: a check has to let it pass as unknown, unless it stands in a document."""
    if isinstance(leaf, values.Secret):
        return values.Secret(values.transform(leaf.value, _unnamed))
    return (
        values.UNKNOWN
        if isinstance(leaf, str) and "${" in leaf and not leaf.startswith("{")
        else leaf
    )


def _marked(outputs: Mapping[str, Any], secret: Iterable[str]) -> dict[str, Any]:
    return {
        key: values.Secret(value) if key in set(secret) else value for key, value in outputs.items()
    }


def take(root: Path, stack: str, *, bytecode: bool) -> dict[str, Any]:
    """Resources, names of outputs, what a local `up` would refuse, and `error`: why the program could not be evaluated to its end, or "".

    The program's own packages are those of `root`, and not the ones that this process runs.
    """
    _import_from(root)
    config_overrides = {} if bytecode else {"bytecode": "false"}
    settings = stack_config.load(
        root, stack, config_overrides=config_overrides, read_local_file=False, encrypted_as=SEALED
    )
    site = f"{settings.project}:siteDomain"
    program = sdk.Program(
        path=root / "__main__.py",
        project=settings.project,
        stack=stack,
        config={**settings.config, site: settings.config.get(site) or PLACE_FOR_SITE},
        secret_keys=settings.secret_keys,
    )
    recorder, error = Recorder(root), ""
    try:
        with contextlib.chdir(root):
            sdk.run_program(program, recorder, preview=True)
    except (UserError, pulumi.RunError) as refused:
        error = str(refused)
    except Exception as failed:  # noqa: BLE001 - what a program raises belongs in the report
        error = f"{type(failed).__name__}: {failed}"
    outputs = sorted(recorder.outputs)
    return {
        "stack": stack,
        "resources": recorder.resources,
        "outputs": outputs,
        "refusals": recorder.refusals,
        "error": error,
    }


def _import_from(root: Path) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] in PROGRAM_PACKAGES:
            del sys.modules[name]
    sys.path[:0] = [str(root), str(root / "sdks" / "neon")]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.report.snapshot")
    parser.add_argument("root", type=Path)
    parser.add_argument("stack")
    parser.add_argument("--no-bytecode", dest="bytecode", action="store_false")
    options = parser.parse_args(arguments)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the program prints is none of the answer
    json.dump(take(options.root.resolve(), options.stack, bytecode=options.bytecode), answers)
    answers.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
