"""Reading CSV files: their rows, or their problems by row, column and code."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.csv_files import HEADER, accounts_csv, days_csv
from service.importing import CopyBuffer, File, InvalidFileError, protected, read_file
from service.importing.problems import MAX_LISTED
from service.importing.records import CHUNK_RECORDS
from service.importing.rows import TOTALS
from service.schema.columns import ACCOUNT_COLUMNS, DAY_COLUMNS
from service.schema.text import InvisibleCharacterError, normalize

ALL = [column.name for column in (*ACCOUNT_COLUMNS, *DAY_COLUMNS)]
GOOD = "name,arr,segment\nAcme,1200,SMB\nBeta,5,Enterprise\n"


def read(content: bytes | str) -> File:
    return read_file(io.BytesIO(content.encode() if isinstance(content, str) else content))


def rows(lines: CopyBuffer) -> list[dict[str, str]]:
    """Rows by column; the key is left out where the name is a column of its own."""
    columns = ["name" if name == "key" else name for name in lines.columns]
    return [
        dict(zip(columns, line.split("\t"), strict=True))
        for line in "".join(lines.text()).split("\n")[:-1]
    ]


def problems(content: bytes | str) -> list[tuple[int, str | None, str]]:
    with pytest.raises(InvalidFileError) as refused:
        read(content)
    assert refused.value.total == len(refused.value.problems)
    return [problem[:3] for problem in refused.value.problems]


def message(content: bytes | str) -> str:
    with pytest.raises(InvalidFileError) as refused:
        read(content)
    return refused.value.problems[0].message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_ends_of_lines_a_mark_and_the_delimiter_make_no_difference(
    end: str, mark: str, delimiter: str
) -> None:
    content = mark + GOOD.replace(",", delimiter).replace("\n", end)
    assert rows(read(content).accounts) == rows(read(GOOD).accounts)
    assert rows(read(content.removesuffix(end)).accounts) == rows(read(GOOD).accounts)


def test_the_delimiter_is_the_one_of_the_header_whatever_the_cells_hold() -> None:
    found = rows(read('name;arr;segment\n"A;B";$1,200;SMB\n').accounts)
    assert found == [{"name": "A;B", "arr": "1200.00", "segment": "SMB"}]


@pytest.mark.parametrize(
    "header",
    [
        "NAME,Arr,SEGMENT",
        "Account Name,ARR,Segment",
        " company , annual recurring revenue ,account_segment",
        "Customer-Name,arr usd,segment",
        '"name","arr","segment"',
    ],
)
def test_names_of_columns_come_in_any_case_and_by_their_aliases(header: str) -> None:
    assert rows(read(GOOD.replace("name,arr,segment", header)).accounts) == rows(
        read(GOOD).accounts
    )


def test_columns_come_in_any_order_and_those_that_the_service_derives_are_skipped() -> None:
    found = rows(
        read("id,Owner,health score,segment,updated_at,arr,name\n7,Lena,99,SMB,x,5,Acme\n").accounts
    )
    assert found == [{"name": "Acme", "arr": "5.00", "segment": "SMB", "cs_owner": "Lena"}]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_another_unicode_encoding_is_refused_with_the_offset_of_a_byte(encoding: str) -> None:
    assert problems(GOOD.encode(encoding)) == [(1, None, "encoding")]
    assert "UTF-8" in message(GOOD.encode(encoding))
    assert re.search(r"offset [0-3]\b", message(GOOD.encode(encoding)))


def test_utf_16_with_a_byte_order_mark_is_read() -> None:
    for mark, encoding in (("", "utf-16"), ("\ufeff", "utf-16-be")):
        content = (mark + GOOD.replace("Acme", "Zoë")).encode(encoding)
        assert [row["name"] for row in rows(read(content).accounts)] == ["Zoë", "Beta"]


def test_latin_1_is_refused_with_the_offset_of_its_first_byte_also_far_into_a_file() -> None:
    content = accounts_csv(3000) + "Zoë,1,SMB".encode("latin-1")
    assert problems(content) == [(3002, None, "encoding")]
    assert f"offset {len(accounts_csv(3000)) + 2}." in message(content)


def test_half_of_a_surrogate_pair_is_not_utf_8() -> None:
    assert problems(b"name,arr,segment\n\xed\xa0\x80,1,SMB\n") == [(2, None, "encoding")]


@pytest.mark.parametrize("content", ["", "\ufeff", "\n", "\r\n\r\n", " \n", ",,\n"])
def test_a_file_without_a_header_is_empty(content: str) -> None:
    assert problems(content) == [(1, None, "empty_file")]


@pytest.mark.parametrize(
    "content",
    [
        "name,arr,segment",
        "name,arr,segment\n",
        "name,arr,segment\r\n\r\n",
        "name,arr,segment\n,,\n ,,\n",
    ],
)
def test_a_header_without_rows_is_refused(content: str) -> None:
    assert problems(content) == [(2, None, "no_rows")]


def test_problems_of_the_header_are_reported_before_any_row_is_read() -> None:
    assert problems("name,colour,arr,ARR\nAcme,red,maybe,1\n") == [
        (1, "arr", "duplicate_column"),
        (1, "segment", "missing_column"),
    ]


def test_an_alias_beside_its_column_is_a_duplicate() -> None:
    assert problems("name,company,arr,segment\n") == [(1, "name", "duplicate_column")]


def test_an_unknown_name_is_ignored_and_listed_with_the_nearest_known_one() -> None:
    header = f"name,arr,segment,{'x' * 500},renewal_dat,id"
    ignored = read(f"{header}\nAcme,1,SMB,?,?,?\n").understanding.ignored_columns
    assert [column.header for column in ignored] == ["x" * 100, "renewal_dat", "id"]
    assert [column.nearest for column in ignored] == [None, "renewal_date", None]


def test_columns_of_days_need_a_date() -> None:
    assert problems("name,arr,segment,logins\nAcme,1,SMB,5\n") == [(1, "date", "missing_column")]


def test_too_many_and_too_few_cells_have_codes_of_their_own() -> None:
    assert problems("name,arr,segment\nAcme,1,SMB,x\nBeta,1\nGamma,1,SMB\n") == [
        (2, None, "too_many_cells"),
        (3, None, "too_few_cells"),
    ]


def test_rows_of_blank_cells_are_skipped_but_counted() -> None:
    assert problems("name,arr,segment\n\n,,\nAcme,x,SMB\n\n , , ,\nBeta,x,SMB\n") == [
        (4, "arr", "dollars_expected"),
        (7, "arr", "dollars_expected"),
    ]


def test_rows_are_counted_in_records_not_in_lines() -> None:
    assert problems('name,arr,segment\n"Ac\nme\n\nx",1,SMB\nBeta,x,SMB\n') == [
        (2, "name", "control_character"),
        (3, "arr", "dollars_expected"),
    ]


@pytest.mark.parametrize("row", [3, 999, 1001])
def test_a_quote_that_is_never_closed_is_reported_where_it_opens(row: int) -> None:
    lines = ["name,arr,segment", *(f"Customer {number},1,SMB" for number in range(1000))]
    lines[row - 1] = f'"{lines[row - 1]}'
    assert problems("\n".join(lines)) == [(row, None, "unclosed_quote")]


def test_an_unclosed_quote_that_another_row_closes_is_reported_where_it_opens() -> None:
    assert problems('name,arr,segment\nAcme,1,SMB\n"Beta,1,SMB\n"Gamma",1,SMB\n') == [
        (3, None, "misplaced_quote")
    ]
    assert problems('"name,arr,segment\nAcme,1,SMB\n') == [(1, None, "unclosed_quote")]


def test_problems_before_a_wrong_quote_are_reported_too() -> None:
    assert problems('name,arr,segment\nAcme,x,SMB\n"Beta,1,SMB') == [
        (2, "arr", "dollars_expected"),
        (3, None, "unclosed_quote"),
    ]


def test_quotes_and_delimiters_inside_of_quoted_cells_are_text() -> None:
    assert (
        rows(read('name,arr,segment\n"Acme ""Best"", Inc",1,SMB\n').accounts)[0]["name"]
        == 'Acme "Best", Inc'
    )


def test_a_cell_may_not_be_longer_than_its_column_however_long_it_is() -> None:
    for length in (256, 10_001, 131_073):
        assert problems(f"name,arr,segment\n{'x' * length},1,SMB\n") == [(2, "name", "too_long")]
    assert problems(f"name,arr,segment\nAcme,{'9' * 131_073},SMB\n") == [(2, "arr", "too_long")]


def test_every_wrong_cell_of_a_row_is_reported_in_the_order_of_the_columns() -> None:
    assert problems("name,arr,segment,renewal_date,nps\nAcme,x,y,soon,1\n,1,SMB,,\n") == [
        (2, "arr", "dollars_expected"),
        (2, "segment", "choice_expected"),
        (2, "renewal_date", "date_expected"),
        (3, "name", "value_missing"),
    ]


@pytest.mark.parametrize("secret", ["hunter2", "hunter2\x00", "'=hunter2"])
def test_the_offending_value_is_never_repeated(secret: str) -> None:
    for column in ALL[1:]:
        content = io.StringIO()
        csv.writer(content).writerows([ALL, ["Acme", "1", "SMB", *[""] * (len(ALL) - 3)]])
        line = {
            **dict.fromkeys(ALL, ""),
            "name": "Acme",
            "arr": "1",
            "segment": "SMB",
            "date": "2026-01-01",
            column: secret * 300,
        }
        csv.writer(content).writerow(line.values())
        assert secret not in message(content.getvalue())


def test_of_many_problems_the_first_hundred_are_listed_in_the_order_of_the_rows() -> None:
    content = "name,arr,segment\n" + "".join(
        f"Customer {number},x,y\n" for number in range(CHUNK_RECORDS + 500)
    )
    with pytest.raises(InvalidFileError) as refused:
        read(content)
    assert refused.value.total == 2 * (CHUNK_RECORDS + 500)
    assert [problem.row for problem in refused.value.problems] == [
        row for row in range(2, 52) for _ in range(2)
    ]
    assert len(refused.value.problems) == MAX_LISTED


def test_rows_of_one_name_are_one_account() -> None:
    file = read('name,arr,segment,nps\nAcme,1200,SMB,5\nBeta,1,SMB,\n Acme ,"$1,200.00",smb,5.0\n')
    assert [row["name"] for row in rows(file.accounts)] == ["Acme", "Beta"]
    assert len(file.accounts) == 2


def test_two_rows_of_a_name_that_disagree_are_a_problem_with_both_rows() -> None:
    content = "name,arr,segment,nps\nBeta,1,SMB,1\nAcme,1,SMB,5\nAcme,1,SMB,5\nAcme,2,SMB,6\n"
    assert problems(content) == [(5, "arr", "contradiction"), (5, "nps", "contradiction")]
    assert "Row 3 " in message(content)


def test_a_blank_cell_agrees_with_a_value_in_either_order() -> None:
    for content in (
        "name,arr,segment,nps\nAcme,1,SMB,5\nAcme,,,\n",
        "name,arr,segment,nps\nAcme,,,\nAcme,1,SMB,5\n",
        "name,arr,segment,nps\nAcme,1,,\nAcme,,SMB,\nAcme,,,5\n",
    ):
        assert rows(read(content).accounts) == [
            {"name": "Acme", "arr": "1.00", "segment": "SMB", "nps": "5"}
        ]


def test_a_contradiction_names_the_row_that_gave_the_value() -> None:
    content = "name,arr,segment,nps\nAcme,1,SMB,\nAcme,1,SMB,5\nAcme,1,SMB,6\n"
    assert problems(content) == [(4, "nps", "contradiction")]
    assert "Row 3 " in message(content)


def test_a_required_value_has_to_be_in_one_row_of_its_account() -> None:
    assert problems("name,arr,segment\nBeta,1,SMB\nAcme,,SMB\nAcme,, \nGamma,1,\n") == [
        (3, "arr", "value_missing"),
        (5, "segment", "value_missing"),
    ]


def test_rows_with_a_date_are_days_of_their_account() -> None:
    file = read(
        "name,arr,segment,date,logins,avg_session_min\nAcme,1,SMB,2026-01-01,5,24.5\nAcme,1,SMB,2026-01-02,,\nAcme,1,SMB,,,\nBeta,1,SMB,,,\n"
    )
    assert [row["name"] for row in rows(file.accounts)] == ["Acme", "Beta"]
    assert rows(file.days) == [
        {"name": "Acme", "date": "2026-01-01", "logins": "5", "avg_session_min": "24.5"},
        {"name": "Acme", "date": "2026-01-02", "logins": "\\N", "avg_session_min": "\\N"},
    ]


def test_a_date_alone_is_a_day_of_which_nothing_is_known() -> None:
    assert rows(read("name,arr,segment,date\nAcme,1,SMB,2026-01-01\n").days) == [
        {"name": "Acme", "date": "2026-01-01"}
    ]


def test_metrics_without_a_date_are_refused() -> None:
    assert problems("name,arr,segment,date,logins\nAcme,1,SMB,,5\n") == [
        (2, "date", "value_missing")
    ]


def test_one_day_of_an_account_twice_is_a_duplicate_also_when_both_are_equal() -> None:
    days = ("Acme,1,SMB,2026-01-01,5", "Beta,1,SMB,2026-01-01,5", "Acme,1,SMB,2026-01-01,5")
    content = "\n".join(["name,arr,segment,date,logins", *days, ""])
    assert problems(content) == [(4, "date", "duplicate")]
    assert "Row 2 " in message(content)


def test_rows_that_are_far_apart_are_compared() -> None:
    lines = [f"Customer {number},1,SMB" for number in range(3 * CHUNK_RECORDS)]
    content = "\n".join(["name,arr,segment", *lines, "Customer 7,2,SMB"])
    assert problems(content) == [(3 * CHUNK_RECORDS + 2, "arr", "contradiction")]
    assert "Row 9 " in message(content)


def test_all_rows_of_a_large_file_arrive_once() -> None:
    file = read(accounts_csv(2 * CHUNK_RECORDS + 7))
    assert [row["name"] for row in rows(file.accounts)] == [
        f"Invented Customer {number:06} Ltd" for number in range(2 * CHUNK_RECORDS + 7)
    ]
    assert file.accounts.columns == (
        "key",
        *(column.name for column in ACCOUNT_COLUMNS if column.name in HEADER),
    )
    file = read(days_csv(7, 300))
    assert (len(file.accounts), len(file.days), len(rows(file.days))) == (7, 2100, 2100)


def read_or_refused(content: bytes) -> None:
    """Asserts that content is a file or raises problems, never another exception."""
    try:
        file = read(content)
    except InvalidFileError as error:
        assert 1 <= len(error.problems) <= min(error.total, MAX_LISTED)
        assert [problem.row for problem in error.problems] == sorted(
            problem.row for problem in error.problems
        )
        assert all(
            problem.row >= 1 and problem.code and problem.message.endswith(".")
            for problem in error.problems
        )
    else:
        assert len(rows(file.accounts)) == len(file.accounts) >= 1
        assert len(rows(file.days)) == len(file.days)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_file_or_problems(content: bytes) -> None:
    read_or_refused(content)


@given(st.sampled_from([",", ";", "\t"]), st.binary(max_size=200))
def test_any_bytes_below_a_header_are_rows_or_problems(delimiter: str, content: bytes) -> None:
    read_or_refused(delimiter.join(ALL).encode() + b"\n" + content)


CELL = st.one_of(
    st.text(max_size=8),
    st.text("\",;\t\r\n\\'=-+$%.0159eEnN \x00\x1f\x85\u00a0\u2028", max_size=8),
    st.sampled_from(
        [
            "",
            "Acme",
            "Beta",
            "SMB",
            "2026-01-01",
            "2026-01-02",
            "1",
            "0.5",
            "yes",
            "-1",
            "1e400",
            "NaN",
            "\\N",
            "\\.",
        ]
    ),
)


@given(
    st.lists(st.sampled_from(ALL), unique=True, min_size=3),
    st.lists(st.lists(CELL, min_size=3, max_size=len(ALL)), max_size=8),
)
def test_any_cells_below_any_header_are_rows_or_problems(
    header: list[str], cells: list[list[str]]
) -> None:
    header = [*dict.fromkeys(["name", "arr", "segment", *header])]
    content = io.StringIO()
    csv.writer(content).writerows(
        [header, *(row[: len(header)] + [""] * (len(header) - len(row)) for row in cells)]
    )
    read_or_refused(content.getvalue().encode("utf-8", "replace"))


def is_visible(text: str) -> bool:
    try:
        normalize(text)
    except InvisibleCharacterError:
        return False
    return True


PRINTABLE = (
    st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=50)
    .filter(is_visible)
    .map(normalize)
    .filter(lambda text: text and text.lower() not in TOTALS)
)


@given(st.lists(PRINTABLE, unique=True, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_names_that_were_written_safely_are_read_back_as_they_were(
    names: list[str], end: str
) -> None:
    content = io.StringIO()
    csv.writer(content, lineterminator=end).writerows(
        [["name", "arr", "segment"], *([protected(name), "-0", "SMB"] for name in names)]
    )
    text = "".join(read(content.getvalue()).accounts.text())
    assert [line.split("\t")[1].replace("\\\\", "\\") for line in text.split("\n")[:-1]] == names
