"""An update that would delete data is refused, with nothing changed, unless it is confirmed."""

from dataclasses import replace

import pytest

from common.errors import UserError
from tests.support.tiny_project import CHAIN, ONE, TinyProject

RENAMED = ONE.replace('name="a"', 'name="b"')


def test_a_replacement_and_a_deletion_that_lose_data_are_refused_with_what_they_lose(
    tiny: TinyProject,
):
    tiny.up(CHAIN)
    tiny.resources.lost = {"a": "20 rows of accounts, 5 rows of notes", "b": "1,000 log records"}
    tiny.resources.take_operations()
    with pytest.raises(UserError) as refused:
        tiny.up(RENAMED)
    message = str(refused.value)
    assert (
        "a would be replaced by a change of name: 20 rows of accounts, 5 rows of notes" in message
    )
    assert "b would be deleted, because the program has it no longer: 1,000 log records" in message
    assert "stack up --allow-data-loss" in message
    assert tiny.resources.take_operations() == []
    assert tiny.names() == ["a", "b"]


def test_a_confirmed_loss_is_carried_out(tiny: TinyProject):
    tiny.up(ONE)
    tiny.resources.lost = {"a": "20 rows of accounts"}
    asked: list[list[str]] = []
    replace(tiny.evaluation(RENAMED), confirm=lambda losses: asked.append(list(losses))).run()
    assert asked == [["a would be replaced by a change of name: 20 rows of accounts"]]
    assert "delete a" in tiny.resources.take_operations()


def test_a_change_that_loses_nothing_asks_nothing(tiny: TinyProject):
    tiny.up(CHAIN)
    tiny.up(RENAMED)
    tiny.resources.lost = {"a": "20 rows of accounts"}
    tiny.up(RENAMED)
    tiny.up(RENAMED.replace("retention_in_days=7", "retention_in_days=14"))
    assert tiny.names() == ["a"]
