"""Routes that publish how accounts are scored, and score a hypothetical one."""

from fastapi import Request
from starlette.responses import JSONResponse

from service.http import json_body
from service.http.openapi_responses import STATELESS, json_responses
from service.http.state import today
from service.http.strict_query import new_router
from service.scoring import factors, score

router = new_router("scoring")


@router.get(
    "/scoring",
    responses=json_responses("Scoring", "The table of constants.", *STATELESS),
)
async def get_scoring() -> JSONResponse:
    """Returns how a score is computed: groups and components, adjustments, and bucket limits."""
    from service.scoring.published import scheme

    return JSONResponse(scheme())


@router.post(
    "/scoring/what-if",
    responses=json_responses("WhatIfScore", "The score, and all of its factors.", *STATELESS),
    openapi_extra=json_body.request_body("WhatIf", required=True),
    summary="Compute what-if score",
)
async def compute_what_if_score(request: Request) -> JSONResponse:
    """Returns the score that an account with these values would have. Nothing is stored."""
    from service.schema.requests import WhatIf
    from service.scoring.score import rounded_score

    account = await json_body.read(request, WhatIf)
    found = score(account.inputs(today(request)))
    scored = factors(found.values, found.points, found.adjustments)
    return JSONResponse(
        {
            "score": None if found.value is None else rounded_score(found.value),
            "bucket": found.bucket,
            "coverage": found.coverage,
            "factors": [factor._asdict() for factor in scored],
        }
    )
