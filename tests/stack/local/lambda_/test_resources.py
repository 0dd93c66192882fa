"""The handlers of Lambda functions, layers, invocations and permissions."""

import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from stack.local.lambda_.invocation import Invocation
from stack.local.lambda_.packages import Packages
from stack.local.registry import HANDLERS
from stack.local.resources.values import Archive
from tests.support.handler_bench import FUNCTION, INVOCATION, LAYER, PERMISSION, HandlerBench


def test_a_function_publishes_a_version_for_each_change_for_which_lambda_publishes_one(
    bench: HandlerBench,
):
    assert bench.create(FUNCTION)[1]["version"] == "1"
    assert (
        bench.update(FUNCTION, "api", tags={"a": "b"}, reservedConcurrentExecutions=5)["version"]
        == "1"
    )
    assert bench.update(FUNCTION, "api", environment={"variables": {"A": "2"}})["version"] == "2"
    assert bench.update(FUNCTION, "api", code=bench.archive("other"))["version"] == "3"
    record = bench.store.get("functions", "api")
    assert record is not None
    roots = {version: Path(record["versions"][version]["taskRoot"]) for version in ("1", "3")}
    assert (roots["1"] / "code.py").read_text() == "NAME = 'code'\n", (
        "the old version keeps its files"
    )
    assert (roots["3"] / "other.py").is_file()
    assert record["versions"]["2"]["configuration"]["environment"] == {"variables": {"A": "2"}}
    assert bench.data.calls[-1] == "changed api"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memorySize", 1024),
        ("timeout", 10),
        ("runtime", "python3.14"),
        ("layers", []),
        ("description", "x"),
        ("role", "r"),
    ],
)
def test_a_change_of_each_versioned_input_publishes_a_version(
    bench: HandlerBench, key: str, value: Any
):
    bench.create(FUNCTION)
    assert bench.update(FUNCTION, "api", **{key: value})["version"] == "2"
    assert HANDLERS[FUNCTION].recomputed_outputs(frozenset({key})) == {
        "version",
        "qualifiedArn",
        "qualifiedInvokeArn",
        "lastModified",
        "sourceCodeSize",
    }


def test_only_changes_of_versioned_inputs_recompute_outputs():
    handler = HANDLERS[FUNCTION]
    assert {key for key in handler.supported if handler.recomputed_outputs(frozenset({key}))} == {
        "code",
        "layers",
        "environment",
        "memorySize",
        "timeout",
        "role",
        "runtime",
        "handler",
        "description",
        "loggingConfig",
    }


def test_a_function_that_does_not_publish_has_the_version_latest_only(bench: HandlerBench):
    _, outputs = bench.create(FUNCTION, publish=False)
    assert outputs["version"] == "$LATEST"
    record = bench.store.get("functions", "api")
    assert record is not None
    assert list(record["versions"]) == ["$LATEST"]


def test_a_function_gets_the_layers_that_it_names_and_refuses_a_missing_one(bench: HandlerBench):
    arn = bench.create(LAYER)[0]
    bench.create(FUNCTION, layers=[arn])
    record = bench.store.get("functions", "api")
    assert record is not None
    assert [Path(layer, "layer.py").is_file() for layer in record["versions"]["1"]["layers"]] == [
        True
    ]
    with pytest.raises(UserError, match="there is no layer arn:none"):
        bench.update(FUNCTION, "api", layers=["arn:none"])


def test_a_function_whose_files_were_removed_is_created_again(bench: HandlerBench):
    identity, outputs = bench.create(FUNCTION)
    bench.packages.prune(list)
    assert bench.read(FUNCTION, identity, outputs) is None
    assert bench.create(FUNCTION)[1]["version"] == "1"
    assert bench.read(FUNCTION, identity, outputs) is not None


