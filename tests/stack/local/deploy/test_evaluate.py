"""Small programs, evaluated as by `stack up`: create, update, replace, delete, preview, outputs."""

import stat
import threading
from pathlib import Path

from stack.local.resources.values import UNKNOWN, Secret
from stack.local.system.events import Status, Step
from tests.support.tiny_project import CHAIN, GROUP, HEAD, ONE, TinyProject


def test_resources_are_created_in_order_and_the_stacks_outputs_are_returned(tiny: TinyProject):
    assert tiny.up(CHAIN) == {"arn": "arn of a-1"}
    assert tiny.resources.take_operations() == ["create a", "create b"]
    assert tiny.resources.existing["b-2"] == {"name": "arn of a-1"}
    assert tiny.names() == ["a", "b"]


def test_a_second_run_does_nothing_and_writes_nothing(tiny: TinyProject):
    first = tiny.up(CHAIN)
    tiny.resources.take_operations()
    before = tiny.state_file.stat()
    assert tiny.up(CHAIN) == first
    assert tiny.resources.take_operations() == []
    assert (tiny.state_file.stat().st_ino, tiny.state_file.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )


def test_a_changed_input_is_updated_in_place_and_dependents_stay_unchanged(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.resources.take_operations()
    changed = CHAIN.replace("7", "14")
    assert tiny.preview(changed) == {"a": Step.UPDATE, "b": Step.SAME}, (
        "an update does not change the ARN, so it is known"
    )
    tiny.up(changed)
    assert tiny.resources.take_operations() == ["update a"]
    assert tiny.resources.existing["a-1"]["retentionInDays"] == 14


def test_a_recomputed_output_is_unknown_in_the_preview_so_dependents_may_change(
    tiny: TinyProject,
):
    tiny.up(CHAIN)
    tiny.resources.recomputed = {"arn"}
    assert tiny.preview(CHAIN.replace("7", "14")) == {"a": Step.UPDATE, "b": Step.REPLACE}


def test_a_removed_input_is_a_change(tiny: TinyProject):
    tiny.up('Group("a", name="a", retention_in_days=7)\n')
    tiny.resources.take_operations()
    tiny.up('Group("a", name="a")\n')
    assert tiny.resources.take_operations() == ["update a"]
    assert tiny.resources.existing["a-1"] == {"name": "a"}


def test_a_replacement_is_created_first_and_the_old_resource_deleted_last(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.resources.take_operations()
    tiny.up(CHAIN.replace('name="a"', 'name="other"'))
    assert tiny.resources.take_operations() == ["create a", "create b", "delete a", "delete b"]
    assert {name: inputs["name"] for name, inputs in tiny.resources.existing.items()} == {
        "a-3": "other",
        "b-4": "arn of a-3",
    }
    assert tiny.state.pending_deletions() == []


def test_delete_before_replace_deletes_the_old_resource_first(tiny: TinyProject):
    source = 'Group("a", name="a", opts=pulumi.ResourceOptions(delete_before_replace=True))\n'
    tiny.up(source)
    tiny.resources.take_operations()
    tiny.up(source.replace('name="a"', 'name="other"'))
    assert tiny.resources.take_operations() == ["delete a", "create a"]
    assert tiny.names() == ["a"]


def test_a_resource_is_deleted_first_when_its_handler_requires_it(tiny: TinyProject):
    tiny.up('Group("a", name="a")\n')
    tiny.resources.take_operations()
    tiny.resources.delete_first = True
    tiny.up('Group("a", name="other")\n')
    assert tiny.resources.take_operations() == ["delete a", "create a"]
    assert tiny.names() == ["a"]
    assert tiny.state.pending_deletions() == []


def test_a_resource_has_the_urn_that_the_engine_would_use(tiny: TinyProject):
    tiny.up(
        HEAD
        + """
Options = pulumi.ResourceOptions
outer = pulumi.ComponentResource("t:index:Outer", "outer")
inner = pulumi.ComponentResource("t:index:Inner", "inner", opts=Options(parent=outer))
Group("deep", name="deep", opts=pulumi.ResourceOptions(parent=inner))
Group("flat", name="flat")
"""
    )
    assert {resource.urn for resource in tiny.state.all()} == {
        f"urn:pulumi:test::tiny::t:index:Outer$t:index:Inner${GROUP}::deep",
        f"urn:pulumi:test::tiny::{GROUP}::flat",
    }


def test_resources_that_the_program_no_longer_has_are_deleted_the_newest_first(tiny: TinyProject):
    tiny.up(CHAIN + 'Group("c", name="c")\n')
    tiny.resources.take_operations()
    tiny.up('Group("c", name="c")\n')
    assert tiny.resources.take_operations() == ["delete b", "delete a"]
    assert tiny.names() == ["c"]


def test_archives_are_compared_by_their_bytes(tiny: TinyProject):
    source = 'aws.lambda_.LayerVersion("layer", layer_name="l", code=pulumi.FileArchive("a.zip"))\n'
    (tiny.root / "a.zip").write_bytes(b"one")
    tiny.up(source)
    (tiny.root / "b.zip").write_bytes(b"one")
    assert tiny.preview(source.replace("a.zip", "b.zip")) == {"layer": Step.SAME}
    (tiny.root / "a.zip").write_bytes(b"two")
    assert tiny.preview(source) == {"layer": Step.REPLACE}


def test_a_resource_that_no_longer_exists_is_created_again(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.resources.take_operations()
    del tiny.resources.existing["a-1"]
    assert tiny.preview(CHAIN)["a"] is Step.CREATE
    tiny.resources.existing["filler"] = {}
    tiny.up(CHAIN)
    assert tiny.resources.take_operations() == ["create a", "create b", "delete b"]


def test_a_preview_changes_nothing(tiny: TinyProject):
    assert tiny.preview(CHAIN) == {"a": Step.CREATE, "b": Step.CREATE}
    assert tiny.resources.take_operations() == []
    assert not tiny.state_file.exists()
    assert [progress.status for progress in tiny.reports] == [Status.PLANNED] * 2


def test_computed_outputs_and_ids_of_new_resources_are_unknown_in_a_preview(tiny: TinyProject):
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


def test_a_secret_input_is_a_secret_output_also_when_nothing_changes(tiny: TinyProject):
    source = 'group = Group("a", name=pulumi.Output.secret("hidden"), retention_in_days=7)\n'
    source += 'pulumi.export("name", group.name)\n'
    source += 'pulumi.export("days", group.retention_in_days)\n'
    for _ in range(2):
        outputs = tiny.up(source)
        assert outputs["name"] == Secret("hidden")
        assert outputs["days"] == 7
        assert "hidden" not in repr(outputs)


def test_the_state_file_with_its_secrets_is_readable_by_its_owner_only(tiny: TinyProject):
    tiny.up('Group("a", name=pulumi.Output.secret("hidden"))\n')
    assert stat.S_IMODE(tiny.state_file.stat().st_mode) == 0o600
    assert "hidden" in tiny.state_file.read_text()
    assert tiny.state.all()[0].secrets == ["name"]


def test_progress_is_reported_from_planned_to_done_with_times(tiny: TinyProject):
    tiny.up(ONE)
    tiny.up("")
    reported = [(progress.name, progress.step, progress.status) for progress in tiny.reports]
    assert reported == [
        ("a", Step.CREATE, Status.PLANNED),
        ("a", Step.CREATE, Status.RUNNING),
        ("a", Step.CREATE, Status.DONE),
        ("a", Step.DELETE, Status.RUNNING),
        ("a", Step.DELETE, Status.DONE),
    ]
    assert all(progress.seconds >= 0 and progress.type == GROUP for progress in tiny.reports)


def test_log_messages_of_the_program_are_shown_except_debug_messages(tiny: TinyProject):
    tiny.preview(
        'pulumi.log.info("shown")\npulumi.log.debug("hidden")\npulumi.log.warn("a warning")\n'
    )
    assert tiny.resources.messages == ["shown", "a warning"]


def test_a_program_runs_in_its_own_directory_as_main(tiny: TinyProject):
    before = Path.cwd()
    source = (
        'import os, pathlib\npulumi.export("at", os.getcwd())\npulumi.export("name", __name__)\n'
    )
    assert tiny.up(source) == {"at": str(tiny.root), "name": "__main__"}
    assert Path.cwd() == before


def test_many_slow_resources_are_created_at_the_same_time(tiny: TinyProject):
    together = threading.Barrier(20, timeout=20)
    source = "for at in range(20):\n    Group(f'g{at}', name=f'g{at}')\n"
    tiny.resources.hooks = {
        f"create g{at}": lambda _context: (together.wait(), None)[1] for at in range(20)
    }
    tiny.up(source)
    assert len(tiny.names()) == 20
