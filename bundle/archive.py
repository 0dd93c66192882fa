"""Writes zips whose bytes depend on their content alone.

The standard library uses the zlib of the machine, and zlib, zlib-ng and Apple's version compress
the same input to different bytes. libdeflate comes in a pinned wheel and is the same everywhere,
but it compresses single strings only. So this module writes the structures of a zip around its
results (APPNOTE.TXT of the .ZIP format, sections 4.3.7, 4.3.12 and 4.3.16).
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
_UNIX = 3 << 8  # "version made by": only for Unix do readers apply the mode
_VERSION = 20  # 2.0, the version that a reader needs for deflate
_UTF8 = 1 << 11  # flag: the name is UTF-8
_DATE = 1 << 5 | 1  # 1980-01-01, the earliest date that the format has; the time is 0
_STORED, _DEFLATED = 0, 8
# Above them a zip needs the ZIP64 structures; Lambda's limits are far below.
_MAX_FILES, _MAX_BYTES = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class Member:
    """A file of a zip: its path, its content, and whether it is executable."""

    name: str
    data: bytes
    executable: bool = False


EMPTY_SIZE = 22  # bytes of a zip without members


def write_zip(path: Path, members: Iterable[Member]) -> list[int]:
    """Write the members in their order; return their compressed sizes in bytes.

    There are no entries for directories, all times are the same, modes are 0644 or 0755, names are
    UTF-8. Raises `UserError` above 65,535 files or 4 GB.
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
            if len(directory) > _MAX_FILES or file.tell() > _MAX_BYTES:
                raise UserError(
                    f"{path.name}: more than {_MAX_FILES:,} files or 4 GB "
                    "do not fit into a zip for Lambda"
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
    """Return the bytes that a zip grows by for this member: two headers, two names, the data."""
    return (
        struct.calcsize("<4s5H3I2H4s6H3I5H2I")
        + 2 * len(member.name.encode())
        + len(_compressed(member)[1])
    )


def _compressed(member: Member) -> tuple[tuple[int, ...], bytes]:
    """Return the fields that both headers of a member share, and its data as they are stored."""
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
