"""What the preview refuses: names, types, inputs, changes of protected resources."""

import pytest

from common.errors import UserError
from stack.local.deploy.state import ResourceState
from tests.support.tiny_project import CHAIN, ONE, TinyProject

PROTECTED = 'Group("a", name="a", retention_in_days=7, opts=pulumi.ResourceOptions(protect=True))\n'


def test_nothing_is_created_when_any_resource_is_refused(tiny: TinyProject):
    with pytest.raises(UserError):
        tiny.up(CHAIN + 'aws.sqs.Queue("queue")\n')
    assert tiny.resources.take_operations() == []
    assert not tiny.state_file.exists()


def test_a_name_that_is_used_twice_for_one_type_is_refused(tiny: TinyProject):
    with pytest.raises(
        UserError, match="the name 'a' is used twice for aws:cloudwatch/logGroup:LogGroup"
    ):
        tiny.up(ONE + ONE)
    assert tiny.resources.take_operations() == []


def test_two_types_may_use_the_same_name(tiny: TinyProject):
    (tiny.root / "a.zip").write_bytes(b"zip")
    tiny.up(
        ONE + 'aws.lambda_.LayerVersion("a", layer_name="l", code=pulumi.FileArchive("a.zip"))\n'
    )
    assert len(tiny.names()) == 2


def test_an_unknown_type_is_refused_with_type_and_name(tiny: TinyProject):
    with pytest.raises(
        UserError, match="does not know the type aws:sqs/queue:Queue of resource 'jobs'"
    ):
        tiny.preview('aws.sqs.Queue("jobs")\n')


def test_an_input_of_the_wrong_type_is_refused(tiny: TinyProject):
    with pytest.raises(UserError, match="LogGroup 'a': retentionInDays is 'seven', expected int"):
        tiny.preview('Group("a", name="a", retention_in_days="seven")\n')


def test_a_missing_archive_is_refused_with_its_path(tiny: TinyProject):
    with pytest.raises(UserError, match=r"LayerVersion 'layer': code: there is no file none\.zip"):
        tiny.preview(
            'zip = pulumi.FileArchive("none.zip")\n'
            'aws.lambda_.LayerVersion("layer", layer_name="l", code=zip)\n'
        )


def test_unsupported_functions_and_reads_are_refused(tiny: TinyProject):
    with pytest.raises(UserError, match="does not know the function aws:index/getRegion:getRegion"):
        tiny.preview('pulumi.export("region", aws.get_region_output().name)\n')
    with pytest.raises(
        UserError, match=r"reading aws:cloudwatch/logGroup:LogGroup .id. is not supported locally"
    ):
        tiny.preview('Group.get("a", "id")\n')


def test_a_resource_in_the_state_whose_type_has_no_handler_is_named(tiny: TinyProject):
    urn = "urn:pulumi:test::tiny::aws:sqs/queue:Queue::jobs"
    tiny.state.put(
        ResourceState(urn=urn, type="aws:sqs/queue:Queue", id="q", inputs={}, outputs={})
    )
    with pytest.raises(
        UserError, match="does not know the type aws:sqs/queue:Queue of resource 'jobs'"
    ):
        tiny.up(ONE)


def test_a_protected_resource_is_neither_replaced_nor_deleted_and_nothing_changes(
    tiny: TinyProject,
):
    tiny.up(PROTECTED)
    tiny.resources.take_operations()
    with pytest.raises(UserError, match="'a' is protected and a change of name would replace it"):
        tiny.up('Group("new", name="n")\n' + PROTECTED.replace('name="a"', 'name="other"'))
    with pytest.raises(UserError, match="'a' is protected and the program no longer has it"):
        tiny.up('Group("new", name="n")\n')
    assert tiny.resources.take_operations() == []
    assert tiny.names() == ["a"]


def test_a_protected_resource_is_updated_in_place(tiny: TinyProject):
    tiny.up(PROTECTED)
    tiny.up(PROTECTED.replace("7", "14"))
    assert tiny.resources.take_operations() == ["create a", "update a"]


def test_a_resource_can_be_deleted_after_its_protection_is_removed(tiny: TinyProject):
    tiny.up(PROTECTED)
    tiny.up(PROTECTED.replace("True", "False"))
    assert not tiny.state.all()[0].protect
    tiny.up("")
    assert tiny.resources.take_operations() == ["create a", "delete a"]
