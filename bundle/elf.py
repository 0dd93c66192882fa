"""Reads ELF files (64-bit, little-endian): the machine, the glibc they need, their debug sections.

Offsets and names of fields are those of the System V gABI, chapters "ELF Header" and "Sections".
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bundle.target import Architecture

MACHINES: Final[dict[int, Architecture]] = {62: "x86_64", 183: "arm64"}  # EM_X86_64, EM_AARCH64
_SHF_ALLOC, _SHT_NOBITS, _SHT_GNU_VERNEED = 0x2, 8, 0x6FFFFFFE
# Symbol versions without a number, and the glibc that introduced them.
_MARKERS = {"GLIBC_ABI_DT_RELR": (2, 36)}


@dataclass(frozen=True)
class Section:
    """The fields of a section header that matter here. header: offset of the header in the file."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    header: int


def is_elf(data: bytes) -> bool:
    """Return whether the data begin as an ELF file does."""
    return data[:4] == b"\x7fELF"


def machine(data: bytes) -> str:
    """Return Lambda's name of the architecture, else a description.

    Raises `ValueError` for a file that is cut short.
    """
    if len(data) < 20:
        raise ValueError("an ELF file of less than 20 bytes")
    if data[4:6] != b"\x02\x01":  # EI_CLASS, EI_DATA: 64-bit, little-endian
        return "32-bit or big-endian"
    number = int.from_bytes(data[18:20], "little")  # e_machine
    return MACHINES.get(number, f"machine {number}")


def glibc(data: bytes) -> tuple[int, int] | None:
    """Return the newest glibc that the file needs, None for none.

    Raises `ValueError` for a broken file.
    """
    try:
        versions = [version for name in _needed_versions(data) if (version := _glibc_version(name))]
    except struct.error as error:
        raise ValueError(f"a broken ELF file: {error}") from None
    return max(versions, default=None)


def without_debug(data: bytes) -> bytes:
    """Return the file with zeros in its debug sections, which compress to almost nothing.

    Nothing moves and nothing that is loaded changes. `strip` would move what follows a removed
    section, which breaks libraries that auditwheel has patched, and its output differs from machine
    to machine.
    """
    # Only sections that are not loaded into memory (no SHF_ALLOC) and that have bytes in the file.
    debug = [
        section
        for section in _sections(data)
        if section.name.startswith(".debug_")
        and not section.flags & _SHF_ALLOC
        and section.kind != _SHT_NOBITS
    ]
    if not debug:
        return data
    emptied = bytearray(data)
    for section in debug:
        emptied[section.offset : section.offset + section.size] = bytes(section.size)
        # With the type NOBITS the section has no content: debuggers skip it instead of reading
        # zeros as broken debug information. sh_type is the second field of the header.
        struct.pack_into("<I", emptied, section.header + 4, _SHT_NOBITS)
    return bytes(emptied)


def _glibc_version(name: str) -> tuple[int, int] | None:
    if match := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", name):
        return int(match[1]), int(match[2])
    return _MARKERS.get(name)


def _needed_versions(data: bytes) -> Iterator[str]:
    """Yield the symbol versions that the file needs of its libraries, such as `GLIBC_2.34`.

    They are in `.gnu.version_r` (Linux Standard Base, "Symbol Versioning"): a linked list of
    libraries (Elf64_Verneed), each with a linked list of versions (Elf64_Vernaux). The links are
    offsets relative to the record that holds them.
    """
    sections = _sections(data)
    for section in sections:
        if section.kind != _SHT_GNU_VERNEED:
            continue
        strings = sections[section.link].offset
        library = section.offset
        while True:
            # vn_cnt, vn_aux, vn_next; vn_version and vn_file are skipped.
            count, auxiliary, next_library = struct.unpack_from("<2xH4xII", data, library)
            version = library + auxiliary
            for _ in range(count):
                # vna_name, vna_next; vna_hash, vna_flags and vna_other are skipped.
                name, next_version = struct.unpack_from("<8xII", data, version)
                yield _string(data, strings + name)
                version += next_version
            if not next_library:
                break
            library += next_library


def _sections(data: bytes) -> list[Section]:
    """Return all sections. Raises `ValueError` where the file ends before they do."""
    try:
        # e_shoff, e_shentsize, e_shnum, e_shstrndx
        table, size, count, names = struct.unpack_from("<40xQ10xHHH", data)
        # sh_name, sh_type, sh_flags, sh_offset, sh_size, sh_link; sh_addr is skipped. A broken
        # file may say that headers have 0 bytes, which `range` does not take as a step.
        headers = [
            (at, struct.unpack_from("<IIQ8xQQI", data, at))
            for at in range(table, table + size * count, size or 1)
        ]
        if not headers:
            return []
        strings = headers[names][1][3]
        sections = [
            Section(_string(data, strings + name), *rest, header=at)
            for at, (name, *rest) in headers
        ]
    except (struct.error, IndexError) as error:
        raise ValueError(f"a broken ELF file: {error}") from None
    if any(s.offset + s.size > len(data) for s in sections if s.kind != _SHT_NOBITS):
        raise ValueError("a broken ELF file: it ends before its sections do")
    return sections


def _string(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if end < 0:
        raise ValueError("a broken ELF file: a name without an end")
    return data[at:end].decode("ascii", "replace")
