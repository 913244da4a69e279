"""The pages, one module for each area; `ROUTERS` lists them."""

from vestibule.console.pages import (
    alerts,
    availability,
    findings,
    overview,
    policy,
    receipts,
    requests,
    schedules,
    sign_in,
    store,
    subjects,
    tasks,
    tokens,
    workers,
)

ROUTERS = (
    sign_in.router,
    sign_in.guarded_router,
    overview.router,
    requests.router,
    findings.router,
    alerts.router,
    tasks.router,
    schedules.router,
    workers.router,
    store.router,
    policy.router,
    subjects.router,
    tokens.router,
    receipts.router,
    availability.router,
)
