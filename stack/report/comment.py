"""`python -m stack.report.comment`: posts the report of a workflow run on its pull request.

A pull request has one such comment, which is updated.

It runs with a token that may write, and its input was written by the code of the pull request,
which may be a stranger's. So the artifact is read in memory as text, its size, file names and
number are checked, the number must be that of an open pull request whose head is the commit of the
run, and Markdown in the text is neutralized. It uses the standard library only, so that nothing has
to be installed, and nothing of the head is checked out.

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
# The invisible character WORD JOINER; GitHub recognises no link, mention or reference across it.
JOINER = "\u2060"
_ACTIVE = re.compile(
    r"@(?=\w)|(?<=\])(?=[(:\[])|(?<=:)(?=//)|(?<=www)(?=\.)"
    r"|(?<=#)(?=\d)|(?<=GH)(?=-\d)|(?<=&)(?=[#\w])",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """The artifact is not one that the report's workflow writes, or it is of another commit."""


class Api:
    """A client of GitHub's REST API. Redirects lead to other hosts, so they get no token."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect())

    def json(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self._open(f"{self._address}{path}", method, body, limit=10_000_000))

    def download(self, path: str, limit: int) -> bytes:
        """Return a file. Raises `RefusedError` for more bytes than `limit`."""
        try:
            return self._open(f"{self._address}{path}", "GET", None, limit)
        except urllib.error.HTTPError as error:
            if error.code not in (301, 302, 303, 307, 308):
                raise
            location = error.headers["Location"]
        if not location.startswith(("https://", self._address)):
            raise RefusedError("the artifact has an address that is not https")
        with urllib.request.urlopen(location, timeout=TIMEOUT_S) as response:  # noqa: S310 - checked above
            return _limited(response, limit)

    def _open(self, url: str, method: str, body: Mapping[str, Any] | None, limit: int) -> bytes:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "stack-report",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - GitHub's
        with self._opener.open(request, timeout=TIMEOUT_S) as response:
            return _limited(response, limit)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _limited(stream: Any, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise RefusedError(f"the file has more than {limit} bytes")
    return data


def artifact(api: Api, repository: str, run: str) -> dict[str, str]:
    """Return the run's report: the texts of its files by name."""
    found = api.json(
        f"/repos/{repository}/actions/runs/{run}/artifacts?name={ARTIFACT}&per_page=100"
    )["artifacts"]
    if len(found) != 1:
        raise RefusedError(
            f"the run has {len(found)} artifacts named {ARTIFACT!r}, and one is expected"
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
    """Return the files of a zip, read in memory.

    The limit applies to the bytes that are unpacked: a header may give a wrong size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sorted(opened.namelist()) != sorted(FILES):
                raise RefusedError(f"the artifact holds other files than {', '.join(FILES)}")
            read = {name: _limited(opened.open(name), limit) for name, limit in FILES.items()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise RefusedError(f"the artifact is no readable zip: {error}") from None
    return {name: data.decode("utf-8", errors="replace") for name, data in read.items()}


def pull_request(api: Api, repository: str, number: str, head: str, head_repository: str) -> int:
    """Return the number, after a check that it is an open pull request with this head."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number.strip()):
        raise RefusedError("the artifact's number is not a number")
    found = api.json(f"/repos/{repository}/pulls/{int(number)}")
    theirs = (
        found["head"]["sha"],
        ((found["head"].get("repo") or {}).get("full_name") or "").lower(),
    )
    if found["state"] != "open" or theirs != (head, head_repository.lower()):
        raise RefusedError(
            f"#{int(number)} is closed, or its head is not the commit of the run: "
            "a newer run reports on it"
        )
    return int(found["number"])


def neutralize_markdown(text: str) -> str:
    """Return the text without tags, mentions, links, images and references.

    Tables, headings and code keep their effect, and the text looks the same.
    """
    return _ACTIVE.sub(
        lambda found: f"{found[0]}{JOINER}", text.replace("\0", "").replace("<", "\u2039")
    )


def post(api: Api, repository: str, number: int, body: str) -> None:
    """Create the comment, or replace its text."""
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
        commit = environment["HEAD_SHA"][:12]
        note = f"*Written by this pull request's own code at {commit}: its author controls it.*"
        text = neutralize_markdown(read["report.md"])
        post(api, repository, number, f"{MARKER}\n{note}\n\n{text}")
    except RefusedError as error:
        sys.stderr.write(f"nothing is posted: {error}\n")
        return 1
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"GitHub returned {error.code} for {error.url.partition('?')[0]}\n")
        return 1
    sys.stdout.write(f"posted to #{number}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
