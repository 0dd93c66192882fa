"""Programs of a few lines, evaluated as `stack up` does: planned, made, changed, deleted, refused, failing and going on."""

import gc
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pulumi_aws as aws
import pytest

from common.errors import UserError
from stack.local.cloudwatch.resources import LogGroup
from stack.local.deploy.evaluate import Evaluation
from stack.local.deploy.passes import ResourceError
from stack.local.deploy.state import ResourceState, StackState
from stack.local.lambda_.resources import LayerVersion
from stack.local.registry import HANDLERS
from stack.local.resources import base, sdk
from stack.local.resources.base import Context, ResourceHandler
from stack.local.resources.values import UNKNOWN, Secret
from stack.local.system.events import Progress, Status, Step
from tests.support.program import write_program

GROUP, LAYER = "aws:cloudwatch/logGroup:LogGroup", "aws:lambda/layerVersion:LayerVersion"
HEAD = "import asyncio, sys\nimport pulumi\nimport pulumi_aws as aws\nGroup = aws.cloudwatch.LogGroup\n"


@dataclass
class World:
    """What there is, and what was done to it in which order."""

    things: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    hooks: dict[str, Callable[[Context], None]] = field(default_factory=dict)
    leaves_out: set[str] = field(default_factory=set)
    moves: set[str] = field(default_factory=set)
    collide: bool = False
    said: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, what: str, context: Context) -> None:
        name = context.urn.split("::")[-1]
        with self.lock:
            self.done.append(f"{what} {name}")
        self.hooks.get(f"{what} {name}", lambda _context: None)(context)

    def took(self) -> list[str]:
        """What was done since the last time this was asked."""
        done, self.done = self.done, []
        return done

    def broken(self, at: str) -> None:
        def fail(_context: Context) -> None:
            raise UserError("out of paper")

        self.hooks[at] = fail


def handler(world: World, of: type[ResourceHandler]) -> ResourceHandler:
    """A handler with the SDK's signature of `of`, whose resources are entries of `world`."""

    class Thing(ResourceHandler):
        sdk = of.sdk
        supported = of.supported
        replaces = of.replaces

        def recomputed_outputs(self, changed: frozenset[str]) -> frozenset[str]:
            return frozenset(world.moves) & self.computed

        def create(
            self, context: Context, inputs: Mapping[str, Any]
        ) -> tuple[str, Mapping[str, Any]]:
            world.do("create", context)
            with world.lock:
                identity = f"{context.urn.split('::')[-1]}-{len(world.things) + 1}"
                world.things[identity] = inputs
            return identity, self.describe(identity)

        def describe(self, identity: str) -> Mapping[str, Any]:
            return {
                name: f"{name} of {identity}"
                for name in self.computed
                if name not in world.leaves_out and name != "tagsAll"
            } | ({"tagsAll": {}} if "tagsAll" in self.computed else {})

        def must_delete_before_create(
            self, context: Context, identity: str, inputs: Mapping[str, Any]
        ) -> bool:
            return world.collide

        def update(
            self, context: Context, identity: str, old: Mapping[str, Any], inputs: Mapping[str, Any]
        ) -> Mapping[str, Any]:
            world.do("update", context)
            world.things[identity] = inputs
            return self.describe(identity)

        def read(
            self,
            context: Context,
            identity: str,
            inputs: Mapping[str, Any],
            outputs: Mapping[str, Any],
        ) -> Mapping[str, Any] | None:
            return outputs if identity in world.things else None

        def delete(self, context: Context, identity: str, inputs: Mapping[str, Any]) -> None:
            world.do("delete", context)
            world.things.pop(identity, None)

    return Thing()


