"""Refuses a bundle that Lambda would refuse: its size, and binaries that Lambda could not load."""

from collections.abc import Sequence
from dataclasses import dataclass

from bundle import elf
from bundle.size_report import Part, table
from bundle.target import GLIBC, Target
from common.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Lambda's quotas for a direct upload, in bytes ("Lambda quotas" in its developer guide).

    zipped: of each zip. unzipped: of layer and code together. Lambda counts MB of 2^20 bytes; these
    are a little stricter.
    """

    zipped: int = 50 * 10**6
    unzipped: int = 250 * 10**6


def check_sizes(layer: Part, code: Part | None, limits: Limits) -> None:
    """Raise `UserError` with a table of the largest packages when Lambda would refuse them."""
    parts = {"layer.zip": layer} if code is None else {"layer.zip": layer, "code.zip": code}
    packages = [package for part in parts.values() for package in part.packages]
    refused = [
        f"{name} is {part.zipped / 1e6:.2f} MB zipped, "
        f"and Lambda takes {limits.zipped / 1e6:g} MB in one upload"
        for name, part in parts.items()
        if part.zipped > limits.zipped
    ]
    unzipped = sum(part.unzipped for part in parts.values())
    if unzipped > limits.unzipped:
        refused.append(
            f"the bundle is {unzipped / 1e6:.2f} MB unzipped, "
            f"and Lambda takes {limits.unzipped / 1e6:g} MB in all"
        )
    if refused:
        advice = (
            "Remove what is not needed from requirements/service.in (then `make lock`) "
            "or from service/"
        )
        raise UserError("\n".join([*refused, table(packages), advice]))


def binary_problem(name: str, data: bytes, target: Target) -> str | None:
    """Return a line on why Lambda could not load this file; None if it can, or for no binary."""
    if target.system != "linux":
        return None
    if not elf.is_elf(data):
        return f"{name} is no ELF file" if name.endswith(".so") else None
    try:
        machine = elf.machine(data)
        if machine != target.architecture:
            return f"{name} is for {machine}, not for {target.architecture}"
        needed = elf.glibc(data)
    except ValueError as error:
        return f"{name}: {error}"
    if needed and needed > GLIBC:
        return f"{name} needs glibc {needed[0]}.{needed[1]}, and Lambda has {GLIBC[0]}.{GLIBC[1]}"
    return None


def refuse_binaries(problems: Sequence[str], target: Target) -> None:
    """Raise `UserError` with the first 20 problems, if there are any."""
    if problems:
        more = [f"  and {len(problems) - 20} more"] if len(problems) > 20 else []
        raise UserError(
            "\n".join(
                [
                    f"the bundle for {target.platform} holds binaries that cannot run there:",
                    *(f"  {p}" for p in problems[:20]),
                    *more,
                ]
            )
        )
