"""When schedules invoke their targets, on a clock that the tests set."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from common.errors import UserError
from stack.local.lambda_.functions import LambdaFunctions
from stack.local.lambda_.invocation import Invocation
from stack.local.resources.store import Store
from stack.local.scheduler import schedules as module
from stack.local.scheduler.schedules import SCHEDULES, Schedules

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
NIGHTLY = "cron(5 0-3 * * ? *)"


class World:
    """A store, a clock, and functions that record their calls and return what is in `results`."""

    def __init__(self, home: Path, time: datetime = NOON) -> None:
        self.home, self.time = home, time
        self.store = Store(home / "cloud.json")
        self.called: list[tuple[str, datetime]] = []
        self.waited: list[float] = []
        self.results: list[bytes | Exception] = []
        self.wait_in_call: asyncio.Event | None = None

    def put(self, name: str = "local-upkeep", *, stack: str = "local", **changed: Any) -> None:
        """Store a schedule, created or changed now."""
        function = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        record: Mapping[str, Any] = {
            "owner": f"urn:pulumi:{stack}::p::aws:scheduler/schedule:Schedule::nightly",
            "name": name,
            "scheduleExpression": NIGHTLY,
            "scheduleExpressionTimezone": "UTC",
            "target": {
                "arn": function,
                "input": '{"source": "upkeep"}',
                "retryPolicy": {"maximumRetryAttempts": 2},
            },
            "since": self.time.isoformat(),
        }
        self.store.put(SCHEDULES, f"{stack}/{name}", {**record, **changed})

    async def invoke_once(self, name: str, qualifier: str, event: bytes) -> Invocation:
        assert (qualifier, json.loads(event)) == ("$LATEST", {"source": "upkeep"})
        self.called.append((name, self.time))
        if self.wait_in_call is not None:
            await self.wait_in_call.wait()
        result = self.results.pop(0) if self.results else b'{"finished": true}'
        if isinstance(result, Exception):
            raise result
        if result.startswith(b"!"):
            return Invocation.failed("1", result[1:])
        return Invocation(request_id="1", payload=result)

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.time += timedelta(seconds=seconds)

    def run(self, steps: Callable[[Schedules], Awaitable[None]]) -> None:
        """Start the scheduler as a supervisor does, take steps, and stop it."""

        async def main() -> None:
            schedules = Schedules(
                self.store,
                cast("LambdaFunctions", self),
                asyncio.get_running_loop(),
                now=lambda: self.time,
                sleep=self.sleep,
            )
            await schedules.start()
            await settle()
            await steps(schedules)
            await schedules.stop()

        asyncio.run(main())

    def pass_time(self, *times: datetime) -> None:
        """Run it while the clock is set to one time after another."""

        async def steps(_schedules: Schedules) -> None:
            for time in times:
                self.time = time
                await settle()

        self.run(steps)

    @property
    def hours(self) -> list[str]:
        return [f"{time:%d %H:%M}" for _, time in self.called]


async def settle() -> None:
    """Let the scheduler look at the clock a few times."""
    await asyncio.sleep(0.05)


async def nothing(_schedules: Schedules) -> None:
    pass


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # Only the interval is shorter: it is what notices a clock that has moved during a wait.
    monkeypatch.setattr(module, "CHECK_S", 0.005)
    return World(tmp_path)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


def test_the_target_is_invoked_at_each_time_once(world: World):
    world.put()
    world.pass_time(at(16, 0, 4), at(16, 0, 5), at(16, 0, 40), at(16, 1, 6), at(16, 12))
    assert world.hours == ["16 00:05", "16 01:06", "16 12:00"], "late ones are one"


def test_a_laptop_that_has_slept_for_days_makes_up_for_them_once(world: World):
    world.put()
    world.pass_time(at(16, 0, 5), at(20, 9), at(20, 10))
    assert world.hours == ["16 00:05", "20 09:00"]


def test_a_clock_that_is_set_back_repeats_nothing_and_does_not_stop_the_schedule(world: World):
    world.put()
    world.pass_time(at(16, 0, 5), at(16, 0, 4), at(16, 0, 5), at(16, 0, 6))
    assert world.hours == ["16 00:05"]
    world.called.clear()
    world.pass_time(at(28, 0, 5), at(17, 23), at(18, 0, 4), at(18, 0, 5))
    assert world.hours[-1] == "18 00:05", "a day of a wrong clock is no reason to wait for it"


def test_a_start_on_another_day_makes_up_for_what_was_missed_and_one_on_the_same_day_does_not(
    world: World,
):
    world.put()
    world.pass_time(at(16, 0, 5))
    world.time = at(16, 9)
    world.run(nothing)
    assert world.hours == ["16 00:05"]
    world.time = at(18, 9)
    world.run(nothing)
    world.run(nothing)
    assert world.hours == ["16 00:05", "18 09:00"]
    world.pass_time(at(19, 0, 5))
    assert world.hours[-1] == "19 00:05"


def test_the_day_of_a_start_is_that_of_the_schedules_time_zone(world: World):
    world.put(scheduleExpressionTimezone="Pacific/Auckland")  # UTC+12 in June
    world.time = at(16, 11)
    world.pass_time(at(16, 11), at(16, 12, 5), at(16, 13, 5))
    assert world.hours == ["16 11:00", "16 12:05", "16 13:05"]
    world.time = at(17, 9)
    world.run(nothing)
    assert len(world.called) == 3, "in Auckland it is still the day of the last run"


def test_a_new_schedule_waits_for_its_first_time(world: World):
    world.put()
    world.run(nothing)
    assert world.called == []


def test_a_changed_time_zone_counts_from_the_change(world: World):
    world.put()

    async def change(schedules: Schedules) -> None:
        world.time = at(15, 23)
        world.put(scheduleExpressionTimezone="Europe/Berlin")  # where it is 01:00
        schedules.changed()
        await settle()
        assert world.called == [], "00:05 in Berlin has passed before"
        assert schedules.status()[0]["next"] == "2026-06-16T01:05:00+02:00"
        world.time = at(15, 23, 5)
        await settle()

    world.run(change)
    assert world.hours == ["15 23:05"]


def test_a_change_ends_the_wait_for_an_earlier_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CHECK_S", 3600.0)
    world = World(tmp_path)
    world.put()

    async def change(schedules: Schedules) -> None:
        world.put(scheduleExpression="rate(1 hour)")
        schedules.changed()
        await settle()

    world.run(change)
    assert world.hours == ["15 12:00"], "a rate begins when it is created"


def test_a_disabled_schedule_is_not_invoked(world: World):
    world.put(state="DISABLED")
    world.pass_time(at(16, 0, 5), at(18, 9))
    assert world.called == []


@pytest.mark.parametrize(
    ("failures", "calls", "waits", "status"),
    [(1, 2, [60.0], "succeeded"), (2, 3, [60.0, 120.0], "succeeded"),
     (3, 3, [60.0, 120.0], "failed")],
)  # fmt: skip
def test_a_target_that_fails_is_invoked_again_as_often_as_configured(
    world: World, failures: int, calls: int, waits: list[float], status: str
):
    world.put()
    document = b'!{"errorType": "OperationalError", "errorMessage": "no database"}'
    world.results = [document, ConnectionError("throttled"), document][:failures]
    world.pass_time(at(16, 0, 5))
    assert len(world.called) == calls
    assert world.waited == waits
    run = world.store.get(module.RUNS, "local/local-upkeep")
    assert run is not None
    assert run["status"] == status
    assert status == "succeeded" or run["result"] == "OperationalError: no database"


def test_an_event_that_is_too_old_is_not_repeated(world: World):
    world.put(
        target={
            "arn": "arn:aws:lambda:us-east-1:000000000000:function:upkeep",
            "input": '{"source": "upkeep"}',
            "retryPolicy": {"maximumRetryAttempts": 5, "maximumEventAgeInSeconds": 100},
        }
    )
    world.results = [ConnectionError("throttled")] * 6
    world.pass_time(at(16, 0, 5))
    assert world.waited == [60.0]


def test_a_run_that_a_stop_has_interrupted_is_repeated_at_the_next_start(world: World):
    world.put()
    world.wait_in_call = asyncio.Event()
    world.pass_time(at(16, 0, 5))
    world.wait_in_call = None
    world.time = at(16, 0, 10)
    world.run(nothing)
    assert world.hours == ["16 00:05", "16 00:10"]
    world.run(nothing)
    assert len(world.called) == 2


def test_a_schedule_that_is_deleted_while_it_runs_leaves_nothing(world: World):
    world.put()

    async def delete(schedules: Schedules) -> None:
        world.wait_in_call = asyncio.Event()
        world.time = at(16, 0, 5)
        await settle()
        world.store.remove(SCHEDULES, "local/local-upkeep")
        schedules.forget("local/local-upkeep")
        schedules.changed()
        world.wait_in_call.set()
        await settle()

    world.run(delete)
    assert len(world.called) == 1
    assert world.store.find(module.RUNS) == {}
    assert world.store.stacks() == set()


def test_a_run_that_ends_after_a_later_one_has_begun_repeats_no_time(world: World):
    world.put(scheduleExpression="rate(1 minute)")

    async def steps(_schedules: Schedules) -> None:
        world.wait_in_call = asyncio.Event()
        for world.time in (at(15, 12, 1), at(15, 12, 2)):
            await settle()
        world.wait_in_call.set()
        await settle()

    world.run(steps)
    assert world.hours == ["15 12:00", "15 12:01", "15 12:02"]


def test_a_full_disk_does_not_end_the_schedules(world: World, monkeypatch: pytest.MonkeyPatch):
    world.put()

    def save(_store: Store) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "_save", save)
    world.pass_time(at(16, 0, 5), at(16, 1, 5))
    assert world.hours == ["16 00:05", "16 01:05"]


def test_two_stacks_have_schedules_of_their_own(world: World):
    world.put()
    world.put("pr-1-upkeep", stack="pr-1", scheduleExpressionTimezone="Asia/Kolkata")

    async def steps(schedules: Schedules) -> None:
        for world.time in (at(15, 18, 35), at(16, 0, 5)):
            await settle()
        assert [(item["name"], item["stack"]) for item in schedules.status()] == [
            ("local-upkeep", "local"),
            ("pr-1-upkeep", "pr-1"),
        ]
        with pytest.raises(UserError, match="'upkeep' is ambiguous: there are local-upkeep, pr-1"):
            await schedules.invoke("upkeep")
        assert await schedules.invoke("pr-1-upkeep") == ('{"finished": true}', True)

    world.run(steps)
    names = [name for name, _ in world.called]
    assert names == ["pr-1-upkeep", "local-upkeep", "pr-1-upkeep", "pr-1-upkeep"] or names == [
        *("pr-1-upkeep", "pr-1-upkeep", "local-upkeep", "pr-1-upkeep")
    ]


def test_a_schedule_can_be_invoked_now_and_its_failure_is_not_repeated(world: World):
    world.put()

    async def steps(schedules: Schedules) -> None:
        assert await schedules.invoke("upkeep") == ('{"finished": true}', True)
        world.results = [b'!{"errorType": "E", "errorMessage": "m"}']
        assert await schedules.invoke("local-upkeep") == ("E: m", False)
        assert world.waited == []
        shown = schedules.status()[0]
        assert shown["last"] == {
            "at": "2026-06-15T12:00:00+00:00",
            "status": "failed",
            "result": "E: m",
        }
        assert shown["next"] == "2026-06-16T00:05:00+00:00"
        with pytest.raises(UserError, match="there is no schedule 'upkep': did you mean 'upkeep'"):
            await schedules.invoke("upkep")
        with pytest.raises(UserError, match="no schedule 'x': there are local-upkeep"):
            await schedules.invoke("x")

    world.run(steps)


def test_without_schedules_there_is_nothing_to_invoke(world: World):
    async def steps(schedules: Schedules) -> None:
        assert schedules.status() == []
        with pytest.raises(UserError, match="there are no schedules"):
            await schedules.invoke("upkeep")

    world.run(steps)
