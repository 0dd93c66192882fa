"""The bundle: a layer of locked packages and the code of `service/`, as zips for Lambda, proven before they are uploaded."""

from components.bundle.api import Bundle, CodeTree, build, build_code, migrations_hash
from components.bundle.checks import Limits
from components.bundle.report import Package, Part, Report
from components.bundle.target import Target

__all__ = ["Bundle", "CodeTree", "Limits", "Package", "Part", "Report", "Target", "build", "build_code", "migrations_hash"]
