"""Routes for playbooks and their recommendation."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import JSONResponse

from service.errors import InvalidRequestError, NotFoundError
from service.http import json_body
from service.http.account_path import no_account
from service.http.openapi_responses import READ, STATELESS, json_responses
from service.http.problems import validation_error
from service.http.state import scored_database
from service.http.strict_query import new_router
from service.schema import limits

PlaybookId = Annotated[int, Path(ge=limits.INT8_MIN, le=limits.INT8_MAX)]

router = new_router("playbooks")


@router.get(
    "/playbooks",
    responses=json_responses("Playbooks", "All playbooks, by id.", *STATELESS),
)
async def list_playbooks() -> JSONResponse:
    """Lists what a customer-success manager can do, when it helps, and its steps."""
    from service.playbooks import PLAYBOOKS

    return JSONResponse([playbook.as_json() for playbook in PLAYBOOKS])


@router.get(
    "/playbooks/{playbook_id}",
    responses=json_responses("Playbook", "The playbook.", *STATELESS, NotFoundError),
)
async def get_playbook(playbook_id: PlaybookId) -> JSONResponse:
    """Returns one playbook."""
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
    openapi_extra=json_body.request_body("RiskFactors", required=False),
)
async def recommend_playbooks(
    request: Request,
    account_id: Annotated[
        int | None,
        Query(
            ge=limits.INT8_MIN,
            le=limits.INT8_MAX,
            description="The account to recommend playbooks for; without a body.",
        ),
    ] = None,
) -> JSONResponse:
    """Recommends at most five playbooks for an account, or for a list of risk factors.

    The list is empty when no playbook applies.
    """
    from service import playbooks
    from service.scoring import reasons, unknown

    if (account_id is None) == (not await request.body()):
        raise InvalidRequestError(
            "Send either an account as account_id in the query, or a JSON array of risk factors "
            "as the body.",
            errors=[
                {
                    "loc": ["query", "account_id"],
                    "code": "one_of_two",
                    "message": "Either this or a body is required, not both",
                }
            ],
        )
    if account_id is None:
        found = playbooks.recommend(await _factor_codes(request))
    else:
        from service.queries.factors import of_account

        scored = of_account(scored_database(request), account_id)
        if scored is None:
            raise no_account(account_id)
        found = playbooks.recommend(
            reasons(scored.factors), scored.coverage, unknown(scored.factors)
        )
    return JSONResponse({"account_id": account_id, "recommendations": _as_json(found)})


async def _factor_codes(request: Request) -> list[str]:
    """Return the body's risk factors, which may be codes or labels in any case, as codes."""
    from service.schema.requests import RiskFactors
    from service.scoring.factors import LABELS

    by_name = {name.casefold(): code for code, label in LABELS.items() for name in (code, label)}
    names = (await json_body.read(request, RiskFactors)).root
    codes = [by_name.get(name.casefold()) for name in names]
    unknown = [index for index, code in enumerate(codes) if code is None]
    if unknown:
        message = "Must be the code or label of a factor; GET /scoring lists them"
        raise validation_error(
            [
                {"loc": ("body", index), "type": "unknown_factor", "msg": message}
                for index in unknown
            ]
        )
    return [code for code in codes if code is not None]


def _as_json(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {**recommendation._asdict(), "playbook": recommendation.playbook.as_json()}
        for recommendation in found
    ]