@dataclass
class Tiny:
    """A program, its state below a directory, and the world that it changes."""

    root: Path
    world: World = field(default_factory=World)
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
                progress=self.world.said.append,
            )

        return Evaluation(
            program=write_program(self.root, HEAD + source),
            state=self.state,
            handlers={
                GROUP: handler(self.world, LogGroup),
                LAYER: handler(self.world, LayerVersion),
            },
            context=context,
            report=self.reports.append,
            cancelled=self.cancelled,
        )

    def up(self, source: str) -> Mapping[str, Any]:
        return self.evaluation(source).run()

    def plan(self, source: str) -> dict[str, Step]:
        """Steps by name."""
        return {
            urn.split("::")[-1]: step
            for urn, step in self.evaluation(source).preview().steps.items()
        }

    def kept(self) -> list[str]:
        return [resource.urn.split("::")[-1] for resource in self.state.all()]


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing may be left on the standard streams or in a log, not even by what is collected later."""
    yield
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert [*caplog.get_records("call"), *caplog.records] == [], (
        "an unhandled record ends on the standard error stream"
    )


ONE = 'group = Group("a", name="a", retention_in_days=7)\n'
CHAIN = ONE + 'Group("b", name=group.arn)\npulumi.export("arn", group.arn)\n'


# making, keeping, changing


def test_what_the_program_registers_is_made_in_order_and_its_outputs_come_back(tiny: Tiny):
    assert tiny.up(CHAIN) == {"arn": "arn of a-1"}
    assert tiny.world.took() == ["create a", "create b"]
    assert tiny.world.things["b-2"] == {"name": "arn of a-1"}
    assert tiny.kept() == ["a", "b"]


def test_a_second_run_does_nothing_and_writes_nothing(tiny: Tiny):
    first = tiny.up(CHAIN)
    tiny.world.took()
    before = tiny.state_file.stat()
    assert tiny.up(CHAIN) == first
    assert tiny.world.took() == []
    assert (tiny.state_file.stat().st_ino, tiny.state_file.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )


def test_a_changed_input_is_updated_in_place_and_its_dependants_are_left_alone(tiny: Tiny):
    tiny.up(CHAIN)
    tiny.world.took()
    changed = CHAIN.replace("7", "14")
    assert tiny.plan(changed) == {"a": Step.UPDATE, "b": Step.SAME}, (
        "the arn of an updated group is known: it does not change"
    )
    tiny.up(changed)
    assert tiny.world.took() == ["update a"]
    assert tiny.world.things["a-1"]["retentionInDays"] == 14


def test_an_output_that_an_update_changes_is_unknown_in_the_plan_and_so_its_dependants_may_change(
    tiny: Tiny,
):
    tiny.up(CHAIN)
    tiny.world.moves = {"arn"}
    assert tiny.plan(CHAIN.replace("7", "14")) == {"a": Step.UPDATE, "b": Step.REPLACE}


def test_an_input_that_is_no_longer_given_is_a_change_too(tiny: Tiny):
    tiny.up('Group("a", name="a", retention_in_days=7)\n')
    tiny.world.took()
    tiny.up('Group("a", name="a")\n')
    assert tiny.world.took() == ["update a"]
    assert tiny.world.things["a-1"] == {"name": "a"}


def test_what_is_replaced_is_made_first_and_deleted_last(tiny: Tiny):
    tiny.up(CHAIN)
    tiny.world.took()
    tiny.up(CHAIN.replace('name="a"', 'name="other"'))
    assert tiny.world.took() == ["create a", "create b", "delete a", "delete b"]
    assert {name: inputs["name"] for name, inputs in tiny.world.things.items()} == {
        "a-3": "other",
        "b-4": "arn of a-3",
    }
    assert tiny.state.discarded() == []


def test_what_must_be_deleted_before_it_is_replaced_is(tiny: Tiny):
    source = 'Group("a", name="a", opts=pulumi.ResourceOptions(delete_before_replace=True))\n'
    tiny.up(source)
    tiny.world.took()
    tiny.up(source.replace('name="a"', 'name="other"'))
    assert tiny.world.took() == ["delete a", "create a"]
    assert tiny.kept() == ["a"]


def test_what_its_successor_could_not_stand_beside_is_deleted_before_it_is_replaced(tiny: Tiny):
    tiny.up('Group("a", name="a")\n')
    tiny.world.took()
    tiny.world.collide = True
    tiny.up('Group("a", name="other")\n')
    assert tiny.world.took() == ["delete a", "create a"]
    assert tiny.kept() == ["a"]
    assert tiny.state.discarded() == []


def test_a_resource_has_the_name_that_the_engine_would_give_it(tiny: Tiny):
    tiny.up(
        HEAD
        + """
