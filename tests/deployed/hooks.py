"""Rules for Schemathesis that the OpenAPI document cannot express."""

import csv
import io
import itertools
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core import NOT_SET
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

from service.schema.limits import (
    INT4_MAX,
    MAX_DOLLARS,
    NAME_LENGTH,
    NPS_BEST,
    NPS_WORST,
    OWNER_LENGTH,
    SEGMENTS,
)

KEY = "Idempotency-Key"
FEW = 30
_numbers = itertools.count()


def _words(longest: int) -> st.SearchStrategy[str]:
    return st.text(
        st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=longest
    )


def _file(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


ROWS = st.fixed_dictionaries({
    "name": _words(NAME_LENGTH),
    "arr": st.integers(0, MAX_DOLLARS),
    "segment": st.sampled_from(SEGMENTS),
    "cs_owner": st.none() | _words(OWNER_LENGTH),
    "active_users": st.none() | st.integers(0, INT4_MAX),
    "feature_x_adoption": st.none() | st.floats(0, 1),
    "nps": st.none() | st.integers(NPS_WORST, NPS_BEST),
    "renewal_date": st.none() | st.dates(),
    "onboarding_phase": st.none() | st.booleans(),
})  # fmt: skip

schemathesis.openapi.media_type(
    "text/csv", st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: row["name"]).map(_file)
)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Skips a path or query parameter that is null.

    Null is sent as the text `null`, which is a valid value of every parameter that is a text.
    """
    parameters = [*(case.path_parameters or {}).values(), *(case.query or {}).values()]
    return not any(value is None or value == "null" for value in parameters)


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    """Adjusts a request so that more of them succeed, and quickly.

    Each has an idempotency key of its own; most have a precondition that holds; recommendations are
    for an account or for factors, not both; a minimum is at most the maximum; only few generate
    many samples, which takes seconds; and one that replaces all accounts confirms that.
    """
    number, key = next(_numbers), case.headers.get(KEY)
    if isinstance(key, str) and re.fullmatch("[ -~]{1,255}", key):
        case.headers[KEY] = f"{key[:240]}{number}"
    if "If-Match" in case.headers and number % 4:
        case.headers["If-Match"] = "*"
    if case.path == "/actions/recommend":
        if case.body is NOT_SET:
            case.query.setdefault("account_id", 1)
        else:
            case.query.pop("account_id", None)
    least, most = (_number(case.query.get(name)) for name in ("min_score", "max_score"))
    if least is not None and most is not None and least > most:
        case.query["min_score"], case.query["max_score"] = most, least
    if number % 10 and case.query.get("count") in range(FEW, 1001):
        case.query["count"] = FEW
    if case.query.get("replace") in (True, "true"):
        case.query["confirm"] = "replace-all"
    return case


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case, response: Response
) -> bool:
    """The gateway refuses a request line and headers of more than 10,240 bytes."""
    return response.status_code != 431
