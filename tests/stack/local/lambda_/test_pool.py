"""Which environment serves a request, and when environments start, freeze and end."""

import asyncio
import os
import re
import time
from itertools import pairwise

import psutil
import pytest

from stack.local.lambda_.invoke import Invoker
from stack.local.lambda_.pool import ThrottledError
from tests.support.lambdas import (
    RETURN_PID,
    FunctionRunner,
    event,
    invoke_at_once,
    payload_of,
    process_statuses,
    until,
)


def test_an_environment_takes_one_request_at_a_time_and_is_used_again(
    runner: FunctionRunner,
) -> None:
    source = """
        import os, time
        def handler(event, context):
            started = time.monotonic()
            time.sleep(0.05)
            return [os.getpid(), started, time.monotonic()]
    """
    function = runner.function(source, reserved_concurrency=1)

    async def scenario(invoker: Invoker) -> list[list[float]]:
        return [
            payload_of(invocation)
            for invocation in await asyncio.gather(
                *(invoker.invoke(function, b"{}") for _ in range(4))
            )
        ]

    calls = sorted(runner.run(scenario), key=lambda call: call[1])
    assert len({pid for pid, _, _ in calls}) == 1
    assert all(earlier[2] <= later[1] for earlier, later in pairwise(calls))


@pytest.mark.parametrize(
    ("reserved", "expected"),
    [(2, 2), (None, 3)],
    ids=["reserved concurrency", "the limit without one"],
)
def test_environments_are_added_on_demand_up_to_the_limit(
    runner: FunctionRunner, reserved: int | None, expected: int
) -> None:
    function = runner.function(RETURN_PID, reserved_concurrency=reserved)

    async def scenario(invoker: Invoker) -> list[int]:
        await invoker.invoke(function, b"{}")
        assert len(invoker.pids("fn")) == 1
        return await invoke_at_once(runner, invoker, function, 8, expected)

    assert len(set(runner.run(scenario, unreserved_concurrency=3))) == expected


def test_the_environment_that_became_idle_last_is_used_first(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID)

    async def scenario(invoker: Invoker) -> None:
        await invoke_at_once(runner, invoker, function, 2, 2)
        release = runner.home / "last"
        last = asyncio.create_task(invoker.invoke(function, event(until=str(release))))
        early = payload_of(await invoker.invoke(function, b"{}"))
        release.touch()
        late = payload_of(await last)
        assert early != late
        assert [payload_of(await invoker.invoke(function, b"{}")) for _ in range(3)] == [late] * 3

    runner.run(scenario)


def test_a_request_is_served_by_whichever_environment_is_ready_first(
    runner: FunctionRunner,
) -> None:
    slow = runner.home / "slow"
    function = runner.function(
        f"import os, time\ntime.sleep(5 if os.path.exists({str(slow)!r}) else 0)\n" + RETURN_PID
    )

    async def scenario(invoker: Invoker) -> None:
        first = payload_of(await invoker.invoke(function, b"{}"))
        slow.touch()
        busy = asyncio.create_task(invoker.invoke(function, event(sleep=0.2)))
        await asyncio.sleep(0)
        started = time.monotonic()
        assert payload_of(await invoker.invoke(function, b"{}")) == first
        assert time.monotonic() - started < 5, (
            "it waited for the environment that was started for it"
        )
        await busy

    runner.run(scenario)


