"""The routes: HTTP parameters and responses. SQL is in `service.queries`."""

from service.routes import (
    accounts,
    documentation,
    health,
    ingest,
    insights,
    playbooks,
    portfolio,
    recompute,
    scoring,
)

ROUTES = (
    *health.router.routes,
    *documentation.router.routes,
    *accounts.router.routes,
    *portfolio.router.routes,
    *ingest.router.routes,
    *recompute.router.routes,
    *scoring.router.routes,
    *playbooks.router.routes,
    *insights.router.routes,
)
