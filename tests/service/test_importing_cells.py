"""What a cell may look like, and what it is read as."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.importing.cells import MAX_CELL, UNKNOWN, CellError, Reader
from service.importing.formulas import protected, unprotected
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS
from service.schema.limits import INT4_MAX, MAX_DOLLARS

COLUMNS = {column.name: column for column in (*ACCOUNT_COLUMNS, *DAY_COLUMNS)}

READ = {
    "name": {
        "Acme": "Acme",
        "  Acme  ": "Acme",
        "Zoë “Ω” 💡": "Zoë “Ω” 💡",
        "C:\\new": "C:\\\\new",
        "\\N": "\\\\N",
        "x" * 255: "x" * 255,
        "'=1+1": "=1+1",
        "''-x": "'-x",
        "'s Gravenhage": "'s Gravenhage",
        "=1+1": "=1+1",
        "": UNKNOWN,
        "   ": UNKNOWN,
    },
    "arr": {
        "0": "0.00",
        "1200": "1200.00",
        "1200.5": "1200.50",
        "$1,200.50": "1200.50",
        " $ 1,200.50 ": "1200.50",
        "1,234,567": "1234567.00",
        ".5": "0.50",
        "7.": "7.00",
        "+7": "7.00",
        "-0": "0.00",
        "007": "7.00",
        "0.005": "0.01",
        "0.0049": "0.00",
        "1.995": "2.00",
        str(MAX_DOLLARS): f"{MAX_DOLLARS}.00",
    },
    "segment": {"SMB": "SMB", "smb": "SMB", "mid market": "Mid-Market", "MID_MARKET": "Mid-Market",
                "midmarket": "Mid-Market"},
    "renewal_risk": {"low": "Low", "": UNKNOWN},
    "renewal_date": {"2026-12-31": "2026-12-31", "2026-1-1": "2026-01-01",
                     "20261231": "2026-12-31", "31-Dec-26": "2026-12-31",
                     "2026-12-31 00:00:00": "2026-12-31", "2026-12-31T00:00:00.000Z": "2026-12-31",
                     "Dec 31, 2026": "2026-12-31", "2028-02-29": "2028-02-29",
                     "0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31"},
    "active_users": {"0": "0", "80": "80", "80.0": "80", "1,200": "1200", "+5": "5",
                     "005": "5", str(INT4_MAX): str(INT4_MAX)},
    "nps": {"-100": "-100", "'-5": "-5", "100": "100", "-0": "0"},
    "feature_x_adoption": {
        "0.45": "0.45", "45%": "0.45", "45 %": "0.45", "33.3%": "0.333", "100%": "1.0", "1": "1.0",
        "0": "0.0", "-0.0": "0.0",
        ".5": "0.5", "5e-05": "5e-05", "5E-324": "5e-324", "1e-400": "0.0",
    },
    "onboarding_phase": {"yes": "t", "NO": "f", "True": "t", "false": "f", "1": "t", "0": "f",
                         "y": "t", "N": "f"},
    "avg_session_min": {"24.5": "24.5", "0": "0.0", "1e1": "10.0", "1,000": "1000.0"},
}  # fmt: skip

REFUSED = {
    "name": {"x" * 256: "too_long", "x" * 10_001: "too_long", "a\nb": "control_character",
             "a\x00b": "control_character",
             "a\x7f": "control_character", "\x85": "control_character",
             "'\tx": "control_character", "Acme\n": "control_character"},
    "arr": {"-1": "out_of_range", "-$5": "out_of_range", "1000000000000.01": "out_of_range",
            "1_000": "dollars_expected",
            "NaN": "dollars_expected", "inf": "dollars_expected", "1e400": "dollars_expected",
            "1e6": "dollars_expected",
            "1.200,50": "dollars_expected", "12,00": "dollars_expected",
            "1,2000": "dollars_expected", "€5": "dollars_expected",
            "٣": "dollars_expected", "$": "dollars_expected", ".": "dollars_expected",
            "5\x1f": "dollars_expected",
            "\uff15": "dollars_expected", "9" * (MAX_CELL + 1): "too_long",
            "9" * MAX_CELL: "out_of_range"},
    "segment": {"Small": "choice_expected", "SMB\x1f": "choice_expected"},
    "renewal_date": {"31/12/2026": "date_expected", "12/31/2026": "date_expected",
                     "46387": "date_expected",
                     "2026-W53-4": "date_expected", "2026-12-31 14:05": "date_expected",
                     "2026-02-29": "out_of_range",
                     "0000-01-01": "out_of_range", "2026-13-01": "out_of_range",
                     "٢٠٢٦-١٢-٣١": "date_expected",
                     "2026-12-31\x1c": "date_expected", "infinity": "date_expected"},
    "active_users": {"-1": "out_of_range", str(INT4_MAX + 1): "out_of_range",
                     "1_000": "integer_expected", "1.5": "integer_expected",
                     "1e3": "integer_expected", "NaN": "integer_expected",
                     "12\x1f": "integer_expected", "0x10": "integer_expected",
                     "²": "integer_expected", "9" * 1001: "too_long"},
    "seats_purchased": {"0": "out_of_range"},
    "nps": {"101": "out_of_range", "-101": "out_of_range"},
    "weekly_active_pct": {"45": "out_of_range", "101%": "out_of_range", "-0.1": "out_of_range",
                          "1e400": "out_of_range",
                          "-1e400": "out_of_range", "NaN": "ratio_expected",
                          "Infinity": "ratio_expected", "0,45": "ratio_expected",
                          "1e1%": "ratio_expected", "%": "ratio_expected",
                          "1e999999": "ratio_expected"},
    "onboarding_phase": {"maybe": "flag_expected", "2": "flag_expected", "on": "flag_expected"},
    "avg_session_min": {"-0.1": "out_of_range", "1000001": "out_of_range",
                        "nan": "number_expected", "inf": "number_expected"},
}  # fmt: skip


@pytest.mark.parametrize("column", READ)
def test_a_cell_is_read_as_its_value(column: str) -> None:
    reader = Reader(COLUMNS[column])
    assert {cell: reader[cell] for cell in READ[column]} == READ[column]


@pytest.mark.parametrize("column", REFUSED)
def test_a_cell_that_is_no_value_is_refused_with_a_code_and_the_form_that_is_expected(
    column: str,
) -> None:
    reader = Reader(COLUMNS[column])
    for cell, code in REFUSED[column].items():
        with pytest.raises(CellError) as refused:
            reader[cell]
        assert refused.value.code == code, cell
        assert code == "control_character" or "xpected" in refused.value.message
        assert len(cell) < 3 or cell not in refused.value.message


def test_every_column_of_the_interface_can_be_read() -> None:
    for column in COLUMNS.values():
        assert Reader(column)[""] == UNKNOWN


def test_a_column_of_many_distinct_cells_is_read_right_and_does_not_keep_them_all() -> None:
    reader = Reader(COLUMNS["active_users"])
    assert [reader[str(number)] for number in range(10_000)] == [
        str(number) for number in range(10_000)
    ]
    assert len(reader) < 5_000


@given(st.text(), st.sampled_from(sorted(COLUMNS)))
def test_whatever_a_cell_holds_it_is_a_value_or_refused(cell: str, column: str) -> None:
    reader = Reader(COLUMNS[column])
    try:
        value = reader[cell]
    except CellError as error:
        assert error.message.endswith(".")
    else:
        assert "\t" not in value
        assert "\n" not in value
        assert reader[cell] == value


@given(st.text())
@example("")
@example("'")
@example("'=")
@example("''")
@example("-5")
def test_text_that_was_protected_from_being_a_formula_is_read_back_as_it_was(text: str) -> None:
    cell = protected(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unprotected(cell) == text
