"""The environment of the function: its contract, its size, and the 4 KB that Lambda allows for it."""

import json
from collections.abc import Mapping

from common.errors import UserError

ENVIRONMENT_LIMIT = (
    4096  # bytes, Lambda quota; not checked at preview, fails in the middle of an update
)
UNKNOWN_URL_BYTES = 320  # counted for a database URL that Neon has not answered yet


def environment_size(variables: Mapping[str, str]) -> int:
    """Bytes that Lambda counts: names, values and the JSON between them."""
    return len(json.dumps(dict(variables), separators=(",", ":")).encode())


def check_environment(
    variables: Mapping[str, str], *, what: str = "the function's environment"
) -> None:
    """Raise `UserError` with the largest variables (never their values) when Lambda would refuse them."""
    size = environment_size(variables)
    if size <= ENVIRONMENT_LIMIT:
        return
    largest = sorted(variables, key=lambda name: -len(variables[name]))[:3]
    named = ", ".join(f"{name} ({len(variables[name].encode())} bytes)" for name in largest)
    raise UserError(
        f"{what} is {size} bytes and Lambda allows {ENVIRONMENT_LIMIT}: shorten {named}"
    )
