"""Which execution environments a deployment starts and ends."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stack.local.lambda_.functions import LATEST, LambdaFunctions
from stack.local.lambda_.invoke import Invoker
from stack.local.resources.store import Store
from tests.support.lambdas import FunctionRunner

HEALTH = b'{"source": "health"}'
SOURCE = """
def handler(event, context):
    if event.get("fails"):
        raise ValueError("unhealthy")
    return context.function_version
"""


class Deployed:
    """The functions `api`, with an alias, and `migrate`, whose records a test changes."""

    def __init__(self, runner: FunctionRunner, invoker: Invoker) -> None:
        loop = asyncio.get_running_loop()
        self.runner = runner
        self.store = Store(runner.home / "cloud.json")
        self.functions = LambdaFunctions(
            self.store,
            invoker,
            lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(),
        )
        self.versions = dict[str, Any]()
        self.before = Counter[str]()

    def publish(self, name: str, number: str) -> None:
        versions: dict[str, Any] = self.versions.setdefault(name, {})
        root = self.code(f"{name}-{number}")
        versions[number] = {
            "taskRoot": str(root),
            "layers": [],
            "configuration": {
                "handler": "app.handler",
                "environment": None,
                "memorySize": 128,
                "timeout": 10,
                "loggingConfig": {"logGroup": f"/{name}"},
            },
        }
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        self.store.put("functions", name, {"owner": "urn", "arn": arn, "versions": versions})
        self.functions.changed(name)

    def code(self, name: str, source: str = SOURCE) -> Path:
        root = self.runner.home / name
        root.mkdir(exist_ok=True)
        (root / "app.py").write_text(source)
        return root

    def point(self, number: str) -> None:
        record = {"owner": "urn", "functionName": "api", "name": "live", "functionVersion": number}
        self.store.put("aliases", "api:live", record)
        self.functions.alias_changed("api")

    def served(self) -> str:
        return self.functions.invoke("api", "live", b"{}").payload.decode()

    def deploy(self, number: str) -> None:
        """Do what an update does, in its order, and what `stack up` does after it."""
        self.publish("migrate", LATEST)
        self.functions.invoke("migrate", LATEST, b"{}")
        self.publish("api", number)
        self.functions.invoke("api", number, HEALTH)
        self.point(number)
        self.functions.start("api", "live")

    def started(self) -> Counter[str]:
        """Return how many environments were started since the last call, by log group."""
        found = Counter(
            record.group
            for record in self.runner.logs.records()
            if record.message.startswith("INIT_START")
        )
        before, self.before = self.before, found
        return found - before


def run(runner: FunctionRunner, scenario: Callable[[Deployed, Invoker], None]) -> None:
    async def main(invoker: Invoker) -> None:
        await asyncio.to_thread(scenario, Deployed(runner, invoker), invoker)

    runner.run(main)


def test_a_deployment_starts_one_environment_of_each_function_and_none_of_the_old_version(
    runner: FunctionRunner,
) -> None:
    def scenario(deployed: Deployed, invoker: Invoker) -> None:
        deployed.deploy("1")
        assert deployed.started() == {"/migrate": 1, "/api": 1}
        swapped = deployed.code("swapped")
        deployed.functions.swap("api", swapped, {}, HEALTH)
        assert deployed.started() == {"/api": 1}
        deployed.deploy("2")
        assert deployed.started() == {"/migrate": 1, "/api": 1}
        assert deployed.served() == '"2"'
        assert deployed.started() == {}, "the alias names the environment that was verified"
        assert len(invoker.pids("api")) == 1
        assert invoker.pids("migrate") == []

    run(runner, scenario)


def test_saved_code_is_served_until_the_alias_names_another_version(
    runner: FunctionRunner,
) -> None:
    def scenario(deployed: Deployed, invoker: Invoker) -> None:
        deployed.deploy("1")
        saved = deployed.code("saved", SOURCE.replace("context.function_version", '"saved"'))
        deployed.functions.swap("api", saved, {}, HEALTH)
        deployed.publish("api", "2")
        assert deployed.functions.invoke("api", "2", b'{"fails": true}').error
        assert deployed.served() == '"saved"', "a version that fails changes nothing"
        deployed.point("2")
        assert deployed.served() == '"2"'

    run(runner, scenario)


def test_a_deployment_that_changes_no_version_serves_the_published_code_again(
    runner: FunctionRunner,
) -> None:
    def scenario(deployed: Deployed, invoker: Invoker) -> None:
        deployed.deploy("1")
        saved = deployed.code("saved", SOURCE.replace("context.function_version", '"saved"'))
        deployed.functions.swap("api", saved, {}, HEALTH)
        deployed.functions.start("api", "live")
        assert deployed.served() == '"1"'
        assert len(invoker.pids("api")) == 1

    run(runner, scenario)


def test_code_that_environments_run_from_is_not_removed(runner: FunctionRunner) -> None:
    def scenario(deployed: Deployed, invoker: Invoker) -> None:
        deployed.deploy("1")
        deployed.store.remove("functions", "api")
        assert runner.home / "api-1" in deployed.functions.directories()
        deployed.functions.changed("api")
        assert runner.home / "api-1" in deployed.functions.directories()
        deployed.store.remove("aliases", "api:live")
        deployed.functions.changed("api")
        assert runner.home / "api-1" not in deployed.functions.directories()

    run(runner, scenario)
