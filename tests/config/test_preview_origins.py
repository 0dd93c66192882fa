"""Origins of previews: those that Vercel gives to this project, and no other project's."""

import hashlib
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from config.preview_origins import LONGEST_TEAM, preview_origin_pattern

NAME = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", fullmatch=True)
SHORT = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
TEAM = st.from_regex(rf"[a-z0-9]([a-z0-9-]{{0,{LONGEST_TEAM - 2}}}[a-z0-9])?", fullmatch=True)
HASH = st.from_regex(r"[a-z0-9]{9}", fullmatch=True)
BRANCH = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,80}[a-z0-9])?", fullmatch=True)


def admits(project: str, team: str, label: str) -> bool:
    return bool(re.fullmatch(preview_origin_pattern(project, team), f"https://{label}.vercel.app"))


def branch_label(project: str, branch: str, team: str) -> str:
    """The label as Vercel's documentation describes it."""
    label = f"{project}-git-{branch}-{team}"
    if len(label) <= 63:
        return label
    end = f"-{hashlib.sha256(f'git-{branch}{project}'.encode()).hexdigest()[:6]}-{team}"
    return f"{project}-git-{branch}"[: 63 - len(end)] + end


@given(NAME, BRANCH, HASH, TEAM)
@example("a", "b", "abcdefghi", "t")
@example("p" * 52, "main", "abcdefghi", "t" * LONGEST_TEAM)
@example("p" * 52, "b", "abcdefghi", "acme")
def test_previews_of_the_project_are_admitted_shortened_ones_too(
    project: str, branch: str, digest: str, team: str
) -> None:
    assert admits(project, team, branch_label(project, branch, team))
    room = 63 - len(f"-{digest}-{team}")
    assert admits(project, team, f"{project[:room]}-{digest}-{team}")


@given(SHORT, SHORT, BRANCH, HASH, SHORT)
@example("a", "b", "main", "abcdefghi", "t")
def test_previews_of_a_project_whose_name_begins_the_same_are_not_admitted(
    project: str, more: str, branch: str, digest: str, team: str
) -> None:
    assume(more != "git" and not more.startswith("git-"))  # docs/decisions/0002
    other = f"{project}-{more}"
    assert not admits(project, team, branch_label(other, branch, team))
    assert not admits(project, team, f"{other}-{digest}-{team}")
    assert not admits(other, team, f"{project}-{digest}-{team}")


@pytest.mark.parametrize(
    "label",
    [
        "a-t",  # production
        "a-abcdefgh-t",
        "a-abcdefghij-t",
        "a-ABCDEFGHI-t",
        "a-abcd-fghi-t",
        "a-abcdefghi-t-evil",
        "a-abcdefghi-other",
        "a-abcdefghi-evil-t",  # of the team evil-t
        "evil-a-abcdefghi-t",
        "a-git--t",
        "a-git-t",
        "a-author-t",
        f"a-git-{'b' * 56}-t",  # 64 characters
        "a-git-x.evil-t",
    ],
)
def test_other_hosts_are_not_admitted(label: str) -> None:
    assert admits("a", "t", "a-abcdefghi-t")
    assert not admits("a", "t", label)
