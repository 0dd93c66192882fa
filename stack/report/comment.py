"""`python -m stack.report.comment`: posts the report of a finished workflow run as the one comment of its pull request.

It runs with a token that may write, on what the pull request's own code has made, maybe a stranger's. So the artifact is text and nothing
else: it is read in memory, its size, its names and its number are checked, the number must be that of an open pull request whose head is
the very commit that the run was for, and what the text could do in a comment is taken out of it. Standard library only: there is nothing
to install, and nothing of the head is checked out.

Environment: GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY, RUN_ID, HEAD_SHA, HEAD_REPOSITORY.
"""

import io
import json
import os
import re
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

ARTIFACT = "report"
FILES = {"report.md": 60_000, "number": 10}  # bytes; GitHub takes 65,536 characters in a comment
ARTIFACT_BYTES = 200_000
MARKER = "<!-- stack report -->"
BOT = "github-actions[bot]"
PAGES = 20
TIMEOUT_S = 30
JOINER = "\u2060"  # seen by nobody, and no part of what GitHub would make a link, a mention or a reference of
_ACTIVE = re.compile(
    r"@(?=\w)|(?<=\])(?=[(:\[])|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=#)(?=\d)|(?<=GH)(?=-\d)|(?<=&)(?=[#\w])",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """The artifact is not what the report's workflow makes, or not of the commit that it says."""


class Api:
    """GitHub's, with the token; a redirect is followed without it, because it leads to another host."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect())

    def json(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._open(f"{self._address}{path}", method, body, limit=10_000_000))

    def download(self, path: str, limit: int) -> bytes:
        """Raises `RefusedError` for more bytes than `limit`."""
        try:
            return self._open(f"{self._address}{path}", "GET", None, limit)
        except urllib.error.HTTPError as error:
            if error.code not in (301, 302, 303, 307, 308):
                raise
            place = error.headers["Location"]
        if not place.startswith(("https://", self._address)):
            raise RefusedError("the artifact lies at an address that is not https")
        with urllib.request.urlopen(place, timeout=TIMEOUT_S) as answer:  # noqa: S310 - checked above
            return _limited(answer, limit)

    def _open(self, url: str, method: str, body: Mapping[str, Any] | None, limit: int) -> bytes:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "stack-report",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - GitHub's own address
        with self._opener.open(request, timeout=TIMEOUT_S) as answer:
            return _limited(answer, limit)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _limited(answer: Any, limit: int) -> bytes:
    data = answer.read(limit + 1)
    if len(data) > limit:
        raise RefusedError(f"more than {limit} bytes are answered")
    return data


def artifact(api: Api, repository: str, run: str) -> dict[str, str]:
    """The texts of the run's one report."""
    found = api.json(
        f"/repos/{repository}/actions/runs/{run}/artifacts?name={ARTIFACT}&per_page=100"
    )["artifacts"]
    if len(found) != 1:
        raise RefusedError(
            f"the run has {len(found)} artifacts of the name {ARTIFACT!r}, and one is expected"
        )
    if found[0]["size_in_bytes"] > ARTIFACT_BYTES:
        raise RefusedError(
            f"the artifact has {found[0]['size_in_bytes']} bytes, {ARTIFACT_BYTES} are allowed"
        )
    return texts(
        api.download(
            f"/repos/{repository}/actions/artifacts/{int(found[0]['id'])}/zip", ARTIFACT_BYTES
        )
    )


def texts(archive: bytes) -> dict[str, str]:
    """The files of the zip, which is read in memory; what a file's header says of its size is not believed."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sorted(opened.namelist()) != sorted(FILES):
                raise RefusedError(f"the artifact holds other files than {', '.join(FILES)}")
            read = {name: _limited(opened.open(name), limit) for name, limit in FILES.items()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise RefusedError(f"the artifact is no zip that can be read: {error}") from None
    return {name: data.decode("utf-8", errors="replace") for name, data in read.items()}


def pull_request(api: Api, repository: str, number: str, head: str, head_repository: str) -> int:
    """The number, once it is that of an open pull request with this head."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number.strip()):
        raise RefusedError("the number in the artifact is none")
    found = api.json(f"/repos/{repository}/pulls/{int(number)}")
    theirs = (
        found["head"]["sha"],
        ((found["head"].get("repo") or {}).get("full_name") or "").lower(),
    )
    if found["state"] != "open" or theirs != (head, head_repository.lower()):
        raise RefusedError(
            f"#{int(number)} is closed, or its head is not the commit of the run: a newer run reports on it"
        )
    return int(found["number"])


def neutralize_markdown(text: str) -> str:
    """The text, in which nothing is a tag, a mention, a link, an image or a reference any more; tables, headings and code stay."""
    return _ACTIVE.sub(
        lambda found: f"{found[0]}{JOINER}", text.replace("\0", "").replace("<", "\u2039")
    )


def post(api: Api, repository: str, number: int, body: str) -> None:
    """Write the comment anew, or for the first time."""
    own = next((comment for comment in _comments(api, repository, number) if _ours(comment)), None)
    if own is None:
        api.json(
            f"/repos/{repository}/issues/{number}/comments", method="POST", body={"body": body}
        )
    else:
        api.json(
            f"/repos/{repository}/issues/comments/{own['id']}", method="PATCH", body={"body": body}
        )


def _comments(api: Api, repository: str, number: int) -> Iterator[Mapping[str, Any]]:
    for page in range(1, PAGES + 1):
        found = api.json(f"/repos/{repository}/issues/{number}/comments?per_page=100&page={page}")
        yield from found
        if len(found) < 100:
            return


def _ours(comment: Mapping[str, Any]) -> bool:
    return (comment.get("user") or {}).get("login") == BOT and comment["body"].startswith(MARKER)


def main(environment: Mapping[str, str]) -> int:
    api = Api(environment["GITHUB_API_URL"], environment["GITHUB_TOKEN"])
    repository, run = environment["GITHUB_REPOSITORY"], environment["RUN_ID"]
    try:
        read = artifact(api, repository, run)
        number = pull_request(
            api, repository, read["number"], environment["HEAD_SHA"], environment["HEAD_REPOSITORY"]
        )
        note = f"*Made by the code of this pull request for {environment['HEAD_SHA'][:12]}: read it as its author's word.*"
        post(
            api, repository, number, f"{MARKER}\n{note}\n\n{neutralize_markdown(read['report.md'])}"
        )
    except RefusedError as error:
        sys.stderr.write(f"nothing is posted: {error}\n")
        return 1
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"GitHub answers {error.code} for {error.url.partition('?')[0]}\n")
        return 1
    sys.stdout.write(f"posted to #{number}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
