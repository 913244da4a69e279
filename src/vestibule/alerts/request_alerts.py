"""The alerts that every service raises about requests: failed authentication and invalid input."""

from collections.abc import Callable

from vestibule.alerts.alert import AlertType, Severity
from vestibule.alerts.alert_engine import AlertEngine
from vestibule.alerts.origin import current_origin
from vestibule.contracts.errors import InvalidInput


class RequestAlerts:
    """Raises the alerts about failed authentication and invalid input, with the request's id."""

    def __init__(self, engine: AlertEngine, fingerprint: Callable[[str], str]) -> None:
        self._engine = engine
        self._fingerprint = fingerprint

    async def report_auth_failure(self, token: str | None) -> None:
        """Alert that no known token was shown; only a keyed fingerprint of what was shown is kept."""
        shown = "no token" if token is None else "a token that nobody knows"
        fingerprint = None if token is None else self._fingerprint(token)
        await self._engine.raise_alert(
            AlertType.INVALID_TOKEN, f"A request came with {shown}.", fingerprint=fingerprint, **current_origin()
        )

    async def report_guessed_tokens(self, address: str, limit: int) -> None:
        """Alert that one address showed too many unknown tokens; only a keyed fingerprint of it is kept."""
        await self._engine.raise_alert(
            AlertType.INVALID_TOKEN,
            f"One address came without a known token {limit} times within a minute; it is refused until that ends.",
            severity=Severity.CRITICAL,
            fingerprint=self._fingerprint(address),
            **current_origin(),
        )

    async def report_invalid_input(self, error: InvalidInput) -> None:
        """Alert that a request was malformed; the error's detail repeats nothing that was sent."""
        await self._engine.raise_alert(AlertType.INVALID_INPUT, f"{error.title}. {error.detail}", **current_origin())
