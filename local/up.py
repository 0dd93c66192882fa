"""One `up` on this machine: the program evaluated against the local cloud, until the API answers."""

import http.client
import json
import os
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pulumi

from components.config import LOCAL_CLOUD_VARIABLE
from components.errors import UserError
from local import report, sdk, stack_config, values
from local.cloud import Cloud
from local.evaluate import Evaluation
from local.files import write_private
from local.home import Home
from local.realise import Context
from local.state import StackState

PROBE_S = 40.0  # the gateway's own limit is 30
FRONTEND = "frontend"
PROGRAM_PACKAGES = ("components",)


class Up:
    """Evaluates the program as often as it is asked to, one evaluation at a time; for threads other than the loop's."""

    def __init__(self, home: Home, stack: str, cloud: Cloud, cancelled: threading.Event) -> None:
        self._home = home
        self._stack = stack
        self._cloud = cloud
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self.outputs: Mapping[str, Any] = {}

    def run(self) -> None:
        """Raise `UserError` when the program is refused or a resource fails; what was made before stays."""
        with self._lock:
            self.outputs = values.reveal(self._evaluate())

    def _evaluate(self) -> Mapping[str, Any]:
        from local.bindings import FUNCTIONS, REALISERS  # the providers' SDKs are imported while the database starts

        settings = stack_config.load(self._home.root, self._stack, supplied=self._cloud.settles(self._stack))
        os.environ[LOCAL_CLOUD_VARIABLE] = str(self._home.socket)
        evaluation = Evaluation(
            program=sdk.Program(
                path=self._home.root / "__main__.py",
                project=settings.project,
                stack=self._stack,
                config=settings.config,
                secret_keys=settings.secret_keys,
            ),
            state=StackState(self._home.state(self._stack)),
            realisers=REALISERS,
            functions=FUNCTIONS,
            context=lambda urn: Context(
                cloud=self._cloud,
                urn=urn,
                stack=self._stack,
                region=settings.region,
                root=self._home.root,
                cancelled=self._cancelled,
                progress=report.message,
            ),
            report=report.resource,
            cancelled=self._cancelled,
        )
        try:
            outputs = evaluation.run()
        except pulumi.RunError as error:  # how a program says that it cannot go on
            raise UserError(str(error)) from error
        secret = [name for name, value in outputs.items() if values.holds(value, values.Secret)]
        write_private(self._home.secret_outputs, json.dumps(sorted(secret)) + "\n")
        write_private(self._home.outputs, json.dumps(_document(outputs), indent=2) + "\n")
        report.emit("outputs", outputs=_shown(outputs))
        return outputs

    def first(self) -> None:
        packages = threading.Thread(target=self._cloud.sites.prepare, args=(self._home.root / FRONTEND, self._cancelled), name="npm")
        packages.start()
        self.run()
        packages.join()
        self.prove()

    def again(self) -> None:
        """The same after a change of the program: its modules are imported anew."""
        sdk.forget_modules(self._home.root, PROGRAM_PACKAGES)
        self.first()

    def prove(self) -> None:
        """Start the function and ask the API for `GET /`. Raises `UserError` with the log's last lines when it does not answer."""
        self._cloud.lambda_.start(self.outputs["function_name"], "live")
        address = urlsplit(self.outputs["api_url"])
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 80, timeout=PROBE_S)
        try:
            connection.request("GET", "/", headers={"Host": address.netloc})
            status = connection.getresponse().status
        except OSError as error:
            raise UserError(f"{self.outputs['api_url']} does not answer: {error}") from None
        finally:
            connection.close()
        if status != 200:
            raise UserError(f"{self.outputs['api_url']}/ answers {status}: see `stack logs`")


def _document(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: values.reveal(value) for name, value in sorted(outputs.items())}


def _shown(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: {"value": values.redact(value), "secret": values.holds(value, values.Secret)} for name, value in sorted(outputs.items())}
