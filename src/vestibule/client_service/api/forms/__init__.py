"""The route of forms, and what browsers ask before a page may use it."""

from vestibule.client_service.api.forms import preflight, submission

FORM_ROUTERS = (submission.router, preflight.router)
