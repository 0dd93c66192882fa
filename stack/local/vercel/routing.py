"""The part of `vercel.json` that the local site honours; everything else is refused by name."""

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
    """`headers` are added to every answer whose path matches; `redirects` come before files, the first match counts."""

    headers: tuple[tuple[re.Pattern[str], tuple[tuple[str, str], ...]], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    clean_urls: bool = False

    def headers_for(self, path: str) -> dict[str, str]:
        """By lower-case name; a later rule replaces what an earlier one says."""
        return {
            name.lower(): value
            for source, headers in self.headers
            if source.fullmatch(path)
            for name, value in headers
        }

    def redirect(self, path: str) -> tuple[int, str] | None:
        """Status and target of the redirect of a (decoded) path."""
        for rule in self.redirects:
            match = rule.source.fullmatch(path)
            if match:
                return rule.status, _fill(rule.destination, match)
        return None


def read_rules(file: Path) -> Rules:
    """Reads a `vercel.json`; none means no rules. Raises UserError for what is not implemented here, by name."""
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
                f"{self.file}: framework is {content['framework']!r}; the local cloud builds nextjs only"
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
                f"{self.file}: {where}{', '.join(unknown)} is not honoured on this machine; {', '.join(sorted(allowed))} are"
            )

    def _source(self, source: str) -> re.Pattern[str]:
        """A source is text with `:name` for one segment, `/:name*` for any number, and `(.*)` for anything."""
        expression = ""
        for token in _TOKEN.finditer(source):
            if token["refused"]:
                raise UserError(
                    f"{self.file}: the source {source!r} is not understood on this machine; `:name`, `:name*` and `(.*)` are"
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
    """Puts what `source` matched in the places `:name`, `:name*` and `$1` of a destination."""

    def value(place: re.Match[str]) -> str:
        key: str | int = place["name"] or int(place["number"])
        try:
            return quote(match[key] or "")
        except IndexError:
            return place[0]

    return re.sub(r"(?<!\w):(?P<name>[A-Za-z_]\w*)\*?|\$(?P<number>\d+)", value, destination)
