"""Deploys the program to the local cloud: evaluates it, then checks that the API responds."""

import http.client
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pulumi

from common.errors import UserError
from config.stack_config import LOCAL_CLOUD_VARIABLE
from stack.local.cloud import Cloud
from stack.local.deploy import stack_config
from stack.local.deploy.evaluate import Evaluation
from stack.local.deploy.state import StackState
from stack.local.resources import sdk, values
from stack.local.resources.base import Context
from stack.local.system import events
from stack.local.system.files import write_private
from stack.local.system.paths import LocalPaths

HEALTH_CHECK_TIMEOUT_S = 40.0  # longer than the gateway's own timeout of 30 s
FRONTEND = "frontend"
PROGRAM_PACKAGES = ("bundle", "components", "config", "service")


class Deployment:
    """Deploys one stack, any number of times, one evaluation at a time.

    Methods block and are for threads other than the event loop's. Each raises `UserError` when the
    program is refused, a resource fails or the API does not respond; what exists already stays.

    confirm: as for `Evaluation`.
    outputs: of the last successful evaluation, secrets in the clear.
    """

    def __init__(
        self,
        paths: LocalPaths,
        stack: str,
        cloud: Cloud,
        cancelled: threading.Event,
        confirm: Callable[[Sequence[str]], None],
    ) -> None:
        self._paths = paths
        self._stack = stack
        self._cloud = cloud
        self._cancelled = cancelled
        self._confirm = confirm
        self._lock = threading.Lock()
        self.outputs: Mapping[str, Any] = {}

    def _run(self) -> None:
        with self._lock:
            self.outputs = values.reveal(self._evaluate())

    def _evaluate(self) -> Mapping[str, Any]:
        # Imports the providers' SDKs, while the database starts.
        from stack.local.registry import FUNCTIONS, HANDLERS

        settings = stack_config.load(
            self._paths.root,
            self._stack,
            config_overrides=self._cloud.config_overrides(self._stack),
        )
        os.environ[LOCAL_CLOUD_VARIABLE] = str(self._paths.socket)
        evaluation = Evaluation(
            program=sdk.Program(
                path=self._paths.root / "__main__.py",
                project=settings.project,
                stack=self._stack,
                config=settings.config,
                secret_keys=settings.secret_keys,
            ),
            state=StackState(self._paths.state(self._stack)),
            handlers=HANDLERS,
            functions=FUNCTIONS,
            context=lambda urn: Context(
                cloud=self._cloud,
                urn=urn,
                stack=self._stack,
                region=settings.region,
                root=self._paths.root,
                cancelled=self._cancelled,
                progress=events.message,
            ),
            report=events.resource,
            cancelled=self._cancelled,
            confirm=self._confirm,
        )
        try:
            outputs = evaluation.run()
        except pulumi.RunError as error:  # raised by a program to report an error
            raise UserError(str(error)) from error
        secret = [name for name, value in outputs.items() if values.holds(value, values.Secret)]
        write_private(self._paths.secret_outputs, json.dumps(sorted(secret)) + "\n")
        write_private(self._paths.outputs, json.dumps(_document(outputs), indent=2) + "\n")
        events.emit("outputs", outputs=_shown(outputs))
        return outputs

    def deploy(self) -> None:
        """Evaluate the program, then check that the API responds.

        The frontend's npm packages are installed at the same time.
        """
        packages = threading.Thread(
            target=self._cloud.sites.prepare,
            args=(self._paths.root / FRONTEND, self._cancelled),
            name="npm",
        )
        packages.start()
        self._run()
        packages.join()
        self.check_health()

    def redeploy(self) -> None:
        """Deploy a changed program: its modules are imported again."""
        sdk.forget_modules(self._paths.root, PROGRAM_PACKAGES)
        self.deploy()

    def check_health(self) -> None:
        """Start the function and request `GET /` of the API.

        Raises `UserError` when the response is not 200 or does not come.
        """
        self._cloud.functions.start(self.outputs["function_name"], "live")
        address = urlsplit(self.outputs["api_url"])
        connection = http.client.HTTPConnection(
            "127.0.0.1", address.port or 80, timeout=HEALTH_CHECK_TIMEOUT_S
        )
        try:
            connection.request("GET", "/", headers={"Host": address.netloc})
            status = connection.getresponse().status
        except OSError as error:
            raise UserError(f"{self.outputs['api_url']} does not respond: {error}") from None
        finally:
            connection.close()
        if status != 200:
            raise UserError(f"{self.outputs['api_url']}/ responds with {status}: see `stack logs`")


def _document(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: values.reveal(value) for name, value in sorted(outputs.items())}


def _shown(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: {"value": values.redact(value), "secret": values.holds(value, values.Secret)}
        for name, value in sorted(outputs.items())
    }
