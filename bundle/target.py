"""Target: the platform and Python that a bundle is made for."""

import platform
import re
import sys
from dataclasses import dataclass
from typing import Literal

from common.errors import UserError

Architecture = Literal["arm64", "x86_64"]

GLIBC = (2, 34)  # of Amazon Linux 2023, on which Lambda runs Python 3.12 and newer
_UV_MACHINES: dict[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
_HOST_ARCHITECTURES: dict[str, Architecture] = {
    "aarch64": "arm64",
    "arm64": "arm64",
    "x86_64": "x86_64",
    "amd64": "x86_64",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a bundle is made for.

    architecture: arm64 or x86_64, Lambda's names. python: its minor version, "3.13".
    system: "linux" is Lambda's; "macos" only ever is this machine.
    """

    architecture: Architecture
    python: str
    system: Literal["linux", "macos"] = "linux"

    def __post_init__(self) -> None:
        if self.architecture not in _UV_MACHINES:
            raise UserError(f"architecture {self.architecture!r}: use arm64 or x86_64")
        if not re.fullmatch(r"3\.(1[1-9]|[2-9]\d)", self.python):
            raise UserError(
                f"python {self.python!r}: use a minor version from 3.11 on, such as 3.13"
            )

    @classmethod
    def host(cls) -> "Target":
        """This machine and the Python that runs this; on Linux the same bundle as Lambda's of that platform and version."""
        architecture = _HOST_ARCHITECTURES.get(platform.machine().lower())
        if architecture is None or sys.platform not in {"linux", "darwin"}:
            raise UserError(
                f"a bundle cannot run on {sys.platform} {platform.machine()}: use Linux or macOS on x86-64 or arm64"
            )
        return cls(
            architecture=architecture,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            system="linux" if sys.platform == "linux" else "macos",
        )

    @property
    def platform(self) -> str:
        return f"{self.system}-{self.architecture}"

    @property
    def name(self) -> str:
        """`<platform>-<python>`, the directory of its bundle."""
        return f"{self.platform}-{self.python}"

    @property
    def uv_platform(self) -> str | None:
        """uv's name of the platform; None leaves the choice of wheels to the interpreter that uv is given."""
        return (
            f"{_UV_MACHINES[self.architecture]}-manylinux_{GLIBC[0]}_{GLIBC[1]}"
            if self.system == "linux"
            else None
        )
