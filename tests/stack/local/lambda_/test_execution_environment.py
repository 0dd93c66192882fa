"""How an invocation ends, and what it logs, with AWS's runtime client in real processes."""

import asyncio
import json
import math
import os
import re
import signal
import time

import psutil
import pytest

from stack.local.lambda_.invoke import Invoker, PayloadTooLargeError
from stack.local.lambda_.pool import ThrottledError
from stack.local.lambda_.runtime_api import MAX_PAYLOAD
from tests.support.lambdas import RETURN_PID, FunctionRunner, event, payload_of, until


def test_a_handler_that_exits_fails_its_request_and_the_next_gets_a_new_environment(
    runner: FunctionRunner,
) -> None:
    source = """
        import os
        def handler(event, context):
            if event.get("exit"):
                os._exit(3)
            return os.getpid()
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> str:
        first = payload_of(await invoker.invoke(function, b"{}"))
        failed = await invoker.invoke(function, event(exit=True))
        assert json.loads(failed.payload) == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {failed.request_id} "
            "Error: Runtime exited with error: exit status 3",
        }
        assert payload_of(await invoker.invoke(function, b"{}")) != first
        return failed.request_id

    request_id = runner.run(scenario)
    messages = runner.messages()
    start = messages.index(f"START RequestId: {request_id} Version: 1")
    assert messages[start + 1 : start + 3] == [
        f"RequestId: {request_id} "
        "Error: Runtime exited with error: exit status 3\nRuntime.ExitError",
        f"END RequestId: {request_id}",
    ]
    assert messages[start + 3].endswith("\tStatus: error\tError Type: Runtime.ExitError")


def test_an_environment_that_ends_while_it_is_idle_fails_no_request(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID)

    async def scenario(invoker: Invoker) -> None:
        for _ in range(3):
            killed = payload_of(await invoker.invoke(function, b"{}"))
            os.kill(killed, signal.SIGKILL)
            await until(lambda: invoker.pids("fn") == [])
            assert payload_of(await invoker.invoke(function, b"{}")) != killed

    runner.run(scenario)


def test_a_function_is_killed_at_its_timeout_with_its_child_processes(
    runner: FunctionRunner,
) -> None:
    source = """
        import os, subprocess, time
        def handler(event, context):
            if event.get("hang"):
                print("child", subprocess.Popen(["sleep", "60"]).pid)
                time.sleep(60)
            return "fine"
    """
    function = runner.function(source, timeout_s=0.5)

    async def scenario(invoker: Invoker) -> tuple[str, float]:
        await invoker.start(function)
        started = time.monotonic()
        failed = await invoker.invoke(function, event(hang=True))
        seconds = time.monotonic() - started
        assert json.loads(failed.payload) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {failed.request_id} "
            "Error: Task timed out after 0.50 seconds",
        }
        assert payload_of(await invoker.invoke(function, b"{}")) == "fine"
        return failed.request_id, seconds

    request_id, seconds = runner.run(scenario)
    assert 0.5 <= seconds < 30
    assert re.search(
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
        rf"{request_id} Task timed out after 0\.50 seconds$",
        runner.log(),
        re.M,
    )
    assert re.search(rf"^REPORT RequestId: {request_id}\t.*\tStatus: timeout$", runner.log(), re.M)
    child = re.search(r"^child (\d+)$", runner.log(), re.M)
    assert child is not None
    assert (
        not psutil.pid_exists(int(child[1]))
        or psutil.Process(int(child[1])).status() == psutil.STATUS_ZOMBIE
    )


def test_a_response_over_the_limit_fails_and_the_next_request_is_served(
    runner: FunctionRunner,
) -> None:
    function = runner.function("def handler(event, context):\n    return 'x' * event['size']")

    async def scenario(invoker: Invoker) -> None:
        assert (
            len(payload_of(await invoker.invoke(function, event(size=MAX_PAYLOAD - 2))))
            == MAX_PAYLOAD - 2
        )
        failed = await invoker.invoke(function, event(size=MAX_PAYLOAD - 1))
        assert json.loads(failed.payload)["errorType"] == "Function.ResponseSizeTooLarge"
        assert payload_of(await invoker.invoke(function, event(size=1))) == "x"

    runner.run(scenario)
    assert "Runtime exited with error: exit status 1" in runner.log()


def test_an_event_over_the_limit_is_refused_before_anything_starts(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID)

    async def scenario(invoker: Invoker) -> None:
        with pytest.raises(PayloadTooLargeError, match="6,291,556"):
            await invoker.invoke(function, b'"' + b"x" * (MAX_PAYLOAD - 1) + b'"')
        assert invoker.pids("fn") == []

    runner.run(scenario)


def test_more_memory_than_the_function_has_ends_the_environment_after_the_call(
    runner: FunctionRunner,
) -> None:
    source = """
        def handler(event, context):
            return len(bytearray(event["mb"] << 20))
    """
    function = runner.function(source, memory_mb=128)

    async def scenario(invoker: Invoker) -> None:
        payload_of(await invoker.invoke(function, event(mb=1)))
        failed = await invoker.invoke(function, event(mb=200))
        assert json.loads(failed.payload) == {
            "errorType": "Runtime.OutOfMemory",
            "errorMessage": f"RequestId: {failed.request_id} "
            "Error: Runtime exited with error: signal: killed",
        }
        payload_of(await invoker.invoke(function, event(mb=1)))

    runner.run(scenario)
    assert re.search(
        r"\tMax Memory Used: 2\d\d MB\tStatus: error\tError Type: Runtime.OutOfMemory$",
        runner.log(),
        re.M,
    )


def test_in_a_mix_of_successes_errors_exits_and_timeouts_each_request_gets_its_own_result(
    runner: FunctionRunner,
) -> None:
    source = """
        import os, time
        def handler(event, context):
            if event["kind"] == "error":
                raise ValueError(event["number"])
            if event["kind"] == "exit":
                os._exit(1)
            if event["kind"] == "timeout":
                time.sleep(60)
            return event["number"]
    """
    function = runner.function(source, reserved_concurrency=4, timeout_s=1)
    kinds = ["fine", "fine", "error", "fine", "exit", "fine", "fine", "fine", "timeout", "fine"] * 4

    async def scenario(invoker: Invoker) -> None:
        calls = await asyncio.gather(
            *(invoker.invoke(function, event(kind=kind, number=n)) for n, kind in enumerate(kinds))
        )
        types = {"error": "ValueError", "exit": "Runtime.ExitError", "timeout": "Sandbox.Timedout"}
        for number, (kind, call) in enumerate(zip(kinds, calls, strict=True)):
            if kind == "fine":
                assert payload_of(call) == number
            else:
                assert json.loads(call.payload)["errorType"] == types[kind]
            assert kind != "error" or call.message == str(number)
        assert len(invoker.pids("fn")) <= 4

    runner.run(scenario)


def test_the_report_has_the_figures_that_aws_bills(runner: FunctionRunner) -> None:
    function = runner.function(
        "import time\ntime.sleep(0.1)\ndef handler(event, context):\n    time.sleep(0.02)"
    )

    async def scenario(invoker: Invoker) -> None:
        for _ in range(2):
            await invoker.invoke(function, b"{}")

    runner.run(scenario)
    first, second = [message for message in runner.messages() if message.startswith("REPORT")]
    shape = (
        r"REPORT RequestId: [0-9a-f-]{36}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms"
        r"\tMemory Size: 256 MB\tMax Memory Used: (\d+) MB"
    )
    init = re.fullmatch(shape + r"\tInit Duration: ([\d.]+) ms", first)
    plain = re.fullmatch(shape, second)
    assert init is not None
    assert plain is not None
    assert float(init[4]) >= 100
    assert float(init[1]) >= 20
    assert int(init[2]) == math.ceil(round(float(init[1]) + float(init[4]), 2))
    assert int(plain[2]) == math.ceil(float(plain[1]))
    assert 5 < int(plain[3]) < 100


def test_all_output_of_an_invocation_is_logged_before_its_end_record(
    runner: FunctionRunner,
) -> None:
    source = """
        import logging, os, subprocess, sys
        def handler(event, context):
            logging.getLogger().error("one record\\nof two lines")
            print("printed")
            print("to stderr", file=sys.stderr)
            os.write(1, b"to the descriptor\\n")
            subprocess.run(["echo", "from a child"], check=True)
            print("without an end", end="")
    """
    function = runner.function(source)
    request_id = runner.run(lambda invoker: invoker.invoke(function, b"{}")).request_id
    messages = runner.messages()
    written = messages[
        messages.index(f"START RequestId: {request_id} Version: 1") + 1 : messages.index(
            f"END RequestId: {request_id}"
        )
    ]
    framed = next(message for message in written if message.startswith("[ERROR]"))
    assert re.fullmatch(rf"\[ERROR\]\t\d{{4}}-\S+Z\t{request_id}\tone record\nof two lines", framed)
    assert {*written} == {
        framed,
        "printed",
        "to stderr",
        "to the descriptor",
        "from a child",
        "without an end",
    }


def test_a_handler_that_writes_more_than_a_pipe_holds_is_not_blocked(
    runner: FunctionRunner,
) -> None:
    source = """
        def handler(event, context):
            print('x' * 99 + '\\n', end='')
            for _ in range(10_000):
                print('y' * 99)
    """
    function = runner.function(source)
    payload_of(runner.run(lambda invoker: invoker.invoke(function, b"{}")))
    assert runner.messages().count("y" * 99) == 10_000


def test_stopping_ends_running_and_waiting_requests_with_errors(runner: FunctionRunner) -> None:
    function = runner.function(RETURN_PID, reserved_concurrency=1)

    async def scenario(invoker: Invoker) -> None:
        running = asyncio.create_task(invoker.invoke(function, event(sleep=60)))
        await until(lambda: "START RequestId" in runner.log())
        waiting = asyncio.create_task(invoker.invoke(function, b"{}"))
        await asyncio.sleep(0)
        await invoker.stop()
        assert (await running).error == "Unhandled"
        with pytest.raises(ThrottledError):
            await waiting

    runner.run(scenario)