def test_no_more_environments_start_at_once_than_there_are_cores(
    runner: FunctionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    function = runner.function(
        "import time\nprint('started', time.monotonic())\n"
        "time.sleep(0.05)\nprint('ready', time.monotonic())\n" + RETURN_PID
    )
    runner.run(lambda invoker: invoke_at_once(runner, invoker, function, 3, 3))
    starts = sorted(
        (float(seconds), what)
        for what, seconds in re.findall(r"^(started|ready) ([\d.]+)$", runner.log(), re.M)
    )
    assert [what for _, what in starts] == ["started", "ready"] * 3


def test_above_the_limit_strict_concurrency_throttles_at_once(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID, reserved_concurrency=1)

    async def scenario(invoker: Invoker) -> None:
        running = asyncio.create_task(invoker.invoke(function, event(sleep=0.3)))
        await asyncio.sleep(0)
        with pytest.raises(ThrottledError, match="Rate Exceeded"):
            await invoker.invoke(function, b"{}")
        payload_of(await running)
        payload_of(await invoker.invoke(function, b"{}"))

    runner.run(scenario, strict_concurrency=True)


def test_a_function_whose_reserved_concurrency_is_zero_is_always_throttled(
    runner: FunctionRunner,
) -> None:
    function = runner.function(RETURN_PID, reserved_concurrency=0)
    with pytest.raises(ThrottledError):
        runner.run(lambda invoker: invoker.invoke(function, b"{}"))


def test_a_cancelled_request_is_dropped_while_it_waits_and_runs_on_once_it_has_started(
    runner: FunctionRunner,
) -> None:
    source = """
        import time
        def handler(event, context):
            print("started", event["name"])
            time.sleep(0.3)
            print("ended", event["name"])
    """
    function = runner.function(source, reserved_concurrency=1)

    async def scenario(invoker: Invoker) -> None:
        await invoker.start(function)
        running, waiting = (
            asyncio.create_task(invoker.invoke(function, event(name=name)))
            for name in ("running", "waiting")
        )
        await until(lambda: "started running" in runner.log())
        running.cancel()
        waiting.cancel()
        await asyncio.wait({running, waiting})
        assert running.cancelled()
        payload_of(await invoker.invoke(function, event(name="next")))

    runner.run(scenario)
    assert "ended running" in runner.log()
    assert "started waiting" not in runner.log()
    assert "ended next" in runner.log()


def test_versions_of_a_function_share_its_concurrency_and_an_idle_one_ends_for_another(
    runner: FunctionRunner,
) -> None:
    old, new = (runner.function(RETURN_PID, reserved_concurrency=1) for _ in range(2))

    async def scenario(invoker: Invoker) -> None:
        first = payload_of(await invoker.invoke(old, b"{}"))
        second = payload_of(await invoker.invoke(new, b"{}"))
        assert invoker.pids("fn") == [second]
        await until(lambda: not psutil.pid_exists(first))

    runner.run(scenario)


def test_a_retired_version_ends_after_its_running_and_its_waiting_requests(
    runner: FunctionRunner,
) -> None:
    old, new = (runner.function(RETURN_PID, reserved_concurrency=2) for _ in range(2))

    async def scenario(invoker: Invoker) -> None:
        both = set(await invoke_at_once(runner, invoker, old, 2, 2))
        release = runner.home / "release"
        running = [
            asyncio.create_task(invoker.invoke(old, event(until=str(release)))) for _ in range(3)
        ]
        await until(lambda: process_statuses(invoker).count(psutil.STATUS_STOPPED) == 0)
        await invoker.retire("fn", keep={new.version})
        release.touch()
        assert {payload_of(call) for call in await asyncio.gather(*running)} <= both
        fresh = payload_of(await invoker.invoke(new, b"{}"))
        await until(lambda: invoker.pids("fn") == [fresh])
        await invoker.retire("fn")
        assert invoker.pids("fn") == []

    runner.run(scenario)


def test_an_environment_that_starts_while_its_version_is_retired_serves_its_request_and_ends(
    runner: FunctionRunner,
) -> None:
    function = runner.function(
        "import time\ntime.sleep(0.3)\ndef handler(event, context):\n    return 'done'"
    )

    async def scenario(invoker: Invoker) -> None:
        call = asyncio.create_task(invoker.invoke(function, b"{}"))
        await asyncio.sleep(0.05)
        await invoker.retire("fn", keep={"another"})
        assert payload_of(await call) == "done"
        await until(lambda: invoker.pids("fn") == [])

    runner.run(scenario)


def test_an_environment_is_frozen_between_invocations_and_thawed_for_the_next(
    runner: FunctionRunner,
) -> None:
    source = """
        import threading, time
        longest = 0
        def beat():
            global longest
            last = time.monotonic()
            while True:
                time.sleep(0.01)
                last, before = time.monotonic(), last
                longest = max(longest, last - before)
        threading.Thread(target=beat, daemon=True).start()
        def handler(event, context):
            time.sleep(0.05)
            return longest
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> float:
        await invoker.invoke(function, b"{}")
        await until(lambda: process_statuses(invoker) == [psutil.STATUS_STOPPED])
        await asyncio.sleep(0.4)
        return payload_of(await invoker.invoke(function, b"{}"))

    assert runner.run(scenario) >= 0.4, "the background thread was stopped"


def test_without_freezing_background_threads_run_on(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID)

    async def scenario(invoker: Invoker) -> list[str]:
        await invoker.invoke(function, b"{}")
        await asyncio.sleep(0.1)
        return process_statuses(invoker)

    assert psutil.STATUS_STOPPED not in runner.run(scenario, freeze=False)
