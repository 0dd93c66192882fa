"""Builds what Lambda runs: a layer of locked packages and the code of `service/`, as two zips.

Both are verified by a smoke test before they are uploaded. The same input gives the same bytes.
"""

from bundle.builder import Bundle, build
from bundle.code_directory import CodeDirectory, build_code
from bundle.limits import Limits
from bundle.migration_sources import migrations_hash
from bundle.size_report import Package, Part, Report
from bundle.target import Target

__all__ = [
    "Bundle",
    "CodeDirectory",
    "Limits",
    "Package",
    "Part",
    "Report",
    "Target",
    "build",
    "build_code",
    "migrations_hash",
]
