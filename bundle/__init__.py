"""The bundle: a layer of locked packages and the code of `service/`, as zips for Lambda, proven before they are uploaded."""

from bundle.api import Bundle, CodeTree, build, build_code, migrations_hash
from bundle.limits import Limits
from bundle.size_report import Package, Part, Report
from bundle.target import Target

__all__ = [
    "Bundle",
    "CodeTree",
    "Limits",
    "Package",
    "Part",
    "Report",
    "Target",
    "build",
    "build_code",
    "migrations_hash",
]
