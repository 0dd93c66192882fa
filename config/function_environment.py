"""The size of a Lambda function's environment, and the 4 KB that Lambda allows for it."""

import json
from collections.abc import Mapping

from common.errors import UserError

ENVIRONMENT_LIMIT = 4096
"""Bytes (Lambda quotas). A preview does not check it, and an update fails halfway."""

VERSION_VARIABLE = "SERVICE_VERSION"
"""The variable with the bundle's version, which `GET /` returns."""

UNKNOWN_URL_BYTES = 320
"""Bytes that are counted for a database URL that Neon has not returned yet."""


def environment_size(variables: Mapping[str, str]) -> int:
    """Return the bytes that Lambda counts: those of the variables as compact JSON."""
    return len(json.dumps(dict(variables), separators=(",", ":")).encode())


def check_environment(
    variables: Mapping[str, str], *, what: str = "the function's environment"
) -> None:
    """Raise `UserError` when Lambda would refuse the variables.

    The error names the largest variables and their sizes, never their values, which may be secret.
    """
    size = environment_size(variables)
    if size <= ENVIRONMENT_LIMIT:
        return
    largest = sorted(variables, key=lambda name: -len(variables[name]))[:3]
    sizes = ", ".join(f"{name} ({len(variables[name].encode())} bytes)" for name in largest)
    raise UserError(
        f"{what} is {size} bytes and Lambda allows {ENVIRONMENT_LIMIT}: shorten {sizes}"
    )
