"""The words that this project does not use, because AWS, Pulumi, PostgreSQL or HTTP have a term."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.tracked_files import ROOT, tracked

TERMS: Final = {
    "realiser": "resource handler",
    "realised": "provisioned, or supported",
    "twin": "host build",
    "misfit": "type mismatch",
    "crosswise": "deadlock",
    "dear": "expensive",
    "anew": "again",
    "tame": "sanitize, or neutralize",
    "heal": "restart",
    "fold_portfolio": "compact_rollups",
    "folded": "name_lower",
    "one of ours": "internal",
    "fault of ours": "internal error",
    "on one machine": "locally",
    "is the door": "is required",
    "both ways in": "both front ends",
}
"""Each with the term to use instead (CONTRIBUTING.md has a glossary)."""

EXCLUDED: Final = (
    "service/migrations/versions/",  # a released migration keeps the names that it creates
    "tests/service/test_migration_names.py",
    "tests/project/test_words.py",
    "package-lock.json",
    "LICENSE",
)


def files() -> list[Path]:
    return [
        path
        for path in tracked()
        if not any(part in path.relative_to(ROOT).as_posix() for part in EXCLUDED)
    ]


@pytest.mark.parametrize("word", TERMS)
def test_the_fields_term_is_used(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    found: list[str] = []
    for path in files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert not found, f"use {TERMS[word]!r}:\n" + "\n".join(found)
