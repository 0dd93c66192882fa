"""What can be done, and what to do for an account."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import JSONResponse

from service.errors import InvalidRequestError, NotFoundError
from service.http import json_body
from service.http.account_path import no_account
from service.http.openapi_responses import READ, UNSTORED, json_responses
from service.http.problems import invalid
from service.http.strict_query import router as new_router
from service.schema import limits

Id = Annotated[int, Path(ge=limits.INT8_MIN, le=limits.INT8_MAX)]

router = new_router()


@router.get(
    "/playbooks",
    responses=json_responses("Playbooks", "All playbooks, by id.", *UNSTORED),
    response_model=None,
)
async def list_playbooks() -> JSONResponse:
    """What a success manager can do: when it helps, and step by step."""
    from service.playbooks import PLAYBOOKS

    return JSONResponse([playbook.as_json() for playbook in PLAYBOOKS])


@router.get(
    "/playbooks/{playbook_id}",
    responses=json_responses("Playbook", "The playbook.", *UNSTORED, NotFoundError),
    response_model=None,
)
async def get_playbook(playbook_id: Id) -> JSONResponse:
    """One playbook."""
    from service.playbooks import find

    playbook = find(playbook_id)
    if playbook is None:
        raise NotFoundError(f"There is no playbook {playbook_id}. GET /playbooks lists them.")
    return JSONResponse(playbook.as_json())


@router.post(
    "/actions/recommend",
    responses=json_responses(
        "Recommendations", "The most relevant playbooks first.", *READ, NotFoundError
    ),
    response_model=None,
    openapi_extra=json_body.request_body("RiskFactors", required=False),
)
async def recommend(
    request: Request,
    account_id: Annotated[
        int | None,
        Query(
            ge=limits.INT8_MIN,
            le=limits.INT8_MAX,
            description="The account to act on; then without a body.",
        ),
    ] = None,
) -> JSONResponse:
    """What to do about an account, or about a list of risk factors. At most five; none when nothing calls for any."""
    from service import playbooks
    from service.scoring import reasons, unknown

    if (account_id is None) == (not await request.body()):
        raise InvalidRequestError(
            "Name an account as account_id in the query, or send a JSON array of risk factors as the body: one of the two.",
            errors=[
                {
                    "loc": ["query", "account_id"],
                    "code": "one_of_two",
                    "message": "Either this or a body is needed, not both",
                }
            ],
        )
    if account_id is None:
        found = playbooks.recommend(await _codes(request))
    else:
        from service.queries.factors import of_account

        scored = of_account(request.app.state.database, account_id)
        if scored is None:
            raise no_account(account_id)
        found = playbooks.recommend(
            reasons(scored.factors), scored.coverage, unknown(scored.factors)
        )
    return JSONResponse({"account_id": account_id, "recommendations": _as_json(found)})


async def _codes(request: Request) -> list[str]:
    from service.schema.requests import RiskFactors
    from service.scoring.factors import LABELS

    by_name = {name.casefold(): code for code, label in LABELS.items() for name in (code, label)}
    codes = [
        by_name.get(name.casefold()) for name in (await json_body.read(request, RiskFactors)).root
    ]
    unknown = [place for place, code in enumerate(codes) if code is None]
    if unknown:
        message = "Must be the code or label of a factor; GET /scoring lists them"
        raise invalid(
            [
                {"loc": ("body", place), "type": "unknown_factor", "msg": message}
                for place in unknown
            ]
        )
    return [code for code in codes if code is not None]


def _as_json(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {**recommendation._asdict(), "playbook": recommendation.playbook.as_json()}
        for recommendation in found
    ]
