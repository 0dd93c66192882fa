"""Zips whose bytes depend on their content alone.

The standard library's zlib is whichever the machine has, and zlib, zlib-ng and Apple's compress the same input to
different bytes. libdeflate comes in a pinned wheel, the same on every machine, so the file is written here around it.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deflate import __version__ as deflate_version
from deflate import deflate_compress

from common.errors import UserError

LEVEL = 9
COMPRESSOR = f"deflate {deflate_version} {LEVEL}"
_UNIX, _VERSION = 3 << 8, 20  # who made it: Unix, so that modes count; 2.0: deflate
_UTF8 = 1 << 11
_DATE = 1 << 5 | 1  # 1980-01-01, the first day of a zip's calendar; the time is 0
_STORED, _DEFLATED = 0, 8
_MOST_FILES, _MOST_BYTES = (
    0xFFFF,
    0xFFFFFFFF,
)  # beyond them a zip needs its 64-bit form; Lambda's limits are far below


@dataclass(frozen=True)
class Member:
    """A file of a zip: its path, content, and whether it can be executed."""

    name: str
    data: bytes
    executable: bool = False


EMPTY_SIZE = 22  # bytes of a zip without members


def write_zip(path: Path, members: Iterable[Member]) -> list[int]:
    """Write the members in their order; their zipped sizes in bytes.

    No directory entries, no times, modes 0644 or 0755, names in UTF-8.
    """
    directory: list[bytes] = []
    sizes: list[int] = []
    with path.open("wb") as file:
        for member in members:
            offset = file.tell()
            fields, body = _compressed(member)
            name = member.name.encode()
            file.write(struct.pack("<4s5H3I2H", b"PK\3\4", *fields, len(name), 0) + name + body)
            mode = (0o100755 if member.executable else 0o100644) << 16
            directory.append(
                struct.pack(
                    "<4s6H3I5H2I",
                    b"PK\1\2",
                    _UNIX | _VERSION,
                    *fields,
                    len(name),
                    0,
                    0,
                    0,
                    0,
                    mode,
                    offset,
                )
                + name
            )
            sizes.append(len(body))
            if len(directory) > _MOST_FILES or file.tell() > _MOST_BYTES:
                raise UserError(
                    f"{path.name}: more than {_MOST_FILES:,} files or 4 GB do not fit into a zip for Lambda"
                )
        start = file.tell()
        file.write(b"".join(directory))
        file.write(
            struct.pack(
                "<4s4H2IH",
                b"PK\5\6",
                0,
                0,
                len(directory),
                len(directory),
                file.tell() - start,
                start,
                0,
            )
        )
    return sizes


def zipped_size(member: Member) -> int:
    """Bytes that a zip grows by for this member."""
    return (
        struct.calcsize("<4s5H3I2H4s6H3I5H2I")
        + 2 * len(member.name.encode())
        + len(_compressed(member)[1])
    )


def _compressed(member: Member) -> tuple[tuple[int, ...], bytes]:
    body = bytes(deflate_compress(member.data, LEVEL))
    method = _DEFLATED
    if len(body) >= len(member.data):
        method, body = _STORED, member.data
    fields = (
        _VERSION,
        _UTF8,
        method,
        0,
        _DATE,
        zlib.crc32(member.data),
        len(body),
        len(member.data),
    )
    return fields, body
