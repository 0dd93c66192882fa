"""HTTP, and nothing of SQL: parameters in, answers out."""

from service.routes import accounts, health, ingest, portfolio

ROUTES = (*health.router.routes, *accounts.router.routes, *portfolio.router.routes, *ingest.router.routes)
