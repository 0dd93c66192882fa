"""`python -m stack.report.snapshot ROOT STACK`: prints what the program in ROOT registers, as JSON.

The program is evaluated as a preview of the first update of a stack. In a real preview, outputs
that only the provider knows are unknown, and so is everything that is computed from them. Here each
one has a placeholder: the ARN of resource `a` is the text `${a.arn}`. So values that are computed
from outputs, policies above all, can be read and compared.
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
from stack.report import redaction

PROGRAM_PACKAGES = ("bundle", "components", "config", "pulumi_neon", "service")
PLACEHOLDER_DOMAIN = "site.example.com"  # for `siteDomain` where the configuration has none
SEALED = {"openaiApiKey": "sealed", "apiKeys": f"sealed:read:{'0' * 64}"}
"""Replace encrypted values of the configuration, which only the CLI can decrypt."""
PROVIDERS = "pulumi:providers:"


class Recorder:
    """Replaces the engine: records registrations, and returns placeholders as their outputs.

    The SDK calls it from several threads.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self.resources: list[dict[str, Any]] = []
        self.outputs: Mapping[str, Any] = {}
        self.refusals: list[str] = []

    def register(self, registration: sdk.Registration) -> tuple[str, Mapping[str, Any]]:
        """Record a resource; return its id and its outputs."""
        if not registration.custom:  # a component: its children are what an update changes
            return "", {}
        handler = HANDLERS.get(registration.type)
        if handler is not None:
            self._check(handler, registration)
        # A registration waits for its inputs, so the order differs from run to run; the comparison
        # goes by type and name.
        with self._lock:
            self.resources.append(self._record(registration, handler))
        if registration.type.startswith(PROVIDERS):
            return registration.name, registration.inputs
        # Only outputs of type `str` get a placeholder; a number or a list could not hold one.
        computed = (
            _placeholders(registration.name, handler.computed & sdk.text_outputs(handler.sdk))
            if handler
            else {}
        )
        secret = {*registration.secret_outputs, *(handler.secrets if handler else ())}
        outputs = _with_secrets({**registration.inputs, **computed}, secret)
        return f"${{{registration.name}}}", outputs

    def _check(self, handler: base.ResourceHandler, registration: sdk.Registration) -> None:
        inputs = values.transform(registration.inputs, _without_placeholders)
        try:
            base.check(handler, registration.name, inputs, self._root)
        except UserError as refused:
            self.refusals.append(str(refused))

    def _record(
        self, registration: sdk.Registration, handler: base.ResourceHandler | None
    ) -> dict[str, Any]:
        inputs = {
            key: redaction.redact(value, self._root)
            for key, value in registration.inputs.items()
            if value is not None
        }
        provider = registration.type.startswith(PROVIDERS)
        if handler is None and not provider:
            self.refusals.append(
                f"{registration.type} {registration.name!r} has no handler in the local cloud"
            )
        return {
            "name": registration.name,
            "type": registration.type,
            "inputs": inputs,
            "protect": registration.protect,
            **_replacement(handler, provider=provider),
        }

    def read(self, type_: str, name: str, identity: str) -> tuple[str, Mapping[str, Any]]:
        """Return the outputs of an existing resource that the program reads."""
        handler = HANDLERS.get(type_)
        return identity, _placeholders(name, sdk.text_outputs(handler.sdk)) if handler else {}

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the results of a provider's function. Raises `UserError` for an unknown one."""
        function = FUNCTIONS.get(token)
        if function is None:
            raise UserError(
                f"the report does not know the function {token}: it belongs in stack/local"
            )
        results = _placeholders(token.rpartition(":")[2], function.results)
        return _with_secrets({**arguments, **results}, function.secrets)

    def finish(self, urn: str, outputs: Mapping[str, Any]) -> None:
        """Record the outputs of the stack; those of components are ignored."""
        if urn.split("::")[2] == sdk.STACK_TYPE:
            self.outputs = outputs

    def log(self, message: str) -> None:
        """Print a message of the program."""
        sys.stderr.write(f"{message}\n")


def _replacement(handler: base.ResourceHandler | None, *, provider: bool) -> dict[str, Any]:
    """Return the inputs that force a replacement, and what is lost with the resource."""
    if provider:
        return {"replaces": ["region"], "data_loss": "everything that it created in the old region"}
    if handler is None:
        return {"replaces": [], "data_loss": ""}
    return {"replaces": sorted(handler.replaces), "data_loss": handler.data_loss}


def _placeholders(name: str, outputs: Iterable[str]) -> dict[str, Any]:
    return {output: f"${{{name}.{output}}}" for output in outputs}


def _without_placeholders(leaf: Any) -> Any:
    """Replace a text with a placeholder by an unknown value, which every check accepts.

    A placeholder is no ARN and no id, so a check of the format would refuse it. Documents stay,
    because the checks of policies read their statements.
    """
    if isinstance(leaf, values.Secret):
        return values.Secret(values.transform(leaf.value, _without_placeholders))
    return (
        values.UNKNOWN
        if isinstance(leaf, str) and "${" in leaf and not leaf.startswith("{")
        else leaf
    )


def _with_secrets(outputs: Mapping[str, Any], secret: Iterable[str]) -> dict[str, Any]:
    """Mark the outputs named by `secret`."""
    return {
        key: values.Secret(value) if key in set(secret) else value for key, value in outputs.items()
    }


def take_snapshot(root: Path, stack: str, *, bytecode: bool) -> dict[str, Any]:
    """Evaluate the program in `root`; its packages are imported from there.

    bytecode: whether the bundle has any. Returns `stack`, `resources`, the names of the `outputs`,
    `refusals` (why a local `up` would refuse the program) and `error` (why the evaluation failed,
    or "").
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
        config={**settings.config, site: settings.config.get(site) or PLACEHOLDER_DOMAIN},
        secret_keys=settings.secret_keys,
    )
    recorder, error = Recorder(root), ""
    try:
        # The program reads files, such as those of `frontend/`, relative to its own directory. Both
        # sides run as a preview, in which it may not depend on values that only an update gives.
        with contextlib.chdir(root):
            sdk.run_program(program, recorder, preview=True)
    except (UserError, pulumi.RunError) as refused:
        error = str(refused)
    except Exception as failed:  # noqa: BLE001 - the program's own error belongs in the report
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
    """Let the program import its own packages, those of `root`.

    This process has imported some of the same names from the checkout that runs the report. The
    modules are dropped from `sys.modules` only: this module and `stack.local` keep using theirs.
    `common` is not dropped, so that a `UserError` of the program is the class that is caught here.
    """
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
    # The program may print to descriptor 1; the document goes to a copy of the original one.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    snapshot = take_snapshot(options.root.resolve(), options.stack, bytecode=options.bytecode)
    json.dump(snapshot, output)
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
