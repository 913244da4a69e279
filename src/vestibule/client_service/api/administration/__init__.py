"""Routes of those who administer: tokens, the audit, and traces."""

from vestibule.client_service.api.administration import audit, tokens, trace

ADMINISTRATION_ROUTERS = (tokens.own_router, tokens.router, audit.router, trace.router)