outer = pulumi.ComponentResource("t:index:Outer", "outer")
inner = pulumi.ComponentResource("t:index:Inner", "inner", opts=pulumi.ResourceOptions(parent=outer))
Group("deep", name="deep", opts=pulumi.ResourceOptions(parent=inner))
Group("flat", name="flat")
"""
    )
    assert {resource.urn for resource in tiny.state.all()} == {
        f"urn:pulumi:test::tiny::t:index:Outer$t:index:Inner${GROUP}::deep",
        f"urn:pulumi:test::tiny::{GROUP}::flat",
    }


def test_what_the_program_no_longer_has_is_deleted_the_youngest_first(tiny: Tiny):
    tiny.up(CHAIN + 'Group("c", name="c")\n')
    tiny.world.took()
    tiny.up('Group("c", name="c")\n')
    assert tiny.world.took() == ["delete b", "delete a"]
    assert tiny.kept() == ["c"]


def test_an_archive_is_known_by_its_bytes(tiny: Tiny):
    source = 'aws.lambda_.LayerVersion("layer", layer_name="l", code=pulumi.FileArchive("a.zip"))\n'
    (tiny.root / "a.zip").write_bytes(b"one")
    tiny.up(source)
    (tiny.root / "b.zip").write_bytes(b"one")
    assert tiny.plan(source.replace("a.zip", "b.zip")) == {"layer": Step.SAME}
    (tiny.root / "a.zip").write_bytes(b"two")
    assert tiny.plan(source) == {"layer": Step.REPLACE}


def test_what_has_gone_behind_the_programs_back_is_made_again(tiny: Tiny):
    tiny.up(CHAIN)
    tiny.world.took()
    del tiny.world.things["a-1"]
    assert tiny.plan(CHAIN)["a"] is Step.CREATE
    tiny.world.things["filler"] = {}
    tiny.up(CHAIN)
    assert tiny.world.took() == ["create a", "create b", "delete b"]


# the plan


def test_a_plan_touches_nothing(tiny: Tiny):
    assert tiny.plan(CHAIN) == {"a": Step.CREATE, "b": Step.CREATE}
    assert tiny.world.took() == []
    assert not tiny.state_file.exists()
    assert [progress.status for progress in tiny.reports] == [Status.PLANNED] * 2


def test_nothing_is_made_when_any_resource_is_refused(tiny: Tiny):
    with pytest.raises(UserError):
        tiny.up(CHAIN + 'aws.sqs.Queue("queue")\n')
    assert tiny.world.took() == []
    assert not tiny.state_file.exists()


def test_computed_outputs_and_ids_are_unknown_in_the_plan_and_inputs_are_not(tiny: Tiny):
    exports = 'for name in ("name", "arn", "id"):\n    pulumi.export(name, getattr(group, name))\n'
    exports += 'pulumi.export("preview", pulumi.runtime.is_dry_run())\n'
    assert tiny.evaluation(ONE + exports).preview().outputs == {
        "name": "a",
        "arn": UNKNOWN,
        "id": UNKNOWN,
        "preview": True,
    }
    assert tiny.up(ONE + exports) == {
        "name": "a",
        "arn": "arn of a-1",
        "id": "a-1",
        "preview": False,
    }
    assert tiny.evaluation(ONE + exports).preview().outputs == {
        "name": "a",
        "arn": "arn of a-1",
        "id": "a-1",
        "preview": True,
    }


# refusals


def test_a_name_that_is_used_twice_for_one_type_is_refused(tiny: Tiny):
    with pytest.raises(
        UserError, match="the name 'a' is used twice for aws:cloudwatch/logGroup:LogGroup"
    ):
        tiny.up(ONE + ONE)
    assert tiny.world.took() == []


def test_one_name_for_two_types_is_as_good_as_under_the_engine(tiny: Tiny):
    (tiny.root / "a.zip").write_bytes(b"zip")
    tiny.up(
        ONE + 'aws.lambda_.LayerVersion("a", layer_name="l", code=pulumi.FileArchive("a.zip"))\n'
    )
    assert len(tiny.kept()) == 2


def test_an_unknown_type_is_refused_by_type_and_name(tiny: Tiny):
    with pytest.raises(
        UserError, match="does not know the type aws:sqs/queue:Queue of resource 'jobs'"
    ):
        tiny.plan('aws.sqs.Queue("jobs")\n')


def test_an_input_of_the_wrong_type_is_refused_from_a_program_too(tiny: Tiny):
    with pytest.raises(UserError, match="LogGroup 'a': retentionInDays is 'seven', expected int"):
        tiny.plan('Group("a", name="a", retention_in_days="seven")\n')


def test_a_zip_that_is_not_there_is_refused_by_its_path(tiny: Tiny):
    with pytest.raises(UserError, match=r"LayerVersion 'layer': code: there is no file none\.zip"):
        tiny.plan(
            'aws.lambda_.LayerVersion("layer", layer_name="l", code=pulumi.FileArchive("none.zip"))\n'
        )


def test_a_function_of_a_provider_and_a_resource_that_is_read_are_refused(tiny: Tiny):
    with pytest.raises(UserError, match="does not know the function aws:index/getRegion:getRegion"):
        tiny.plan('pulumi.export("region", aws.get_region_output().name)\n')
    with pytest.raises(
        UserError, match=r"reading aws:cloudwatch/logGroup:LogGroup .id. is not realised"
    ):
        tiny.plan('Group.get("a", "id")\n')


def test_a_realiser_that_leaves_out_a_declared_output_is_an_error_that_names_it(tiny: Tiny):
    tiny.world.leaves_out = {"arn"}
    with pytest.raises(ResourceError, match="LogGroup 'a': the handler leaves out arn"):
        tiny.up(ONE)


CHECKED = [
    # type, inputs, what is said, None for nothing
    (GROUP, {"name": "a", "retentionInDays": 7, "tags": {"k": "v"}}, None),
    (GROUP, {"name": Secret("a"), "retentionInDays": UNKNOWN}, None),
    (GROUP, {"nme": "a"}, "no input 'nme'; known are"),
    (GROUP, {"retention_in_days": 7}, "no input 'retention_in_days'"),
    (GROUP, {"name": 7}, "name is 7, expected str"),
    (GROUP, {"name": Secret(7)}, "name is 7, expected str"),
    (GROUP, {"retentionInDays": 7.5}, "retentionInDays is 7.5, expected int"),
    (GROUP, {"retentionInDays": True}, "retentionInDays is True, expected int"),
    (GROUP, {"tags": ["k"]}, "tags is not a map"),
    (GROUP, {"tags": {"k": 1}}, "tags.k is 1, expected str"),
    (GROUP, {"skipDestroy": True}, "'skipDestroy' is not realised on one machine"),
    (LAYER, {"layerName": "l", "code": "a.zip"}, "code is not an archive"),
    (
        LAYER,
        {"layerName": "l", "compatibleRuntimes": "python3.13"},
        "compatibleRuntimes is not a list",
    ),
    (
        LAYER,
        {"layerName": "l", "compatibleRuntimes": ["python3.13", 3]},
        "compatibleRuntimes[1] is",
    ),
    (
        "aws:lambda/function:Function",
        {"environment": {"variables": {"A": 1}}},
        "environment.variables.A is 1, expected str",
    ),
    (
        "aws:lambda/function:Function",
        {"environment": {"vars": {}}},
        "environment.vars is unknown; known are variables",
    ),
    ("aws:lambda/function:Function", {"environment": "A=1"}, "environment is not an object"),
    ("aws:lambda/function:Function", {"publish": "yes"}, "publish is 'yes', expected bool"),
    (
        "neon:index/project:Project",
        {"pgVersion": 17.5, "branch": {"role_name": "r"}},
        "branch.role_name is unknown",
    ),
]


@pytest.mark.parametrize(("type_", "inputs", "said"), CHECKED)
def test_what_the_sdks_signature_does_not_have_is_refused_at_the_door(
    tmp_path: Path, type_: str, inputs: dict[str, Any], said: str | None
):
    world = World()
    checked = handler(world, type(HANDLERS[type_]))
    if said is None:
        base.check(checked, "it", inputs, tmp_path)
    else:
        with pytest.raises(UserError, match=re.escape(said)) as refused:
            base.check(checked, "it", inputs, tmp_path)
        assert f"{type_} 'it'" in str(refused.value)


# errors of the program and of resources


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ('raise ValueError("mine")\n', ValueError),
        ("1/0\n", ZeroDivisionError),
        ("import nowhere\n", ModuleNotFoundError),
        ('raise pulumi.RunError("mine")\n', sdk.pulumi.RunError),
        ("group.arn.apply(lambda arn: 1/0)\n", ZeroDivisionError),
        ('pulumi.export("x", group.name.apply(lambda name: 1/0))\n', ZeroDivisionError),
        (
            "group.name.apply(lambda name: 1/0)\ngroup.id.apply(print)\npulumi.Output.all(group.id, group.name).apply(print)\n",
            ZeroDivisionError,
        ),
        (
            'Group("b", name=group.name.apply(lambda name: 1/0))\nGroup("c", name="c")\n',
            ZeroDivisionError,
        ),
    ],
    ids=["raise", "division", "import", "run error", "apply", "export", "several", "input"],
)
def test_an_error_of_the_program_comes_out_as_itself_and_leaves_no_tracebacks_about(
    tiny: Tiny, source: str, error: type[Exception]
):
    with pytest.raises(error):
        tiny.up(ONE + source)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("code", ["3", "0", "", '"no more"'])
def test_a_program_that_exits_has_failed_and_takes_nobody_along(tiny: Tiny, code: str):
    with pytest.raises(UserError, match=r"__main__\.py ended itself by sys\.exit\("):
        tiny.up(ONE + f"sys.exit({code})\n")


@pytest.mark.usefixtures("quiet")
def test_a_resource_that_fails_is_named_with_the_reason_and_its_dependants_are_not_made(tiny: Tiny):
    tiny.world.broken("create a")
    with pytest.raises(
        ResourceError, match="aws:cloudwatch/logGroup:LogGroup 'a': out of paper"
    ) as failed:
        tiny.up(CHAIN)
    assert isinstance(failed.value, UserError)
    assert tiny.world.took() == ["create a"]
    assert [progress.name for progress in tiny.reports if progress.status is Status.FAILED] == ["a"]


@pytest.mark.usefixtures("quiet")
def test_an_error_that_is_not_meant_for_the_user_is_told_with_its_class(tiny: Tiny):
    def fail(_context: Context) -> None:
        raise KeyError("role")

    tiny.world.hooks["create a"] = fail
    with pytest.raises(ResourceError, match=r"LogGroup 'a': KeyError: 'role'"):
        tiny.up(ONE)


def test_a_failure_keeps_what_was_made_and_the_next_run_goes_on_from_there(tiny: Tiny):
    tiny.world.broken("create b")
    with pytest.raises(ResourceError):
        tiny.up(CHAIN)
    assert tiny.kept() == ["a"]
    tiny.world.hooks.clear()
    tiny.world.took()
    assert tiny.up(CHAIN) == {"arn": "arn of a-1"}
    assert tiny.world.took() == ["create b"]


def test_what_is_being_made_while_another_fails_is_finished_and_kept(tiny: Tiny):
    begun = threading.Event()

    def slow(_context: Context) -> None:
        begun.set()
        time.sleep(0.2)

    def fail(_context: Context) -> None:
        begun.wait(10)
        raise UserError("out of paper")

    tiny.world.hooks |= {"create slow": slow, "create bad": fail}
    with pytest.raises(ResourceError, match="'bad'"):
        tiny.up('Group("slow", name="s")\nGroup("bad", name="b")\n')
    assert tiny.kept() == ["slow"]


def test_an_update_that_fails_is_tried_again(tiny: Tiny):
    tiny.up(ONE)
    tiny.world.broken("update a")
    changed = ONE.replace("7", "14")
    with pytest.raises(ResourceError):
        tiny.up(changed)
    tiny.world.hooks.clear()
    tiny.world.took()
    tiny.up(changed)
    assert tiny.world.took() == ["update a"]


def test_a_replacement_that_fails_again_and_again_leaves_one_old_resource_to_delete(tiny: Tiny):
    tiny.up(ONE)
    changed = ONE.replace('name="a"', 'name="other"')
    tiny.world.broken("create a")
    for _ in range(3):
        with pytest.raises(ResourceError):
            tiny.up(changed)
    assert "a-1" in tiny.world.things, "the old one serves on"
    tiny.world.hooks.clear()
    tiny.world.took()
    tiny.up(changed)
    assert tiny.world.took() == ["create a", "delete a"]
    assert list(tiny.world.things) == ["a-2"]


def test_a_replacement_that_failed_and_is_taken_back_deletes_nothing(tiny: Tiny):
    tiny.up(ONE)
    tiny.world.broken("create a")
    with pytest.raises(ResourceError):
        tiny.up(ONE.replace('name="a"', 'name="other"'))
    tiny.world.hooks.clear()
    tiny.world.took()
    tiny.up(ONE)
    assert tiny.world.took() == []
    assert list(tiny.world.things) == ["a-1"]
    assert tiny.state.discarded() == []


def test_what_could_not_be_deleted_after_its_replacement_is_deleted_by_the_next_run(tiny: Tiny):
    tiny.up(ONE)
    changed = ONE.replace('name="a"', 'name="other"')
    tiny.world.broken("delete a")
    with pytest.raises(ResourceError, match="LogGroup 'a': out of paper"):
        tiny.up(changed)
    assert len(tiny.world.things) == 2
    tiny.world.hooks.clear()
    tiny.world.took()
    tiny.up(changed)
    assert tiny.world.took() == ["delete a"]
    assert list(tiny.world.things) == ["a-2"]


def test_a_deletion_that_fails_names_the_resource_and_is_tried_again(tiny: Tiny):
    tiny.up(CHAIN)
    tiny.world.broken("delete b")
    with pytest.raises(ResourceError, match="LogGroup 'b': out of paper"):
        tiny.up(ONE)
    assert tiny.kept() == ["a", "b"]
    assert [progress.status for progress in tiny.reports][-1] is Status.FAILED
    tiny.world.hooks.clear()
    tiny.up(ONE)
    assert tiny.kept() == ["a"]


def test_a_resource_of_a_type_that_nobody_knows_any_more_is_named(tiny: Tiny):
    urn = "urn:pulumi:test::tiny::aws:sqs/queue:Queue::jobs"
    tiny.state.put(
        ResourceState(urn=urn, type="aws:sqs/queue:Queue", id="q", inputs={}, outputs={})
    )
    with pytest.raises(
        UserError, match="does not know the type aws:sqs/queue:Queue of resource 'jobs'"
    ):
        tiny.up(ONE)


# protection


PROTECTED = 'Group("a", name="a", retention_in_days=7, opts=pulumi.ResourceOptions(protect=True))\n'


def test_a_protected_resource_is_neither_replaced_nor_deleted_and_nothing_is_touched(tiny: Tiny):
    tiny.up(PROTECTED)
    tiny.world.took()
    with pytest.raises(UserError, match="'a' is protected and a change of name would replace it"):
        tiny.up('Group("new", name="n")\n' + PROTECTED.replace('name="a"', 'name="other"'))
    with pytest.raises(UserError, match="'a' is protected and the program no longer has it"):
        tiny.up('Group("new", name="n")\n')
    assert tiny.world.took() == []
    assert tiny.kept() == ["a"]


def test_a_protected_resource_is_updated_in_place(tiny: Tiny):
    tiny.up(PROTECTED)
    tiny.up(PROTECTED.replace("7", "14"))
    assert tiny.world.took() == ["create a", "update a"]


def test_protection_is_taken_off_before_the_resource_goes(tiny: Tiny):
    tiny.up(PROTECTED)
    tiny.up(PROTECTED.replace("True", "False"))
    assert not tiny.state.all()[0].protect
    tiny.up("")
    assert tiny.world.took() == ["create a", "delete a"]


# stopping


@pytest.mark.usefixtures("quiet")
def test_a_run_that_is_cancelled_beforehand_does_nothing(tiny: Tiny):
    tiny.cancelled.set()
    with pytest.raises(UserError, match="stopped"):
        tiny.up(CHAIN)
    assert tiny.world.took() == []


@pytest.mark.usefixtures("quiet")
def test_a_run_that_is_cancelled_in_the_middle_finishes_what_is_under_way_and_begins_nothing_more(
    tiny: Tiny,
):
    def cancel(context: Context) -> None:
        tiny.cancelled.set()
        assert context.cancelled.is_set(), "long work can see it"

    tiny.world.hooks["create a"] = cancel
    with pytest.raises(UserError, match="stopped"):
        tiny.up(CHAIN)
    assert tiny.world.took() == ["create a"]
    assert tiny.kept() == ["a"]


def test_a_run_that_is_cancelled_at_its_end_deletes_nothing_more(tiny: Tiny):
    tiny.up(CHAIN)
    tiny.world.took()
    tiny.world.hooks["delete b"] = lambda _context: tiny.cancelled.set()
    with pytest.raises(UserError, match="stopped"):
        tiny.up("")
    assert tiny.world.took() == ["delete b"]
    assert tiny.kept() == ["a"]


# secrets


def test_what_came_in_as_a_secret_goes_out_as_one_now_and_when_nothing_changed(tiny: Tiny):
    source = 'group = Group("a", name=pulumi.Output.secret("hidden"), retention_in_days=7)\npulumi.export("name", group.name)\n'
    source += 'pulumi.export("days", group.retention_in_days)\n'
    for _ in range(2):
        outputs = tiny.up(source)
        assert outputs["name"] == Secret("hidden")
        assert outputs["days"] == 7
    assert "hidden" not in repr(outputs)


def test_the_state_is_private_because_it_holds_secrets_in_the_clear(tiny: Tiny):
    tiny.up('Group("a", name=pulumi.Output.secret("hidden"))\n')
    assert stat.S_IMODE(tiny.state_file.stat().st_mode) == 0o600
    assert "hidden" in tiny.state_file.read_text()
    assert tiny.state.all()[0].secrets == ["name"]


# what is told


def test_progress_is_told_from_plan_to_done_with_times(tiny: Tiny):
    tiny.up(ONE)
    tiny.up("")
    told = [(progress.name, progress.step, progress.status) for progress in tiny.reports]
    assert told == [
        ("a", Step.CREATE, Status.PLANNED),
        ("a", Step.CREATE, Status.RUNNING),
        ("a", Step.CREATE, Status.DONE),
        ("a", Step.DELETE, Status.RUNNING),
        ("a", Step.DELETE, Status.DONE),
    ]
    assert all(progress.seconds >= 0 and progress.type == GROUP for progress in tiny.reports)


def test_what_the_program_logs_is_told_and_debugging_is_not(tiny: Tiny):
    tiny.plan(
        'pulumi.log.info("to be told")\npulumi.log.debug("not to be told")\npulumi.log.warn("a warning")\n'
    )
    assert tiny.world.said == ["to be told", "a warning"]


def test_a_program_runs_in_its_own_directory_as_main(tiny: Tiny):
    before = Path.cwd()
    source = (
        'import os, pathlib\npulumi.export("at", os.getcwd())\npulumi.export("name", __name__)\n'
    )
    assert tiny.up(source) == {"at": str(tiny.root), "name": "__main__"}
    assert Path.cwd() == before


def test_many_slow_resources_are_made_at_the_same_time(tiny: Tiny):
    together = threading.Barrier(20, timeout=20)
    source = "for at in range(20):\n    Group(f'g{at}', name=f'g{at}')\n"
    tiny.world.hooks = {
        f"create g{at}": lambda _context: (together.wait(), None)[1] for at in range(20)
    }
    tiny.up(source)
    assert len(tiny.kept()) == 20


def test_modules_of_the_program_are_imported_anew_after_they_were_forgotten(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
):
    package = tiny.root / "tinyparts"
    package.mkdir()
    (package / "__init__.py").write_text("NAME = 'first'\n")
    monkeypatch.syspath_prepend(str(tiny.root))
    source = "import tinyparts\npulumi.export('name', tinyparts.NAME)\n"
    assert tiny.up(source) == {"name": "first"}
    (package / "__init__.py").write_text("NAME = 'second'\nMORE = 1\n")
    assert tiny.up(source) == {"name": "first"}
    sdk.forget_modules(tiny.root, ["tinyparts"])
    assert "tinyparts" not in sys.modules
    assert tiny.up(source) == {"name": "second"}
    del sys.modules["tinyparts"]


def test_forgetting_leaves_modules_elsewhere_and_the_error_that_both_sides_raise(tmp_path: Path):
    sdk.forget_modules(tmp_path, ["components", "aws", "pulumi"])
    assert sys.modules["common.errors"].UserError is UserError
    assert sys.modules["pulumi_aws"] is aws
    root = Path(sys.modules["common.errors"].__file__ or "").parent.parent
    kept = dict(sys.modules)
    try:
        sdk.forget_modules(root, ["components", "config"])
        assert sys.modules["common.errors"].UserError is UserError
        assert "config.rules" not in sys.modules
    finally:
        sys.modules.update(kept)
