"""The schedule of the upkeep on Pulumi's own engine: created, invoked, changed, destroyed."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.engine import Engine, engine, needs_pulumi

pytestmark = [needs_pulumi, pytest.mark.xdist_group("engine")]

UPKEEP = """

def handler(event, context):
    return {"got": event}
"""
NAME = "ai-success-insights-local-upkeep"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("schedule")) as deployed:
        file = deployed.root / "service/upkeep.py"
        file.write_text(file.read_text() + UPKEEP)
        deployed.up()
        yield deployed


def test_the_schedule_is_created_and_invokes_the_function(stack: Engine) -> None:
    assert stack.records()["schedules"] == {f"ai-success-insights-local-schedules/{NAME}"}
    assert "has not run yet" in stack.copy.run("invoke", "schedule")
    assert json.loads(stack.copy.run("invoke", "schedule", "upkeep")) == {
        "got": {"source": "upkeep"}
    }
    assert "succeeded" in stack.copy.run("status")
    assert f"/aws/lambda/{NAME}" in stack.copy.run("logs")
    assert stack.up("refresh") == {}


def test_another_time_zone_changes_the_next_time(stack: Engine) -> None:
    with stack.configured(timeZone="Asia/Kolkata"):
        done = stack.up()
        assert done.pop("service-nightly-schedule") == "update"
        assert re.search(r"next \S+T0[0-3]:05:00\+05:30", stack.copy.run("invoke", "schedule"))
    assert stack.up()["service-nightly-schedule"] == "update"


def test_another_name_replaces_the_schedule_alone(stack: Engine) -> None:
    with stack.edited(
        "components/service.py",
        lambda text: text.replace(
            "name=args.names.upkeep_schedule", 'name=f"{args.names.upkeep_schedule}-2"'
        ),
    ):
        assert stack.preview() == {"service-nightly-schedule": "replace"}
        stack.up()
        assert stack.records()["schedules"] == {f"ai-success-insights-local-schedules/{NAME}-2"}
        assert "did you mean" in stack.copy.run("invoke", "schedule", NAME, code=1)
    stack.up()


def test_upkeep_can_be_left_out(stack: Engine) -> None:
    with stack.configured(upkeep=False):
        done = stack.up()
        assert set(done.values()) == {"delete"}
        assert all(name.startswith(("service-nightly", "service-upkeep")) for name in done)
        assert stack.copy.run("invoke", "schedule") == ""
    assert set(stack.up().values()) == {"create"}


def test_a_destroy_deletes_the_schedule_before_the_function_and_the_alias(stack: Engine) -> None:
    deleted = list(stack.up("destroy"))
    schedule = deleted.index("service-nightly-schedule")
    for name in ("service-nightly-role", "service-upkeep-function", "service-live"):
        assert schedule < deleted.index(name)
    assert stack.records() == {}
    assert "there are no schedules" in stack.copy.run("invoke", "schedule", NAME, code=1)
