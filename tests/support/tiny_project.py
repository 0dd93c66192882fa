"""Evaluates programs of a few lines as `stack up` does, with resources in memory."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from common.errors import UserError
from stack.local.cloudwatch.resources import LogGroup
from stack.local.deploy.evaluate import Evaluation
from stack.local.deploy.state import StackState
from stack.local.lambda_.resources import LayerVersion
from stack.local.resources.base import Context, ResourceHandler
from stack.local.system.events import Progress, Step
from tests.support.program import write_program

GROUP, LAYER = "aws:cloudwatch/logGroup:LogGroup", "aws:lambda/layerVersion:LayerVersion"
HEAD = (
    "import asyncio, sys\nimport pulumi\nimport pulumi_aws as aws\n"
    "Group = aws.cloudwatch.LogGroup\n"
)
ONE = 'group = Group("a", name="a", retention_in_days=7)\n'
CHAIN = ONE + 'Group("b", name=group.arn)\npulumi.export("arn", group.arn)\n'


@dataclass
class InMemoryResources:
    """Resources in memory, and the operations on them in their order.

    existing: inputs by id. hooks: called during an operation, by "create NAME" and the like.
    omitted_outputs: left out by the handlers. recomputed: outputs that every update recomputes.
    delete_first: whether a replacement requires the old resource to be deleted first.
    messages: what was shown to the user. lost: the data of a resource, by name.
    """

    existing: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)
    hooks: dict[str, Callable[[Context], None]] = field(default_factory=dict)
    omitted_outputs: set[str] = field(default_factory=set)
    recomputed: set[str] = field(default_factory=set)
    delete_first: bool = False
    messages: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, operation: str, context: Context) -> None:
        name = context.urn.split("::")[-1]
        with self.lock:
            self.operations.append(f"{operation} {name}")
        self.hooks.get(f"{operation} {name}", lambda _context: None)(context)

    def take_operations(self) -> list[str]:
        """Return the operations since the last call."""
        operations, self.operations = self.operations, []
        return operations

    def fail_at(self, operation: str) -> None:
        def fail(_context: Context) -> None:
            raise UserError("disk full")

        self.hooks[operation] = fail


def in_memory_handler(resources: InMemoryResources, of: type[ResourceHandler]) -> ResourceHandler:
    """Return a handler with the inputs and outputs of `of`, which keeps its resources in memory."""

    class InMemoryHandler(ResourceHandler):
        sdk = of.sdk
        supported = of.supported
        replaces = of.replaces

        def recomputed_outputs(self, changed: frozenset[str]) -> frozenset[str]:
            return frozenset(resources.recomputed) & self.computed

        def create(
            self, context: Context, inputs: Mapping[str, Any]
        ) -> tuple[str, Mapping[str, Any]]:
            resources.run("create", context)
            with resources.lock:
                identity = f"{context.urn.split('::')[-1]}-{len(resources.existing) + 1}"
                resources.existing[identity] = inputs
            return identity, self.describe(identity)

        def describe(self, identity: str) -> Mapping[str, Any]:
            return {
                name: f"{name} of {identity}"
                for name in self.computed
                if name not in resources.omitted_outputs and name != "tagsAll"
            } | ({"tagsAll": {}} if "tagsAll" in self.computed else {})

        def must_delete_before_create(
            self, context: Context, identity: str, inputs: Mapping[str, Any]
        ) -> bool:
            return resources.delete_first

        def update(
            self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
        ) -> Mapping[str, Any]:
            resources.run("update", context)
            resources.existing[identity] = inputs
            return self.describe(identity)

        def read(
            self,
            context: Context,
            identity: str,
            inputs: Mapping[str, Any],
            outputs: Mapping[str, Any],
        ) -> Mapping[str, Any] | None:
            return outputs if identity in resources.existing else None

        def lost_data(self, context: Context, identity: str) -> str:
            return resources.lost.get(context.urn.split("::")[-1], "")

        def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
            resources.run("delete", context)
            resources.existing.pop(identity, None)

    return InMemoryHandler()


@dataclass
class TinyProject:
    """Evaluates small programs in a directory, with handlers that keep resources in memory."""

    root: Path
    resources: InMemoryResources = field(default_factory=InMemoryResources)
    reports: list[Progress] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def state_file(self) -> Path:
        return self.root / "state.json"

    @property
    def state(self) -> StackState:
        return StackState(self.state_file)

    def evaluation(self, source: str) -> Evaluation:
        def context(urn: str) -> Context:
            return Context(
                cloud=cast("Any", None),
                urn=urn,
                stack="test",
                region="us-east-1",
                root=self.root,
                cancelled=self.cancelled,
                progress=self.resources.messages.append,
            )

        return Evaluation(
            program=write_program(self.root, HEAD + source),
            state=self.state,
            handlers={
                GROUP: in_memory_handler(self.resources, LogGroup),
                LAYER: in_memory_handler(self.resources, LayerVersion),
            },
            context=context,
            report=self.reports.append,
            cancelled=self.cancelled,
        )

    def up(self, source: str) -> Mapping[str, Any]:
        return self.evaluation(source).run()

    def preview(self, source: str) -> dict[str, Step]:
        """Return the planned step of each resource by name."""
        return {
            urn.split("::")[-1]: step
            for urn, step in self.evaluation(source).preview().steps.items()
        }

    def names(self) -> list[str]:
        """Return the names of the resources in the state."""
        return [resource.urn.split("::")[-1] for resource in self.state.all()]
