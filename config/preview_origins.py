"""The origins of a project's previews at Vercel (Vercel documentation, Generated URLs)."""

LABEL_LIMIT = 63  # characters of a host's label, RFC 1035
LONGEST_TEAM = 51  # leaves one character of the project's name
_DEPLOYMENT = "-[a-z0-9]{9}"
_SHORTENED = "-[0-9a-f]{6}"


def preview_origin_pattern(project: str, team: str) -> str:
    """Return an anchored pattern of the origins that Vercel gives to previews of a project.

    The hosts are `PROJECT-HASH-TEAM` of a deployment and `PROJECT-git-BRANCH-TEAM` of a branch. Of
    a label that would be too long Vercel cuts what is before the team, and puts a hash in between:
    `PROJECT-git-BRAN-HASH-TEAM`. See docs/decisions/0002 for what a pattern cannot tell apart.
    """
    room = LABEL_LIMIT - len(team) - 1
    branch = f"{project}-git-"
    hosts = [project[: room - 10] + _DEPLOYMENT]
    if len(branch) < room:  # shortened branches match too, unless the next form is theirs
        hosts.append(f"{branch}[a-z0-9-]{{1,{room - len(branch)}}}")
    if len(branch) > room - 7:
        hosts.append(branch[: room - 7] + _SHORTENED)
    return rf"^https://(?:{'|'.join(hosts)})-{team}\.vercel\.app$"
