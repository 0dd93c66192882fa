"""What a bundle has to know of ELF files (64-bit, little-endian): the machine, the glibc they need, their debug sections."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bundle.target import Architecture

MACHINES: Final[dict[int, Architecture]] = {
    62: "x86_64",
    183: "arm64",
}  # e_machine: EM_X86_64, EM_AARCH64
_SHF_ALLOC, _SHT_NOBITS, _SHT_GNU_VERNEED = 0x2, 8, 0x6FFFFFFE
_MARKERS = {
    "GLIBC_ABI_DT_RELR": (2, 36)
}  # versions that carry no number, and the glibc that brought them


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    header: int


def is_elf(data: bytes) -> bool:
    return data[:4] == b"\x7fELF"


def machine(data: bytes) -> str:
    """Lambda's name of the architecture, else a description. Raises `ValueError` when it is cut short."""
    if len(data) < 20:
        raise ValueError("an ELF file of less than 20 bytes")
    if data[4:6] != b"\x02\x01":
        return "32-bit or big-endian"
    number = int.from_bytes(data[18:20], "little")
    return MACHINES.get(number, f"machine {number}")


def glibc(data: bytes) -> tuple[int, int] | None:
    """The newest glibc that it needs, None for none. Raises `ValueError` on a broken file."""
    try:
        versions = [version for name in _needed(data) if (version := _glibc_version(name))]
    except struct.error as error:
        raise ValueError(f"a broken ELF file: {error}") from None
    return max(versions, default=None)


def without_debug(data: bytes) -> bytes:
    """The file with its debug sections emptied: nothing moves, nothing that is loaded changes, and zeros cost nothing in a zip.

    A `strip` moves what follows, which breaks libraries that were patched for a wheel, and is not the same on every machine.
    """
    debug = [
        s
        for s in _sections(data)
        if s.name.startswith(".debug_") and not s.flags & _SHF_ALLOC and s.kind != _SHT_NOBITS
    ]
    if not debug:
        return data
    emptied = bytearray(data)
    for section in debug:
        emptied[section.offset : section.offset + section.size] = bytes(section.size)
        struct.pack_into("<I", emptied, section.header + 4, _SHT_NOBITS)
    return bytes(emptied)


def _glibc_version(name: str) -> tuple[int, int] | None:
    if match := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", name):
        return int(match[1]), int(match[2])
    return _MARKERS.get(name)


def _needed(data: bytes) -> Iterator[str]:
    """Symbol versions that it wants of its libraries: the entries of `.gnu.version_r` (gABI, symbol versioning)."""
    sections = _sections(data)
    for section in sections:
        if section.kind != _SHT_GNU_VERNEED:
            continue
        strings = sections[section.link].offset
        need = section.offset
        while True:
            count, auxiliary, following = struct.unpack_from("<2xH4xII", data, need)
            entry = need + auxiliary
            for _ in range(count):
                name, after = struct.unpack_from("<8xII", data, entry)
                yield _string(data, strings + name)
                entry += after
            if not following:
                break
            need += following


def _sections(data: bytes) -> list[Section]:
    try:
        table, size, count, names = struct.unpack_from("<40xQ10xHHH", data)
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
