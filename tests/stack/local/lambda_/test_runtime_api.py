"""Only the process of an execution environment takes its events and posts its results."""

import asyncio
import json
import re

import httpx
import psutil
import pytest

from stack.local.lambda_.invoke import Invoker
from tests.support.lambdas import FunctionRunner, event, payload_of, until

WAIT_FOR_RELEASE = """
    import os, subprocess, sys, time
    def handler(event, context):
        while "until" in event and not os.path.exists(event["until"]):
            time.sleep(0.01)
        child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"],
                               capture_output=True, text=True)
        return {"address": os.environ["AWS_LAMBDA_RUNTIME_API"], "child": child.stdout,
                "request": context.aws_request_id}
"""


def address(pid: int) -> str:
    """Return host and port of the Runtime API of a process, without the token."""
    value = psutil.Process(pid).environ()["AWS_LAMBDA_RUNTIME_API"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+/[\w-]{22}", value)
    return value.partition("/")[0]


@pytest.mark.parametrize("native", [None, False], ids=["native client", "client in Python"])
@pytest.mark.parametrize("token", ["", "/wrong-token-of-22-chars-"], ids=["none", "wrong"])
def test_another_process_gets_no_event_and_posts_no_result(
    runner: FunctionRunner, native: bool | None, token: str
) -> None:
    function = runner.function(WAIT_FOR_RELEASE)
    release = runner.home / "release"

    async def scenario(invoker: Invoker) -> None:
        await invoker.start(function)
        (pid,) = invoker.pids("fn")
        base = f"http://{address(pid)}{token}/2018-06-01/runtime"
        async with httpx.AsyncClient(timeout=5) as client:
            # Before the invocation: a poll that was accepted would get the event.
            assert (await client.get(f"{base}/invocation/next")).status_code == 403
            call = asyncio.create_task(invoker.invoke(function, event(until=str(release))))
            await until(lambda: "START RequestId" in runner.log())
            found = re.search(r"START RequestId: (\S+)", runner.log())
            assert found
            for path in (f"invocation/{found[1]}/response", f"invocation/{found[1]}/error"):
                assert (await client.post(f"{base}/{path}", content=b'"forged"')).status_code == 403
            assert (await client.post(f"{base}/init/error", content=b"{}")).status_code == 403
        release.touch()
        assert payload_of(await call)["request"] == found[1]
        assert invoker.pids("fn") == [pid]

    runner.run(scenario, native_client=native)


def test_an_environment_has_a_token_of_its_own_which_the_handler_does_not_hand_on(
    runner: FunctionRunner,
) -> None:
    function = runner.function(WAIT_FOR_RELEASE)

    async def scenario(invoker: Invoker) -> None:
        seen = payload_of(await invoker.invoke(function, b"{}"))
        (pid,) = invoker.pids("fn")
        assert seen["address"] == address(pid)
        token = psutil.Process(pid).environ()["AWS_LAMBDA_RUNTIME_API"].partition("/")[2]
        assert token not in seen["child"]
        release = runner.home / "release"
        calls = [
            asyncio.create_task(invoker.invoke(function, event(until=str(release))))
            for _ in range(2)
        ]
        await until(lambda: len(invoker.pids("fn")) == 2)
        tokens = {
            psutil.Process(pid).environ().get("AWS_LAMBDA_RUNTIME_API", "").partition("/")[2]
            for pid in invoker.pids("fn")
        }
        release.touch()
        await asyncio.gather(*calls)
        assert len(tokens) == 2

    runner.run(scenario)


@pytest.mark.parametrize("native", [None, False], ids=["native client", "client in Python"])
def test_a_failed_init_is_reported_with_the_token(
    runner: FunctionRunner, native: bool | None
) -> None:
    function = runner.function("import missing_package")

    async def scenario(invoker: Invoker) -> dict[str, str]:
        return json.loads((await invoker.invoke(function, b"{}")).payload)

    document = runner.run(scenario, native_client=native)
    assert document["errorType"] == "Runtime.ImportModuleError"
