"""Reveals the values that the policy replaced by tokens; every use needs a reason and raises an alert."""

from vestibule.alerts import Alert, AlertEngine, AlertType, current_origin
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.errors import TokenRetired, UnknownToken
from vestibule.encryption import TokenKeyRetired, UnrecognizedToken
from vestibule.policy import Policy, Situation
from vestibule.policy.policy import PolicyFile
from vestibule.processor_adapters import Tokens


class Detokenizer:
    """Reveals values. Every use raises an alert before the value is returned, and so does every failed attempt."""

    def __init__(self, screener: Screener, tokenizer: Tokens, policies: PolicyFile, alerts: AlertEngine) -> None:
        self._screener = screener
        self._tokenizer = tokenizer
        self._policies = policies
        self._alerts = alerts

    async def reveal(self, token: str, reason: str, sender: Situation) -> tuple[str, Alert]:
        """Return the value that `token` stands for, and the alert that was raised.

        Raises:
            PersonalDataFound: the reason, which is stored, contains personal data.
            UnknownToken: the token is not known here, or is of another tenant.
            TokenRetired: the key of the token was retired.
        """
        await self._screener.refuse_findings("reason", reason)
        try:
            value = self._open(token, self._policies.current, sender)
        except (UnknownToken, TokenRetired) as error:
            await self._alert(f"A reveal was refused: {error.title.lower()}", reason)
            raise
        entity = token[1:].partition(".")[0]
        return value, await self._alert(f"A value of the kind {entity} was revealed", reason)

    def is_rotated(self, token: str) -> bool:
        """Say whether the key of `token` was rotated; the token can be revealed until that key is retired."""
        return self._tokenizer.is_rotated(token)

    def _open(self, token: str, policy: Policy, sender: Situation) -> str:
        try:
            return self._tokenizer.reveal(token, policy.tenant_of(sender))
        except UnrecognizedToken:
            raise UnknownToken("The token stands for no value of your tenant.") from None
        except TokenKeyRetired:
            raise TokenRetired("The key of the token was retired; its value can no longer be revealed.") from None

    async def _alert(self, event: str, reason: str) -> Alert:
        return await self._alerts.raise_alert(AlertType.REVEAL, f"{event}; reason given: {reason}", **current_origin())
