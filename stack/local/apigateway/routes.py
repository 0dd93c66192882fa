"""Selects the route of an HTTP API for a request.

AWS documents three steps: a full match of method and path, a match with a greedy variable
(`{proxy+}`), `$default`. Within a step a method precedes ANY, and literal segments precede
variables; that has been observed, AWS does not document it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Target = TypeVar("Target")

METHODS = frozenset({"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed route key (`GET /accounts/{id}`); `$default` has no method and no segments."""

    key: str
    method: str
    segments: tuple[str, ...]

    @classmethod
    def parse(cls, key: str) -> "Pattern":
        """Parse a route key. Raises ValueError, with the key, when AWS would refuse it."""
        if key == DEFAULT:
            return cls(key, "", ())
        method, space, path = key.partition(" ")
        if method not in METHODS or not space or not path.startswith("/"):
            raise ValueError(
                f"route key {key!r} must be $default, or a method in capitals (or ANY), "
                "a space, and a path that begins with a slash"
            )
        segments = tuple(path[1:].split("/"))
        if any(_greedy(segment) for segment in segments[:-1]):
            raise ValueError(
                f"route key {key!r}: a greedy variable like {{proxy+}} must be the last segment"
            )
        return cls(key, method, segments)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The position among matching routes: the lowest is taken."""
        step = 2 if self.key == DEFAULT else int(_greedy(self.segments[-1]))
        return step, self.method == "ANY", -sum(not _variable(segment) for segment in self.segments)

    def match(self, method: str, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the path parameters, or None when the pattern does not match."""
        if self.key == DEFAULT:
            return {}
        if self.method not in (method, "ANY"):
            return None
        parameters: dict[str, str] = {}
        for index, expected in enumerate(self.segments):
            if _greedy(expected):
                rest = "/".join(segments[index:])
                return parameters | {expected[1:-2]: rest} if rest else None
            if index >= len(segments) or (not _variable(expected) and expected != segments[index]):
                return None
            if _variable(expected):
                if not segments[index]:
                    return None
                parameters[expected[1:-1]] = segments[index]
        return parameters if len(segments) == len(self.segments) else None


class Router(Generic[Target]):
    """Finds targets by route. Raises ValueError for a route key that AWS would refuse."""

    def __init__(self, routes: Mapping[str, Target]) -> None:
        self._routes = sorted(
            ((Pattern.parse(key), target) for key, target in routes.items()),
            key=lambda route: route[0].rank,
        )

    def find(self, method: str, path: str) -> tuple[Target, dict[str, str]] | None:
        """Return the target for a decoded path without the stage, and the path parameters."""
        segments = path.removeprefix("/").split("/")
        for pattern, target in self._routes:
            parameters = pattern.match(method, segments)
            if parameters is not None:
                return target, parameters
        return None


def _variable(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def _greedy(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("+}")
