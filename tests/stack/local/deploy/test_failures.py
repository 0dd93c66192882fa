"""Programs and resources that fail, and runs that are cancelled; the next run continues."""

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from common.errors import UserError
from stack.local.deploy.passes import ResourceError
from stack.local.resources import sdk
from stack.local.resources.base import Context
from stack.local.system.events import Status
from tests.support.tiny_project import CHAIN, ONE, TinyProject


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail when the test prints or logs anything, also when its objects are garbage-collected."""
    yield
    gc.collect()
    assert capfd.readouterr() == ("", "")
    assert [*caplog.get_records("call"), *caplog.records] == [], (
        "a record without a handler is printed to standard error"
    )


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
            "group.name.apply(lambda name: 1/0)\ngroup.id.apply(print)\n"
            "pulumi.Output.all(group.id, group.name).apply(print)\n",
            ZeroDivisionError,
        ),
        (
            'Group("b", name=group.name.apply(lambda name: 1/0))\nGroup("c", name="c")\n',
            ZeroDivisionError,
        ),
    ],
    ids=["raise", "division", "import", "run error", "apply", "export", "several", "input"],
)
def test_an_error_of_the_program_is_raised_unchanged_without_printed_tracebacks(
    tiny: TinyProject, source: str, error: type[Exception]
):
    with pytest.raises(error):
        tiny.up(ONE + source)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("code", ["3", "0", "", '"no more"'])
def test_a_program_that_calls_exit_is_an_error_and_does_not_end_the_process(
    tiny: TinyProject, code: str
):
    with pytest.raises(UserError, match=r"__main__\.py called sys\.exit\("):
        tiny.up(ONE + f"sys.exit({code})\n")


@pytest.mark.usefixtures("quiet")
def test_a_failed_resource_is_named_with_the_reason_and_its_dependents_are_not_created(
    tiny: TinyProject,
):
    tiny.resources.fail_at("create a")
    with pytest.raises(
        ResourceError, match="aws:cloudwatch/logGroup:LogGroup 'a': disk full"
    ) as failed:
        tiny.up(CHAIN)
    assert isinstance(failed.value, UserError)
    assert tiny.resources.take_operations() == ["create a"]
    assert [progress.name for progress in tiny.reports if progress.status is Status.FAILED] == ["a"]


@pytest.mark.usefixtures("quiet")
def test_an_internal_error_is_reported_with_its_class(tiny: TinyProject):
    def fail(_context: Context) -> None:
        raise KeyError("role")

    tiny.resources.hooks["create a"] = fail
    with pytest.raises(ResourceError, match=r"LogGroup 'a': KeyError: 'role'"):
        tiny.up(ONE)


def test_resources_created_before_a_failure_stay_and_the_next_run_continues(tiny: TinyProject):
    tiny.resources.fail_at("create b")
    with pytest.raises(ResourceError):
        tiny.up(CHAIN)
    assert tiny.names() == ["a"]
    tiny.resources.hooks.clear()
    tiny.resources.take_operations()
    assert tiny.up(CHAIN) == {"arn": "arn of a-1"}
    assert tiny.resources.take_operations() == ["create b"]


def test_a_resource_in_progress_during_a_failure_is_completed_and_recorded(tiny: TinyProject):
    started = threading.Event()

    def slow(_context: Context) -> None:
        started.set()
        time.sleep(0.2)

    def fail(_context: Context) -> None:
        started.wait(10)
        raise UserError("disk full")

    tiny.resources.hooks |= {"create slow": slow, "create bad": fail}
    with pytest.raises(ResourceError, match="'bad'"):
        tiny.up('Group("slow", name="s")\nGroup("bad", name="b")\n')
    assert tiny.names() == ["slow"]


def test_a_failed_update_is_repeated_by_the_next_run(tiny: TinyProject):
    tiny.up(ONE)
    tiny.resources.fail_at("update a")
    changed = ONE.replace("7", "14")
    with pytest.raises(ResourceError):
        tiny.up(changed)
    tiny.resources.hooks.clear()
    tiny.resources.take_operations()
    tiny.up(changed)
    assert tiny.resources.take_operations() == ["update a"]


def test_a_replacement_that_fails_repeatedly_leaves_one_pending_deletion(tiny: TinyProject):
    tiny.up(ONE)
    changed = ONE.replace('name="a"', 'name="other"')
    tiny.resources.fail_at("create a")
    for _ in range(3):
        with pytest.raises(ResourceError):
            tiny.up(changed)
    assert "a-1" in tiny.resources.existing, "the old one still exists"
    tiny.resources.hooks.clear()
    tiny.resources.take_operations()
    tiny.up(changed)
    assert tiny.resources.take_operations() == ["create a", "delete a"]
    assert list(tiny.resources.existing) == ["a-2"]


def test_a_failed_replacement_whose_change_is_reverted_deletes_nothing(tiny: TinyProject):
    tiny.up(ONE)
    tiny.resources.fail_at("create a")
    with pytest.raises(ResourceError):
        tiny.up(ONE.replace('name="a"', 'name="other"'))
    tiny.resources.hooks.clear()
    tiny.resources.take_operations()
    tiny.up(ONE)
    assert tiny.resources.take_operations() == []
    assert list(tiny.resources.existing) == ["a-1"]
    assert tiny.state.pending_deletions() == []


def test_a_failed_deletion_after_a_replacement_is_repeated_by_the_next_run(tiny: TinyProject):
    tiny.up(ONE)
    changed = ONE.replace('name="a"', 'name="other"')
    tiny.resources.fail_at("delete a")
    with pytest.raises(ResourceError, match="LogGroup 'a': disk full"):
        tiny.up(changed)
    assert len(tiny.resources.existing) == 2
    tiny.resources.hooks.clear()
    tiny.resources.take_operations()
    tiny.up(changed)
    assert tiny.resources.take_operations() == ["delete a"]
    assert list(tiny.resources.existing) == ["a-2"]


def test_a_failed_deletion_names_the_resource_and_is_repeated_by_the_next_run(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.resources.fail_at("delete b")
    with pytest.raises(ResourceError, match="LogGroup 'b': disk full"):
        tiny.up(ONE)
    assert tiny.names() == ["a", "b"]
    assert [progress.status for progress in tiny.reports][-1] is Status.FAILED
    tiny.resources.hooks.clear()
    tiny.up(ONE)
    assert tiny.names() == ["a"]


def test_a_handler_that_leaves_out_a_declared_output_is_an_error(tiny: TinyProject):
    tiny.resources.omitted_outputs = {"arn"}
    with pytest.raises(ResourceError, match="LogGroup 'a': the handler leaves out arn"):
        tiny.up(ONE)


@pytest.mark.usefixtures("quiet")
def test_a_run_that_is_cancelled_before_its_start_does_nothing(tiny: TinyProject):
    tiny.cancelled.set()
    with pytest.raises(UserError, match="stopped"):
        tiny.up(CHAIN)
    assert tiny.resources.take_operations() == []


@pytest.mark.usefixtures("quiet")
def test_a_cancelled_run_completes_running_operations_and_starts_no_others(
    tiny: TinyProject,
):
    def cancel(context: Context) -> None:
        tiny.cancelled.set()
        assert context.cancelled.is_set(), "a handler can see the cancellation"

    tiny.resources.hooks["create a"] = cancel
    with pytest.raises(UserError, match="stopped"):
        tiny.up(CHAIN)
    assert tiny.resources.take_operations() == ["create a"]
    assert tiny.names() == ["a"]


def test_a_run_that_is_cancelled_during_deletions_deletes_nothing_more(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.resources.take_operations()
    tiny.resources.hooks["delete b"] = lambda _context: tiny.cancelled.set()
    with pytest.raises(UserError, match="stopped"):
        tiny.up("")
    assert tiny.resources.take_operations() == ["delete b"]
    assert tiny.names() == ["a"]
