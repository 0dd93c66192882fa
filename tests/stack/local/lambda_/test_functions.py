"""Execution environments as Lambda has them, with AWS's own runtime client in real processes."""

import asyncio
import hashlib
import json
import math
import os
import re
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from stack.local.lambda_.execution_environment import InitError
from stack.local.lambda_.function_version import FunctionVersion
from stack.local.lambda_.invoke import Invoker, PayloadTooLargeError
from stack.local.lambda_.pool import ThrottledError
from stack.local.lambda_.runtime_api import MAX_PAYLOAD
from tests.support.lambdas import Lab, body, event, until

PID = """
import os, time

def handler(event, context):
    while "until" in event and not os.path.exists(event["until"]):
        time.sleep(0.01)
    time.sleep(event.get("sleep", 0))
    return os.getpid()
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def fill(
    lab: Lab, functions: Invoker, function: FunctionVersion, requests: int, environments: int
) -> list[int]:
    """So many requests at once, none of which ends before there are so many environments."""
    release = lab.home / f"release-{time.monotonic_ns()}"
    calls = [
        asyncio.create_task(functions.invoke(function, event(until=str(release))))
        for _ in range(requests)
    ]
    await until(lambda: len(functions.pids("fn")) == environments)
    release.touch()
    return [body(call) for call in await asyncio.gather(*calls)]


def statuses(functions: Invoker) -> list[str]:
    return [psutil.Process(pid).status() for pid in functions.pids("fn")]


# What a function sees


def test_a_function_has_lambdas_variables_and_its_own_and_none_of_the_developers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the developer's")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    source = """
        import os, sys
        def handler(event, context):
            return {"env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path, "arn": context.invoked_function_arn,
                    "left": context.get_remaining_time_in_millis(), "id": context.aws_request_id}
    """
    function = lab.function(
        source, environment={"STAGE": "test", "AWS_REGION": "reserved names are Lambda's"}
    )
    invocation = lab.run(
        lambda functions: functions.invoke(
            function, b"{}", "Root=1-00000000-000000000000000000000000"
        )
    )
    seen = body(invocation)
    variables = seen["env"]
    stream, api, client = (
        variables.pop(name)
        for name in ("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR")
    )
    variables.pop("LC_CTYPE", None)  # Python's own, where the locale is missing
    variables.pop("LD_LIBRARY_PATH", None)
    assert variables == {
        "_HANDLER": "app.handler",
        "_X_AMZN_TRACE_ID": "Root=1-00000000-000000000000000000000000",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": variables["AWS_EXECUTION_ENV"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(function.task_root),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{function.task_root}{os.pathsep}{client}",
        "STAGE": "test",
        "TZ": ":UTC",
    }
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", stream)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", api)
    assert re.fullmatch(r"AWS_Lambda_python3\.\d+", variables["AWS_EXECUTION_ENV"])
    assert seen["cwd"] == str(function.task_root)
    assert seen["path"][:2] == [str(function.task_root), client]
    assert not [entry for entry in seen["path"] if "site-packages" in entry]
    assert seen["arn"] == function.arn
    assert seen["id"] == invocation.request_id
    assert 9_000 < seen["left"] <= 10_000


def test_a_function_imports_from_its_code_then_its_layers_then_the_runtime_client_and_from_nowhere_else(
    lab: Lab,
) -> None:
    layer = lab.home / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "both.py").write_text("origin = 'layer'")
    (layer / "python" / "only.py").write_text("origin = 'layer'")
    source = """
        import importlib.util
        import both, only, simplejson
        def handler(event, context):
            return [both.origin, only.origin, importlib.util.find_spec("psutil") is None, callable(exit)]
    """
    function = lab.function(source, layers=(layer,))
    (function.task_root / "both.py").write_text("origin = 'code'")
    assert body(lab.run(lambda functions: functions.invoke(function, b"{}"))) == [
        "code",
        "layer",
        True,
        True,
    ]


def test_nothing_is_written_into_the_unpacked_code(lab: Lab) -> None:
    function = lab.function("import helper\ndef handler(event, context):\n    return helper.answer")
    (function.task_root / "helper.py").write_text("answer = 42")

    def digest() -> dict[str, str]:
        files = (path for path in function.task_root.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = digest()
    assert body(lab.run(lambda functions: functions.invoke(function, b"{}"))) == 42
    assert digest() == before


@pytest.mark.parametrize(
    "native", [None, False], ids=["the client of this machine", "our own client"]
)
def test_the_runtime_client_takes_events_and_reports_answers_and_errors(
    lab: Lab, native: bool | None
) -> None:
    source = """
        import logging
        def handler(event, context):
            logging.getLogger().warning("two\\nlines")
            if event["fail"]:
                raise ValueError("nicht schön")
            return [event["text"], context.get_remaining_time_in_millis() > 0]
    """
    function = lab.function(source)

    async def scenario(functions: Invoker) -> None:
        for text in ("schön ☃", "x" * 1_000_000):
            assert body(await functions.invoke(function, event(fail=False, text=text))) == [
                text,
                True,
            ]
        failed = await functions.invoke(function, event(fail=True))
        assert (failed.error, failed.message) == ("Unhandled", "nicht schön")
        document = json.loads(failed.payload)
        assert (document["errorType"], document["requestId"]) == ("ValueError", failed.request_id)
        assert "raise ValueError" in document["stackTrace"][0]
        assert len(functions.pids("fn")) == 1, (
            "an error that the handler raises does not end the environment"
        )

    lab.run(scenario, native_client=native)
    assert any(message.endswith("two\nlines") for message in lab.messages())


def test_our_own_runtime_client_reports_a_failed_init_and_a_response_that_is_too_large(
    lab: Lab,
) -> None:
    broken, large = (
        lab.function("import missing_package"),
        lab.function(f"def handler(event, context):\n    return 'x' * {MAX_PAYLOAD}"),
    )

    async def scenario(functions: Invoker) -> tuple[str, str]:
        return (await functions.invoke(broken, b"{}")).message, (
            await functions.invoke(large, b"{}")
        ).message

    init, response = lab.run(scenario, native_client=False)
    assert "No module named 'missing_package'" in init
    assert "exceeded maximum allowed payload size" in response


# One environment, one request


def test_an_environment_takes_one_request_at_a_time_and_is_used_again(lab: Lab) -> None:
    source = """
        import os, time
        def handler(event, context):
            began = time.monotonic()
            time.sleep(0.05)
            return [os.getpid(), began, time.monotonic()]
    """
    function = lab.function(source, reserved_concurrency=1)

    async def scenario(functions: Invoker) -> list[list[float]]:
        return [
            body(invocation)
            for invocation in await asyncio.gather(
                *(functions.invoke(function, b"{}") for _ in range(4))
            )
        ]

    calls = sorted(lab.run(scenario), key=lambda call: call[1])
    assert len({pid for pid, _, _ in calls}) == 1
    assert all(earlier[2] <= later[1] for earlier, later in pairwise(calls))


@pytest.mark.parametrize(
    ("reserved", "expected"),
    [(2, 2), (None, 3)],
    ids=["reserved concurrency", "the limit without one"],
)
def test_environments_are_added_on_demand_up_to_the_limit(
    lab: Lab, reserved: int | None, expected: int
) -> None:
    function = lab.function(PID, reserved_concurrency=reserved)

    async def scenario(functions: Invoker) -> list[int]:
        await functions.invoke(function, b"{}")
        assert len(functions.pids("fn")) == 1
        return await fill(lab, functions, function, 8, expected)

    assert len(set(lab.run(scenario, unreserved_concurrency=3))) == expected


def test_the_environment_that_became_idle_last_is_used_first(lab: Lab) -> None:
    function = lab.function(PID)

    async def scenario(functions: Invoker) -> None:
        await fill(lab, functions, function, 2, 2)
        release = lab.home / "last"
        last = asyncio.create_task(functions.invoke(function, event(until=str(release))))
        early = body(await functions.invoke(function, b"{}"))
        release.touch()
        late = body(await last)
        assert early != late
        assert [body(await functions.invoke(function, b"{}")) for _ in range(3)] == [late] * 3

    lab.run(scenario)


def test_a_request_is_served_by_whichever_environment_is_ready_first(lab: Lab) -> None:
    slow = lab.home / "slow"
    function = lab.function(
        f"import os, time\ntime.sleep(5 if os.path.exists({str(slow)!r}) else 0)\n" + PID
    )

    async def scenario(functions: Invoker) -> None:
        first = body(await functions.invoke(function, b"{}"))
        slow.touch()
        busy = asyncio.create_task(functions.invoke(function, event(sleep=0.2)))
        await asyncio.sleep(0)
        began = time.monotonic()
        assert body(await functions.invoke(function, b"{}")) == first
        assert time.monotonic() - began < 5, (
            "it did not wait for the environment that was started on its behalf"
        )
        await busy

    lab.run(scenario)


def test_no_more_environments_start_at_once_than_there_are_cores(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    function = lab.function(
        "import time\nprint('began', time.monotonic())\ntime.sleep(0.05)\nprint('ready', time.monotonic())\n"
        + PID
    )
    lab.run(lambda functions: fill(lab, functions, function, 3, 3))
    starts = sorted(
        (float(moment), what)
        for what, moment in re.findall(r"^(began|ready) ([\d.]+)$", lab.log(), re.M)
    )
    assert [what for _, what in starts] == ["began", "ready"] * 3


# Concurrency


def test_above_the_limit_strict_concurrency_throttles_at_once(lab: Lab) -> None:
    function = lab.function(PID, reserved_concurrency=1)

    async def scenario(functions: Invoker) -> None:
        running = asyncio.create_task(functions.invoke(function, event(sleep=0.3)))
        await asyncio.sleep(0)
        with pytest.raises(ThrottledError, match="Rate Exceeded"):
            await functions.invoke(function, b"{}")
        body(await running)
        body(await functions.invoke(function, b"{}"))

    lab.run(scenario, strict_concurrency=True)


def test_a_function_whose_reserved_concurrency_is_zero_is_always_throttled(lab: Lab) -> None:
    function = lab.function(PID, reserved_concurrency=0)
    with pytest.raises(ThrottledError):
        lab.run(lambda functions: functions.invoke(function, b"{}"))


def test_who_gives_up_while_waiting_for_concurrency_is_never_served_but_what_runs_goes_on(
    lab: Lab,
) -> None:
    source = """
        import time
        def handler(event, context):
            print("began", event["name"])
            time.sleep(0.3)
            print("ended", event["name"])
    """
    function = lab.function(source, reserved_concurrency=1)

    async def scenario(functions: Invoker) -> None:
        await functions.start(function)
        running, waiting = (
            asyncio.create_task(functions.invoke(function, event(name=name)))
            for name in ("running", "waiting")
        )
        await until(lambda: "began running" in lab.log())
        running.cancel()
        waiting.cancel()
        await asyncio.wait({running, waiting})
        assert running.cancelled()
        body(await functions.invoke(function, event(name="next")))

    lab.run(scenario)
    assert "ended running" in lab.log()
    assert "began waiting" not in lab.log()
    assert "ended next" in lab.log()


def test_versions_of_a_function_share_its_concurrency_and_an_idle_one_gives_way(lab: Lab) -> None:
    old, new = (lab.function(PID, reserved_concurrency=1) for _ in range(2))

    async def scenario(functions: Invoker) -> None:
        first = body(await functions.invoke(old, b"{}"))
        second = body(await functions.invoke(new, b"{}"))
        assert functions.pids("fn") == [second]
        await until(lambda: not psutil.pid_exists(first))

    lab.run(scenario)


def test_retired_versions_serve_what_they_have_and_what_waits_for_them_and_then_end(
    lab: Lab,
) -> None:
    old, new = (lab.function(PID, reserved_concurrency=2) for _ in range(2))

    async def scenario(functions: Invoker) -> None:
        both = set(await fill(lab, functions, old, 2, 2))
        release = lab.home / "release"
        running = [
            asyncio.create_task(functions.invoke(old, event(until=str(release)))) for _ in range(3)
        ]
        await until(lambda: statuses(functions).count(psutil.STATUS_STOPPED) == 0)
        await functions.retire("fn", keep={new.version})
        release.touch()
        assert {body(call) for call in await asyncio.gather(*running)} <= both
        fresh = body(await functions.invoke(new, b"{}"))
        await until(lambda: functions.pids("fn") == [fresh])
        await functions.retire("fn")
        assert functions.pids("fn") == []

    lab.run(scenario)


def test_an_environment_that_starts_while_its_version_is_retired_serves_what_waits_and_ends(
    lab: Lab,
) -> None:
    function = lab.function(
        "import time\ntime.sleep(0.3)\ndef handler(event, context):\n    return 'served'"
    )

    async def scenario(functions: Invoker) -> None:
        call = asyncio.create_task(functions.invoke(function, b"{}"))
        await asyncio.sleep(0.05)
        await functions.retire("fn", keep={"another"})
        assert body(await call) == "served"
        await until(lambda: functions.pids("fn") == [])

    lab.run(scenario)


# Freeze


def test_an_environment_is_frozen_between_invocations_and_thawed_for_the_next(lab: Lab) -> None:
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
    function = lab.function(source)

    async def scenario(functions: Invoker) -> float:
        await functions.invoke(function, b"{}")
        await until(lambda: statuses(functions) == [psutil.STATUS_STOPPED])
        await asyncio.sleep(0.4)
        return body(await functions.invoke(function, b"{}"))

    assert lab.run(scenario) >= 0.4, "the background thread stood still"


def test_without_freezing_background_threads_go_on(lab: Lab) -> None:
    function = lab.function(PID)

    async def scenario(functions: Invoker) -> list[str]:
        await functions.invoke(function, b"{}")
        await asyncio.sleep(0.1)
        return statuses(functions)

    assert psutil.STATUS_STOPPED not in lab.run(scenario, freeze=False)


# Ends


def test_a_handler_that_exits_fails_its_request_and_the_next_gets_a_new_environment(
    lab: Lab,
) -> None:
    source = """
        import os
        def handler(event, context):
            if event.get("exit"):
                os._exit(3)
            return os.getpid()
    """
    function = lab.function(source)

    async def scenario(functions: Invoker) -> str:
        first = body(await functions.invoke(function, b"{}"))
        failed = await functions.invoke(function, event(exit=True))
        assert json.loads(failed.payload) == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {failed.request_id} Error: Runtime exited with error: exit status 3",
        }
        assert body(await functions.invoke(function, b"{}")) != first
        return failed.request_id

    request_id = lab.run(scenario)
    messages = lab.messages()
    start = messages.index(f"START RequestId: {request_id} Version: 1")
    assert messages[start + 1 : start + 3] == [
        f"RequestId: {request_id} Error: Runtime exited with error: exit status 3\nRuntime.ExitError",
        f"END RequestId: {request_id}",
    ]
    assert messages[start + 3].endswith("\tStatus: error\tError Type: Runtime.ExitError")


def test_an_environment_that_ends_while_it_is_idle_costs_no_request(lab: Lab) -> None:
    function = lab.function(PID)

    async def scenario(functions: Invoker) -> None:
        for _ in range(3):
            killed = body(await functions.invoke(function, b"{}"))
            os.kill(killed, signal.SIGKILL)
            await until(lambda: functions.pids("fn") == [])
            assert body(await functions.invoke(function, b"{}")) != killed

    lab.run(scenario)


def test_a_function_is_killed_at_its_timeout_with_all_that_it_started(lab: Lab) -> None:
    source = """
        import os, subprocess, time
        def handler(event, context):
            if event.get("hang"):
                print("child", subprocess.Popen(["sleep", "60"]).pid)
                time.sleep(60)
            return "fine"
    """
    function = lab.function(source, timeout_s=0.5)

    async def scenario(functions: Invoker) -> tuple[str, float]:
        await functions.start(function)
        began = time.monotonic()
        failed = await functions.invoke(function, event(hang=True))
        seconds = time.monotonic() - began
        assert json.loads(failed.payload) == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {failed.request_id} Error: Task timed out after 0.50 seconds",
        }
        assert body(await functions.invoke(function, b"{}")) == "fine"
        return failed.request_id, seconds

    request_id, seconds = lab.run(scenario)
    assert 0.5 <= seconds < 30
    assert re.search(
        rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {request_id} Task timed out after 0\.50 seconds$",
        lab.log(),
        re.M,
    )
    assert re.search(rf"^REPORT RequestId: {request_id}\t.*\tStatus: timeout$", lab.log(), re.M)
    child = re.search(r"^child (\d+)$", lab.log(), re.M)
    assert child is not None
    assert (
        not psutil.pid_exists(int(child[1]))
        or psutil.Process(int(child[1])).status() == psutil.STATUS_ZOMBIE
    )


def test_a_response_over_the_cap_fails_and_the_next_request_is_served(lab: Lab) -> None:
    function = lab.function("def handler(event, context):\n    return 'x' * event['size']")

    async def scenario(functions: Invoker) -> None:
        assert (
            len(body(await functions.invoke(function, event(size=MAX_PAYLOAD - 2))))
            == MAX_PAYLOAD - 2
        )
        failed = await functions.invoke(function, event(size=MAX_PAYLOAD - 1))
        assert json.loads(failed.payload)["errorType"] == "Function.ResponseSizeTooLarge"
        assert body(await functions.invoke(function, event(size=1))) == "x"

    lab.run(scenario)
    assert "Runtime exited with error: exit status 1" in lab.log()


def test_an_event_over_the_cap_is_refused_before_anything_starts(lab: Lab) -> None:
    function = lab.function(PID)

    async def scenario(functions: Invoker) -> None:
        with pytest.raises(PayloadTooLargeError, match="6,291,556"):
            await functions.invoke(function, b'"' + b"x" * (MAX_PAYLOAD - 1) + b'"')
        assert functions.pids("fn") == []

    lab.run(scenario)


def test_more_memory_than_the_function_has_ends_the_environment_after_the_call(lab: Lab) -> None:
    source = """
        def handler(event, context):
            return len(bytearray(event["mb"] << 20))
    """
    function = lab.function(source, memory_mb=128)

    async def scenario(functions: Invoker) -> None:
        body(await functions.invoke(function, event(mb=1)))
        failed = await functions.invoke(function, event(mb=200))
        assert json.loads(failed.payload) == {
            "errorType": "Runtime.OutOfMemory",
            "errorMessage": f"RequestId: {failed.request_id} Error: Runtime exited with error: signal: killed",
        }
        body(await functions.invoke(function, event(mb=1)))

    lab.run(scenario)
    assert re.search(
        r"\tMax Memory Used: 2\d\d MB\tStatus: error\tError Type: Runtime.OutOfMemory$",
        lab.log(),
        re.M,
    )


def test_in_a_mix_of_successes_errors_exits_and_timeouts_each_request_gets_its_own_answer(
    lab: Lab,
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
    function = lab.function(source, reserved_concurrency=4, timeout_s=1)
    kinds = ["fine", "fine", "error", "fine", "exit", "fine", "fine", "fine", "timeout", "fine"] * 4

    async def scenario(functions: Invoker) -> None:
        calls = await asyncio.gather(
            *(
                functions.invoke(function, event(kind=kind, number=n))
                for n, kind in enumerate(kinds)
            )
        )
        types = {"error": "ValueError", "exit": "Runtime.ExitError", "timeout": "Sandbox.Timedout"}
        for number, (kind, call) in enumerate(zip(kinds, calls, strict=True)):
            if kind == "fine":
                assert body(call) == number
            else:
                assert json.loads(call.payload)["errorType"] == types[kind]
            assert kind != "error" or call.message == str(number)
        assert len(functions.pids("fn")) <= 4

    lab.run(scenario)


# Init


def test_a_handler_that_does_not_import_fails_every_waiting_request_at_once_and_the_next_one_tries_again(
    lab: Lab,
) -> None:
    function = lab.function("import late", reserved_concurrency=3)

    async def scenario(functions: Invoker) -> None:
        calls = await asyncio.gather(*(functions.invoke(function, b"{}") for _ in range(12)))
        for call in calls:
            document = json.loads(call.payload)
            assert document["errorType"] == "Runtime.ImportModuleError"
            assert "No module named 'late'" in document["errorMessage"]
        assert functions.pids("fn") == []
        (function.task_root / "late.py").write_text("")
        (function.task_root / "app.py").write_text(
            "def handler(event, context):\n    return 'repaired'"
        )
        assert body(await functions.invoke(function, b"{}")) == "repaired"

    lab.run(scenario)
    assert (
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'late'"
        in lab.log()
    )
    assert re.search(
        r"^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError$",
        lab.log(),
        re.M,
    )


def test_a_failed_start_takes_only_its_own_request_along_while_another_environment_works(
    lab: Lab,
) -> None:
    broken = lab.home / "broken"
    function = lab.function(
        f"import os\nassert not os.path.exists({str(broken)!r})\n" + PID, reserved_concurrency=2
    )

    async def scenario(functions: Invoker) -> None:
        works = body(await functions.invoke(function, b"{}"))
        broken.touch()
        release = lab.home / "release"
        running = asyncio.create_task(functions.invoke(function, event(until=str(release))))
        await asyncio.sleep(0)
        unlucky = asyncio.create_task(functions.invoke(function, b"{}"))
        assert json.loads((await unlucky).payload)["errorType"] == "AssertionError"
        release.touch()
        assert body(await running) == works
        assert body(await functions.invoke(function, b"{}")) == works

    lab.run(scenario)


def test_a_module_that_exits_while_it_is_imported_is_an_init_error(lab: Lab) -> None:
    function = lab.function("import os\nprint('leaving')\nos._exit(7)")
    failed = lab.run(lambda functions: functions.invoke(function, b"{}"))
    assert json.loads(failed.payload)["errorMessage"] == "Runtime exited with error: exit status 7"
    assert "leaving" in lab.messages()


def test_a_task_root_that_is_gone_is_an_init_error_too(lab: Lab) -> None:
    function = replace(lab.function(PID), task_root=lab.home / "nowhere")
    failed = lab.run(lambda functions: functions.invoke(function, b"{}"))
    assert "nowhere" in failed.message


def test_an_init_over_its_limit_is_repeated_within_the_invocation(lab: Lab) -> None:
    function = lab.function(
        "import time\ntime.sleep(0.6)\ndef handler(event, context):\n    return context.get_remaining_time_in_millis()",
        timeout_s=5,
    )
    left = body(lab.run(lambda functions: functions.invoke(function, b"{}"), init_limit_s=0.3))
    assert left < 4_400, "the repeated init used up some of the function's time"
    assert re.search(
        r"^INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: timeout$", lab.log(), re.M
    )
    report = re.search(r"^REPORT .*\tDuration: ([\d.]+) ms.*$", lab.log(), re.M)
    assert report is not None
    assert float(report[1]) >= 600
    assert "Init Duration" not in report[0]


def test_an_init_that_never_ends_fails_at_the_functions_timeout(lab: Lab) -> None:
    function = lab.function("import time\ntime.sleep(60)", timeout_s=0.3)
    failed = lab.run(lambda functions: functions.invoke(function, b"{}"), init_limit_s=0.2)
    assert json.loads(failed.payload)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 0.3" in failed.message


def test_an_environment_can_be_started_ahead_and_says_why_when_it_cannot(lab: Lab) -> None:
    good, bad = lab.function(PID), lab.function("print('before the fault')\n1 / 0")

    async def scenario(functions: Invoker) -> None:
        await functions.start(good)
        await functions.start(good)
        (pid,) = functions.pids("fn")
        assert body(await functions.invoke(good, b"{}")) == pid
        with pytest.raises(InitError) as error:
            await functions.start(bad)
        assert str(error.value).startswith("fn, version 2, does not start: division by zero\n")
        assert "before the fault" in str(error.value)
        assert "LAMBDA_WARNING" not in str(error.value), "which says nothing about the fault"
        assert functions.pids("fn") == [pid]

    lab.run(scenario)


def test_a_request_takes_over_the_environment_that_is_being_started_ahead(lab: Lab) -> None:
    function, broken = lab.function(PID), lab.function("1 / 0")

    async def scenario(functions: Invoker) -> None:
        ahead = asyncio.create_task(functions.start(function))
        await asyncio.sleep(0)
        pid = body(await functions.invoke(function, b"{}"))
        await ahead
        assert functions.pids("fn") == [pid]
        ahead = asyncio.create_task(functions.start(broken))
        await asyncio.sleep(0)
        failed = await functions.invoke(broken, b"{}")
        with pytest.raises(InitError):
            await ahead
        assert failed.message == "division by zero"
        assert [message.split()[0] for message in lab.messages()].count("INIT_START") == 2

    lab.run(scenario)


# Log


def test_the_report_has_the_figures_that_aws_bills(lab: Lab) -> None:
    function = lab.function(
        "import time\ntime.sleep(0.1)\ndef handler(event, context):\n    time.sleep(0.02)"
    )

    async def scenario(functions: Invoker) -> None:
        for _ in range(2):
            await functions.invoke(function, b"{}")

    lab.run(scenario)
    first, second = [message for message in lab.messages() if message.startswith("REPORT")]
    shape = r"REPORT RequestId: [0-9a-f-]{36}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB\tMax Memory Used: (\d+) MB"
    init = re.fullmatch(shape + r"\tInit Duration: ([\d.]+) ms", first)
    plain = re.fullmatch(shape, second)
    assert init is not None
    assert plain is not None
    assert float(init[4]) >= 100
    assert float(init[1]) >= 20
    assert int(init[2]) == math.ceil(round(float(init[1]) + float(init[4]), 2))
    assert int(plain[2]) == math.ceil(float(plain[1]))
    assert 5 < int(plain[3]) < 100


def test_all_that_an_invocation_writes_is_in_its_log_before_its_end(lab: Lab) -> None:
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
    function = lab.function(source)
    request_id = lab.run(lambda functions: functions.invoke(function, b"{}")).request_id
    messages = lab.messages()
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


def test_a_handler_that_writes_more_than_a_pipe_holds_is_not_blocked(lab: Lab) -> None:
    function = lab.function(
        "def handler(event, context):\n    print('x' * 99 + '\\n', end='')\n    for _ in range(10_000):\n        print('y' * 99)"
    )
    body(lab.run(lambda functions: functions.invoke(function, b"{}")))
    assert lab.messages().count("y" * 99) == 10_000


def test_stopping_answers_what_runs_and_what_waits(lab: Lab) -> None:
    function = lab.function(PID, reserved_concurrency=1)

    async def scenario(functions: Invoker) -> None:
        running = asyncio.create_task(functions.invoke(function, event(sleep=60)))
        await until(lambda: "START RequestId" in lab.log())
        waiting = asyncio.create_task(functions.invoke(function, b"{}"))
        await asyncio.sleep(0)
        await functions.stop()
        assert (await running).error == "Unhandled"
        with pytest.raises(ThrottledError):
            await waiting

    lab.run(scenario)
