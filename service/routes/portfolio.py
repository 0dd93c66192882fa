"""All accounts together."""

from fastapi import Request
from starlette.responses import JSONResponse

from service.clock import now, today
from service.queries import portfolio
from service.routes.documented import READ, answers
from service.routes.strict import router as new_router

router = new_router()


@router.get("/portfolio/metrics", responses=answers("PortfolioMetrics", "The numbers.", *READ), response_model=None)
@router.get("/portfolio/summary", responses=answers("PortfolioMetrics", "The same as /portfolio/metrics.", *READ), response_model=None)
async def metrics(request: Request) -> JSONResponse:
    """Sums, counts and averages over all accounts, exact at this moment."""
    return JSONResponse({**portfolio.metrics(request.app.state.database, today()), "as_of": now()})
