"""The init of an execution environment, and its errors."""

import asyncio
import json
import re
from dataclasses import replace

import pytest

from stack.local.lambda_.execution_environment import InitError
from stack.local.lambda_.invoke import Invoker
from tests.support.lambdas import RETURN_PID, FunctionRunner, event, payload_of


def test_an_import_error_fails_every_waiting_request_and_the_next_one_starts_again(
    runner: FunctionRunner,
) -> None:
    function = runner.function("import late", reserved_concurrency=3)

    async def scenario(invoker: Invoker) -> None:
        calls = await asyncio.gather(*(invoker.invoke(function, b"{}") for _ in range(12)))
        for call in calls:
            document = json.loads(call.payload)
            assert document["errorType"] == "Runtime.ImportModuleError"
            assert "No module named 'late'" in document["errorMessage"]
        assert invoker.pids("fn") == []
        (function.task_root / "late.py").write_text("")
        (function.task_root / "app.py").write_text(
            "def handler(event, context):\n    return 'fixed'"
        )
        assert payload_of(await invoker.invoke(function, b"{}")) == "fixed"

    runner.run(scenario)
    assert (
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'late'"
        in runner.log()
    )
    assert re.search(
        r"^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error"
        r"\tError Type: Runtime.ImportModuleError$",
        runner.log(),
        re.M,
    )


def test_a_failed_start_fails_its_own_request_only_while_another_environment_works(
    runner: FunctionRunner,
) -> None:
    broken = runner.home / "broken"
    function = runner.function(
        f"import os\nassert not os.path.exists({str(broken)!r})\n" + RETURN_PID,
        reserved_concurrency=2,
    )

    async def scenario(invoker: Invoker) -> None:
        works = payload_of(await invoker.invoke(function, b"{}"))
        broken.touch()
        release = runner.home / "release"
        running = asyncio.create_task(invoker.invoke(function, event(until=str(release))))
        await asyncio.sleep(0)
        failing = asyncio.create_task(invoker.invoke(function, b"{}"))
        assert json.loads((await failing).payload)["errorType"] == "AssertionError"
        release.touch()
        assert payload_of(await running) == works
        assert payload_of(await invoker.invoke(function, b"{}")) == works

    runner.run(scenario)


def test_a_module_that_exits_during_import_is_an_init_error(runner: FunctionRunner) -> None:
    function = runner.function("import os\nprint('leaving')\nos._exit(7)")
    failed = runner.run(lambda invoker: invoker.invoke(function, b"{}"))
    assert json.loads(failed.payload)["errorMessage"] == "Runtime exited with error: exit status 7"
    assert "leaving" in runner.messages()


def test_a_missing_task_root_is_an_init_error(runner: FunctionRunner) -> None:
    function = replace(runner.function(RETURN_PID), task_root=runner.home / "missing")
    failed = runner.run(lambda invoker: invoker.invoke(function, b"{}"))
    assert "missing" in failed.message


def test_an_init_over_its_limit_is_repeated_within_the_invocation(runner: FunctionRunner) -> None:
    source = """
        import time
        time.sleep(0.6)
        def handler(event, context):
            return context.get_remaining_time_in_millis()
    """
    function = runner.function(source, timeout_s=5)
    left = payload_of(runner.run(lambda invoker: invoker.invoke(function, b"{}"), init_limit_s=0.3))
    assert left < 4_400, "the repeated init did not count for the function's timeout"
    assert re.search(
        r"^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: timeout$", runner.log(), re.M
    )
    report = re.search(r"^REPORT .*\tDuration: ([\d.]+) ms.*$", runner.log(), re.M)
    assert report is not None
    assert float(report[1]) >= 600
    assert "Init Duration" not in report[0]


def test_an_init_that_never_ends_fails_at_the_functions_timeout(runner: FunctionRunner) -> None:
    function = runner.function("import time\ntime.sleep(60)", timeout_s=0.3)
    failed = runner.run(lambda invoker: invoker.invoke(function, b"{}"), init_limit_s=0.2)
    assert json.loads(failed.payload)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 0.3" in failed.message


def test_an_environment_can_be_started_ahead_and_its_init_error_has_the_reason(
    runner: FunctionRunner,
) -> None:
    good, bad = runner.function(RETURN_PID), runner.function("print('before the error')\n1 / 0")

    async def scenario(invoker: Invoker) -> None:
        await invoker.start(good)
        await invoker.start(good)
        (pid,) = invoker.pids("fn")
        assert payload_of(await invoker.invoke(good, b"{}")) == pid
        with pytest.raises(InitError) as error:
            await invoker.start(bad)
        assert str(error.value).startswith("fn, version 2, does not start: division by zero\n")
        assert "before the error" in str(error.value)
        assert "LAMBDA_WARNING" not in str(error.value), "which does not explain the error"
        assert invoker.pids("fn") == [pid]

    runner.run(scenario)


def test_a_request_takes_over_the_environment_that_is_being_started_ahead(
    runner: FunctionRunner,
) -> None:
    function, broken = runner.function(RETURN_PID), runner.function("1 / 0")

    async def scenario(invoker: Invoker) -> None:
        ahead = asyncio.create_task(invoker.start(function))
        await asyncio.sleep(0)
        pid = payload_of(await invoker.invoke(function, b"{}"))
        await ahead
        assert invoker.pids("fn") == [pid]
        ahead = asyncio.create_task(invoker.start(broken))
        await asyncio.sleep(0)
        failed = await invoker.invoke(broken, b"{}")
        with pytest.raises(InitError):
            await ahead
        assert failed.message == "division by zero"
        assert [message.split()[0] for message in runner.messages()].count("INIT_START") == 2

    runner.run(scenario)
