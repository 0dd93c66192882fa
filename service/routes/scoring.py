"""How accounts are scored, and what one would be scored."""

from fastapi import Request
from starlette.responses import JSONResponse

from service.clock import today
from service.http import json_body
from service.http.openapi_responses import UNSTORED, json_responses
from service.http.strict_query import router as new_router
from service.scoring import factors, score

router = new_router()


@router.get(
    "/scoring",
    responses=json_responses("Scoring", "The table of constants.", *UNSTORED),
    response_model=None,
)
async def scoring() -> JSONResponse:
    """What makes up a score: its groups and components, what is added to them, and where the buckets are cut."""
    from service.scoring.published import scheme

    return JSONResponse(scheme())


@router.post(
    "/scoring/what-if",
    responses=json_responses("WhatIfScore", "The score, and all of its factors.", *UNSTORED),
    response_model=None,
    openapi_extra=json_body.request_body("WhatIf", required=True),
)
async def what_if(request: Request) -> JSONResponse:
    """The score of an account that would be so. Nothing is stored."""
    from service.schema.requests import WhatIf
    from service.scoring.score import rounded_score

    supposed = await json_body.read(request, WhatIf)
    found = score(supposed.inputs(today()))
    return JSONResponse({
        "score": None if found.value is None else rounded_score(found.value),
        "bucket": found.bucket,
        "coverage": found.coverage,
        "factors": [factor._asdict() for factor in factors(found.values, found.points, found.adjustments)],
    })  # fmt: skip
