"""How resources of two snapshots are compared."""

from stack.report.compare import Kind, compare
from tests.support.snapshots import resource, snapshot


def test_each_resource_has_a_kind_of_change() -> None:
    base = snapshot(
        resource("a", x=1), resource("b", x=1), resource("c", replaces=("x",), x=1), resource("d")
    )
    head = snapshot(
        resource("a", x=1), resource("b", x=2), resource("c", replaces=("x",), x=2), resource("e")
    )
    found = {change.name: change.kind for change in compare(base, head)}
    assert found == {
        "a": Kind.SAME,
        "b": Kind.CHANGED,
        "c": Kind.REPLACED,
        "d": Kind.LOST,
        "e": Kind.CREATED,
    }


def test_losses_come_first_and_protected_resources_before_all() -> None:
    base = snapshot(
        resource("plain"),
        resource("data", data_loss="its data"),
        resource("kept", data_loss="its name", protect=True),
    )
    names = [change.name for change in compare(base, snapshot(resource("new")))]
    assert names == ["kept", "data", "plain", "new"]


def test_a_difference_has_its_path_also_inside_a_json_document() -> None:
    old = resource(
        "a", env={"variables": {"A": "1", "B": "2"}}, policy='{"Version": "1", "Statement": []}'
    )
    new = resource(
        "a", env={"variables": {"A": "1", "C": "3"}}, policy='{"Statement": [], "Version": "2"}'
    )
    (change,) = compare(snapshot(old), snapshot(new))
    assert [(it.path, it.old, it.new) for it in change.differences] == [
        ("env.variables.B", "2", None),
        ("env.variables.C", None, "3"),
        ("policy.Version", "1", "2"),
    ]


def test_lists_of_the_same_length_are_compared_by_index_and_others_as_a_whole() -> None:
    (change,) = compare(
        snapshot(resource("a", x=[{"y": 1}, 2], z=[1])),
        snapshot(resource("a", x=[{"y": 3}, 2], z=[1, 2])),
    )
    assert [(it.path, it.old, it.new) for it in change.differences] == [
        ("x[0].y", 1, 3),
        ("z", [1], [1, 2]),
    ]
    assert {it.root for it in change.differences} == {"x", "z"}


def test_removed_protection_is_a_change() -> None:
    (change,) = compare(snapshot(resource("a", protect=True)), snapshot(resource("a")))
    assert change.kind is Kind.CHANGED
    assert [it.path for it in change.differences] == ["protection"]


def test_a_resource_of_another_type_under_the_same_name_is_lost_and_created() -> None:
    assert [
        it.kind for it in compare(snapshot(resource("a", "t")), snapshot(resource("a", "u")))
    ] == [Kind.LOST, Kind.CREATED]
