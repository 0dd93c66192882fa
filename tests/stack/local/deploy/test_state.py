"""The state file of a stack and the store of the local cloud."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from stack.local.deploy.state import ResourceState, StackState
from stack.local.resources.store import Store, stack_of
from stack.local.resources.values import Archive

GROUP = "aws:cloudwatch/logGroup:LogGroup"


def resource(name: str, **changed: Any) -> ResourceState:
    urn = f"urn:pulumi:test::tiny::{GROUP}::{name}"
    return ResourceState(
        **{"urn": urn, "type": GROUP, "id": f"{name}-1", "inputs": {}, "outputs": {}, **changed}
    )


def test_a_state_is_loaded_as_it_was_saved_in_the_order_of_creation(tmp_path: Path):
    state = StackState(tmp_path / "stacks" / "s.json")
    first = resource(
        "a",
        inputs={"code": Archive("a.zip", "ff"), "n": 1.5},
        outputs={"x": [None, True]},
        secrets=["x"],
        protect=True,
    )
    for item in (first, resource("b"), resource("c")):
        state.put(item)
    state.put(resource("b", id="b-2"))
    state.add_pending_deletion(resource("old"))
    again = StackState(tmp_path / "stacks" / "s.json")
    assert again.all() == [first, resource("b", id="b-2"), resource("c")]
    assert again.get(first.urn) == first
    assert again.pending_deletions() == [resource("old")]
    again.remove_pending_deletion(resource("old"))
    again.remove(first.urn)
    again.remove("urn of nothing")
    assert [item.id for item in StackState(tmp_path / "stacks" / "s.json").all()] == [
        "b-2",
        "c-1",
    ]
    assert again.pending_deletions() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"resources": [{"urn": "u"}], "discarded": []}',
        '{"resources": 1, "discarded": []}',
    ],
)
def test_a_damaged_state_file_is_reported_with_the_remedy_and_not_changed(
    tmp_path: Path, text: str
):
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(
        UserError,
        match=r"state\.json is damaged \(.+\): `stack reset` deletes the local data",
    ):
        StackState(path)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"kind": []}'])
def test_a_damaged_store_is_reported_with_the_remedy(tmp_path: Path, text: str):
    path = tmp_path / "cloud.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"cloud\.json is damaged \(.+\): `stack reset`"):
        Store(path)


def test_an_interrupted_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state.json"
    state = StackState(path)
    state.put(resource("a"))
    before = path.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as cut:
        cut.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            state.put(resource("b"))
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"], "no partial file remains"


def test_a_reader_never_sees_a_partial_state_while_threads_write(tmp_path: Path):
    path = tmp_path / "state.json"
    state = StackState(path)
    state.put(resource("first"))
    with ThreadPoolExecutor(4) as pool:
        written = [
            pool.submit(state.put, resource(f"t{at}", inputs={"text": "x" * 2000}))
            for at in range(24)
        ]
        while not all(future.done() for future in written):
            json.loads(path.read_text())
    assert len(StackState(path).all()) == 25
    assert [future.exception() for future in written] == [None] * 24


def test_the_store_keeps_records_by_kind_and_finds_them_by_fields_the_oldest_first(
    tmp_path: Path,
):
    store = Store(tmp_path / "cloud.json")
    assert store.get("functions", "f") is None
    assert store.find("functions") == {}
    store.put("functions", "f", {"name": "f", "owner": "a", "code": Archive("a.zip", "ff")})
    store.put("functions", "g", {"name": "g", "owner": "a"})
    store.put("roles", "f", {"owner": "b"})
    again = Store(tmp_path / "cloud.json")
    assert list(again.find("functions", owner="a")) == ["f", "g"]
    assert again.find("functions", owner="b") == {}
    assert again.get("functions", "f") == {
        "name": "f",
        "owner": "a",
        "code": Archive("a.zip", "ff"),
    }
    again.remove("functions", "f")
    again.remove("functions", "f")
    again.remove("nothing", "f")
    assert list(Store(tmp_path / "cloud.json").find("functions")) == ["g"]
    assert again.get("roles", "f") == {"owner": "b"}
    assert stat.S_IMODE((tmp_path / "cloud.json").stat().st_mode) == 0o600


def test_find_returns_a_snapshot(tmp_path: Path):
    store = Store(tmp_path / "cloud.json")
    store.put("apis", "a", {"owner": "x"})
    found = store.find("apis")
    store.remove("apis", "a")
    assert list(found) == ["a"]


@pytest.mark.parametrize("stack", ["local", "pr-1", "a.b_c"])
def test_the_stack_of_a_urn(stack: str):
    assert stack_of(f"urn:pulumi:{stack}::tiny::aws:x$aws:y::name") == stack


def test_the_store_lists_the_stacks_that_own_records(tmp_path: Path):
    store = Store(tmp_path / "cloud.json")
    for stack in ("local", "pr-1"):
        store.put("apis", stack, {"owner": f"urn:pulumi:{stack}::tiny::aws:x::name"})
    assert store.stacks() == {"local", "pr-1"}
    store.remove("apis", "pr-1")
    assert store.stacks() == {"local"}
