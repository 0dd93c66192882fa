"""Markdown that no text of the program can change."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.report.markdown import MAX_BLOCK_LINES, MAX_SPAN, code, code_block, format_bytes, table

PROPERTY = settings(deadline=None, database=None)


def rendered(span: str) -> str:
    """Return the text that a code span in a table cell renders.

    The fence is the longest run of backticks at its ends (CommonMark 6.1, GFM tables).
    """
    plain = span.replace("\\|", "|")
    fence = re.match("`+", plain)
    assert fence, span
    inner = plain[len(fence[0]) : -len(fence[0])]
    assert plain.endswith(fence[0])
    assert fence[0] not in [run for run in re.findall("`+", inner) if len(run) == len(fence[0])]
    return inner.strip()


@PROPERTY
@given(st.text(st.sampled_from(list("`|<>@#[]()!*_~\\ \n\r\t\u202eab")), max_size=60))
def test_any_text_is_one_code_span_in_one_cell(text: str) -> None:
    span = code(text)
    assert "\n" not in span
    assert "\u202e" not in span
    assert not re.search(r"(?<!\\)\|", span)
    if span != "(empty)":
        assert rendered(span) == re.sub(r"[\n\r\t\u202e]+", " ", text).strip()


def test_long_text_is_cut() -> None:
    assert len(code("x" * 1000)) == MAX_SPAN + 2
    assert code_block(["x"] * 1000).count("\n") == MAX_BLOCK_LINES + 2


@PROPERTY
@given(st.lists(st.text(st.sampled_from(list("`~ab\n")), max_size=12), max_size=6))
def test_no_line_of_a_code_block_ends_it(lines: list[str]) -> None:
    text = code_block(lines)
    fence = re.match("`+", text)
    assert fence
    inner = text.split("\n")[1:-1]
    assert len(inner) == len(lines)
    assert not [line for line in inner if line.strip().startswith(fence[0])]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (-308, "-308 B"),
        (1000, "1.0 kB"),
        (-99_949, "-99.9 kB"),
        (15_602_279, "15.60 MB"),
    ],
)
def test_sizes_are_in_units_of_a_thousand(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_a_table_has_a_header_a_rule_and_its_rows() -> None:
    text = table(["a", "b"], [[code("x|y"), "1"]], right=(1,))
    assert text.splitlines() == ["| a | b |", "| --- | ---: |", "| `x\\|y` | 1 |"]
