"""The routes of the policy and of allowances."""

from vestibule.client_service.api.policy import active, allowances, drafts

POLICY_ROUTERS = (active.router, drafts.router, allowances.router)
