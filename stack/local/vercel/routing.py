"""Reads the part of `vercel.json` that is supported locally: headers, redirects, clean URLs.

Everything else is an error that names it, because the site would behave differently on Vercel.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.errors import UserError

KEYS = frozenset({"$schema", "framework", "headers", "redirects", "cleanUrls"})
_RULE_KEYS = {
    "headers": frozenset({"source", "headers"}),
    "redirects": frozenset({"source", "destination", "permanent", "statusCode"}),
}
_TOKEN = re.compile(
    r"(?P<any>\(\.\*\))|/:(?P<many>\w+)\*|:(?P<one>\w+)|(?P<refused>[():*+?{}\\])|(?P<text>[^():*+?{}\\])"
)


@dataclass(frozen=True)
class Redirect:
    source: re.Pattern[str]
    destination: str
    status: int


@dataclass(frozen=True)
class Rules:
    """The rules of a `vercel.json`, each with the pattern of the paths that it is for.

    headers: added to every response to a matching path. redirects: apply before files, the first
    match only. clean_urls: redirect `/page.html` to `/page`.
    """

    headers: tuple[tuple[re.Pattern[str], tuple[tuple[str, str], ...]], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    clean_urls: bool = False

    def headers_for(self, path: str) -> dict[str, str]:
        """Return the headers of a path by lower-case name; later rules override earlier ones."""
        return {
            name.lower(): value
            for source, headers in self.headers
            if source.fullmatch(path)
            for name, value in headers
        }

    def redirect(self, path: str) -> tuple[int, str] | None:
        """Return status and target of the redirect of a (decoded) path, None if there is none."""
        for rule in self.redirects:
            match = rule.source.fullmatch(path)
            if match:
                return rule.status, _fill(rule.destination, match)
        return None


def read_rules(file: Path) -> Rules:
    """Read a `vercel.json`; no file gives no rules. UserError for what is not supported."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Rules()
    except ValueError as error:
        raise UserError(f"{file} is no JSON: {error}") from None
    try:
        return _Reader(file).rules(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: a rule is incomplete or of the wrong form ({error})") from None


@dataclass(frozen=True)
class _Reader:
    file: Path

    def rules(self, content: Any) -> Rules:
        self._check(content, KEYS, "")
        if content.get("framework", "nextjs") != "nextjs":
            raise UserError(
                f"{self.file}: framework is {content['framework']!r}; the local cloud builds "
                f"nextjs only"
            )
        return Rules(
            headers=tuple(self._headers(rule) for rule in content.get("headers", [])),
            redirects=tuple(self._redirect(rule) for rule in content.get("redirects", [])),
            clean_urls=bool(content.get("cleanUrls", False)),
        )

    def _headers(
        self, rule: Mapping[str, Any]
    ) -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
        self._check(rule, _RULE_KEYS["headers"], "headers: ")
        return self._source(rule["source"]), tuple(
            (header["key"], header["value"]) for header in rule["headers"]
        )

    def _redirect(self, rule: Mapping[str, Any]) -> Redirect:
        self._check(rule, _RULE_KEYS["redirects"], "redirects: ")
        status = rule.get("statusCode", 308 if rule.get("permanent", True) else 307)
        return Redirect(self._source(rule["source"]), rule["destination"], status)

    def _check(self, mapping: Any, allowed: frozenset[str], where: str) -> None:
        unknown = sorted(set(mapping) - allowed)
        if unknown:
            raise UserError(
                f"{self.file}: {where}{', '.join(unknown)} is not supported locally; "
                f"{', '.join(sorted(allowed))} are"
            )

    def _source(self, source: str) -> re.Pattern[str]:
        """Compile a source: `:name` is one segment, `/:name*` any number, `(.*)` any text."""
        expression = ""
        for token in _TOKEN.finditer(source):
            if token["refused"]:
                raise UserError(
                    f"{self.file}: the source {source!r} is not supported locally; `:name`, "
                    f"`:name*` and `(.*)` are"
                )
            if token["any"]:
                expression += "(.*)"
            elif token["many"]:
                expression += f"(?:/(?P<{token['many']}>.*))?"
            elif token["one"]:
                expression += f"(?P<{token['one']}>[^/]+)"
            else:
                expression += re.escape(token["text"])
        return re.compile(expression)


def _fill(destination: str, match: re.Match[str]) -> str:
    """Replace `:name`, `:name*` and `$1` in a destination with what they matched in the source."""

    def value(reference: re.Match[str]) -> str:
        key: str | int = reference["name"] or int(reference["number"])
        try:
            # Percent-encoded: a path with an encoded line feed could otherwise add a header.
            return quote(match[key] or "")
        except IndexError:  # no such group: the text stays as it is
            return reference[0]

    return re.sub(r"(?<!\w):(?P<name>[A-Za-z_]\w*)\*?|\$(?P<number>\d+)", value, destination)
