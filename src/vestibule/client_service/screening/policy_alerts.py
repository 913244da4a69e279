"""Logs policy changes, and alerts when the policy file is invalid."""

import structlog

from vestibule.alerts import AlertEngine, AlertType
from vestibule.policy import InvalidPolicy, Policy


class PolicyAlerts:
    """Logs every new policy, and alerts on every invalid file."""

    def __init__(self, alerts: AlertEngine) -> None:
        self._alerts = alerts
        self._log = structlog.get_logger("vestibule.policy")

    async def alert_change(self, policy: Policy) -> None:
        """Log which policy is in force."""
        self._log.warning("policy_loaded", policy=policy.version, dry_run=policy.is_dry_run, rules=len(policy.rules))

    async def alert_invalid(self, broken: InvalidPolicy) -> None:
        """Log and alert that the policy file was not loaded, and why."""
        self._log.error("policy_invalid", file=broken.path.name, line=broken.line, reason=broken.reason)
        place = f", line {broken.line}" if broken.line else ""
        await self._alerts.raise_alert(
            AlertType.POLICY_BROKEN,
            f"The policy file {broken.path.name}{place} was not taken over: {broken.reason}; the one before it stays.",
        )
