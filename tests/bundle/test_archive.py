"""Zips and ELF files, byte by byte."""

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle import elf
from bundle.archive import Member, write_zip

NAMES = st.text(
    st.characters(exclude_characters="\0/\\:", exclude_categories=["Cs"]), min_size=1, max_size=40
)


@given(
    st.dictionaries(
        NAMES,
        st.tuples(
            st.binary(max_size=2000) | st.binary(max_size=20).map(lambda b: b * 500), st.booleans()
        ),
        max_size=8,
    )
)
def test_reading_a_zip_gives_the_files_that_were_written(
    files: dict[str, tuple[bytes, bool]],
) -> None:
    members = [Member(name, data, executable) for name, (data, executable) in files.items()]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.zip"
        sizes = write_zip(path, members)
        written = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(written)) as file:
        assert file.testzip() is None
        assert {
            entry.filename: (file.read(entry), bool(entry.external_attr >> 16 & 0o111))
            for entry in file.infolist()
        } == files
        assert [entry.compress_size for entry in file.infolist()] == sizes


@given(st.binary(max_size=200))
def test_a_broken_elf_file_raises_value_error_only(rest: bytes) -> None:
    data = b"\x7fELF\x02\x01" + rest
    for read in (elf.machine, elf.glibc, elf.without_debug):
        try:
            read(data)
        except ValueError:
            continue


def test_emptying_debug_sections_changes_neither_size_nor_needed_glibc() -> None:
    data = Path("/proc/self/exe").read_bytes() if Path("/proc/self/exe").exists() else b""
    if not elf.is_elf(data):
        pytest.skip("there is no ELF file: this machine is not Linux")
    assert elf.machine(data) in {"x86_64", "arm64"}
    emptied = elf.without_debug(data)
    assert len(emptied) == len(data)
    assert elf.without_debug(emptied) == emptied
    assert elf.glibc(emptied) == elf.glibc(data)