def test_a_layers_version_follows_its_content(bench: HandlerBench):
    first = bench.create(LAYER)[0]
    assert first.endswith(":layer:deps:1")
    assert bench.create(LAYER)[0] == first
    second = bench.create(LAYER, code=bench.archive("other"))[0]
    assert second.endswith(":layer:deps:2")
    assert bench.create(LAYER)[0] == first, "the old content has its old version"


def test_only_the_directories_of_versions_that_are_kept_stay_unpacked(bench: HandlerBench):
    def archive(number: int) -> Archive:
        path = bench.root / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr("code.py", f"NUMBER = {number}\n")
        return Archive(path.name).hashed(bench.root)

    layer = bench.create(LAYER)[0]
    bench.create(FUNCTION, layers=[layer])
    for number in range(6):
        bench.update(FUNCTION, "api", code=archive(number), layers=[layer])
    directories = list((bench.root / "packages").iterdir())
    assert len(directories) == 4, "three versions and the layer"
    bench.delete(LAYER, layer)
    assert len(list((bench.root / "packages").iterdir())) == 4, "versions need the deleted layer"
    bench.delete(FUNCTION, "api")
    assert list((bench.root / "packages").iterdir()) == []


def test_a_directory_is_not_removed_between_its_unpacking_and_its_record(
    bench: HandlerBench, monkeypatch: pytest.MonkeyPatch
):
    unpack, pruned = Packages.unpack, threading.Event()

    def unpack_slowly(packages: Packages, archive: Path, digest: str) -> Path:
        directory = unpack(packages, archive, digest)
        threading.Thread(
            target=lambda: (packages.prune(bench.data.directories), pruned.set())
        ).start()
        assert not pruned.wait(0.2)
        return directory

    monkeypatch.setattr(Packages, "unpack", unpack_slowly)
    identity, outputs = bench.create(FUNCTION)
    assert pruned.wait(10)
    assert bench.read(FUNCTION, identity, outputs) is not None


def test_unpacked_files_are_read_only(bench: HandlerBench):
    bench.create(FUNCTION)
    record = bench.store.get("functions", "api")
    assert record is not None
    root = Path(record["versions"]["1"]["taskRoot"])
    assert (root / "code.py").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"environment": {"variables": {"A": "x" * 4096}}},
            "the environment is 4104 bytes, Lambda allows 4096",
        ),
        ({"memorySize": 64}, "memorySize is 64, allowed are 128 to 10240"),
        ({"timeout": 901}, "timeout is 901, allowed are 1 to 900"),
        ({"loggingConfig": None}, "loggingConfig.logGroup is missing"),
        ({"code": Archive("none.zip")}, "there is no file none.zip"),
        ({"memorySize": "512"}, "memorySize is '512', expected int"),
        (
            {"vpcConfig": {"subnetIds": [], "securityGroupIds": []}},
            "'vpcConfig' is not supported locally",
        ),
    ],
)
def test_a_function_that_lambda_or_the_local_cloud_would_refuse_is_refused(
    bench: HandlerBench, changed: dict[str, Any], message: str
):
    assert message in bench.refusal(FUNCTION, **changed)


def test_an_invocation_returns_the_functions_result_and_is_repeated_for_other_triggers(
    bench: HandlerBench,
):
    _, outputs = bench.create(INVOCATION)
    assert outputs == {"result": '{"revision": "0001"}'}
    assert bench.data.invoked == [("migrate", "$LATEST", b"{}")]
    assert (
        bench.create(INVOCATION, triggers={"migrations": "other"})[0] != bench.create(INVOCATION)[0]
    )


def test_a_failed_invocation_is_reported_with_the_functions_error(bench: HandlerBench):
    bench.data.invocation = Invocation(
        request_id="1", payload=b'{"errorType": "OperationalError"}', error="Unhandled"
    )
    with pytest.raises(
        UserError,
        match=r'migrate failed: {"errorType": "OperationalError"}.*stack logs',
    ):
        bench.create(INVOCATION)


def test_a_permission_without_a_source_arn_is_refused(bench: HandlerBench):
    assert "any API of any account" in bench.refusal(PERMISSION, sourceArn=None)
