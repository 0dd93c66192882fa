"""The process of a function: variables, imports, and the runtime clients."""

import hashlib
import json
import os
import re

import pytest

from stack.local.lambda_.invoke import Invoker
from stack.local.lambda_.runtime_api import MAX_PAYLOAD
from tests.support.lambdas import FunctionRunner, event, payload_of


def test_a_function_has_lambdas_variables_and_its_own_and_none_of_the_developers(
    runner: FunctionRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the developer's")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    source = """
        import os, sys
        def handler(event, context):
            return {"env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path,
                    "arn": context.invoked_function_arn, "id": context.aws_request_id,
                    "left": context.get_remaining_time_in_millis()}
    """
    function = runner.function(
        source, environment={"STAGE": "test", "AWS_REGION": "reserved names are Lambda's"}
    )
    invocation = runner.run(
        lambda invoker: invoker.invoke(function, b"{}", "Root=1-00000000-000000000000000000000000")
    )
    seen = payload_of(invocation)
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


def test_a_function_imports_from_its_code_its_layers_and_the_runtime_client_alone_in_this_order(
    runner: FunctionRunner,
) -> None:
    layer = runner.home / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "both.py").write_text("origin = 'layer'")
    (layer / "python" / "only.py").write_text("origin = 'layer'")
    source = """
        import importlib.util
        import both, only, simplejson
        def handler(event, context):
            absent = importlib.util.find_spec("psutil") is None
            return [both.origin, only.origin, absent, callable(exit)]
    """
    function = runner.function(source, layers=(layer,))
    (function.task_root / "both.py").write_text("origin = 'code'")
    assert payload_of(runner.run(lambda invoker: invoker.invoke(function, b"{}"))) == [
        "code",
        "layer",
        True,
        True,
    ]


def test_nothing_is_written_into_the_unpacked_code(runner: FunctionRunner) -> None:
    function = runner.function(
        "import helper\ndef handler(event, context):\n    return helper.value"
    )
    (function.task_root / "helper.py").write_text("value = 42")

    def digest() -> dict[str, str]:
        files = (path for path in function.task_root.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = digest()
    assert payload_of(runner.run(lambda invoker: invoker.invoke(function, b"{}"))) == 42
    assert digest() == before


@pytest.mark.parametrize(
    "native", [None, False], ids=["the installed client", "the client in Python"]
)
def test_the_runtime_client_takes_events_and_reports_results_and_errors(
    runner: FunctionRunner, native: bool | None
) -> None:
    source = """
        import logging
        def handler(event, context):
            logging.getLogger().warning("two\\nlines")
            if event["fail"]:
                raise ValueError("nicht schön")
            return [event["text"], context.get_remaining_time_in_millis() > 0]
    """
    function = runner.function(source)

    async def scenario(invoker: Invoker) -> None:
        for text in ("schön ☃", "x" * 1_000_000):
            assert payload_of(await invoker.invoke(function, event(fail=False, text=text))) == [
                text,
                True,
            ]
        failed = await invoker.invoke(function, event(fail=True))
        assert (failed.error, failed.message) == ("Unhandled", "nicht schön")
        document = json.loads(failed.payload)
        assert (document["errorType"], document["requestId"]) == ("ValueError", failed.request_id)
        assert "raise ValueError" in document["stackTrace"][0]
        assert len(invoker.pids("fn")) == 1, (
            "an error that the handler raises does not end the environment"
        )

    runner.run(scenario, native_client=native)
    assert any(message.endswith("two\nlines") for message in runner.messages())


def test_the_runtime_client_in_python_reports_a_failed_init_and_a_response_that_is_too_large(
    runner: FunctionRunner,
) -> None:
    broken, large = (
        runner.function("import missing_package"),
        runner.function(f"def handler(event, context):\n    return 'x' * {MAX_PAYLOAD}"),
    )

    async def scenario(invoker: Invoker) -> tuple[str, str]:
        return (await invoker.invoke(broken, b"{}")).message, (
            await invoker.invoke(large, b"{}")
        ).message

    init, response = runner.run(scenario, native_client=False)
    assert "No module named 'missing_package'" in init
    assert "exceeded maximum allowed payload size" in response
