"""Reveals the values that the policy replaced by tokens; every use needs a reason and raises an alert."""

from dataclasses import dataclass

from vestibule.alerts import Alert, AlertEngine, AlertType, current_origin
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.errors import TokenRetired, Unavailable, UnknownToken
from vestibule.encryption import TokenKeyRetired, UnrecognizedToken
from vestibule.policy import Situation
from vestibule.policy.policy import PolicyFile
from vestibule.processor_adapters import Tokens


@dataclass(frozen=True, slots=True)
class Detokenizer:
    """Reveals values. Every use raises an alert before the value is returned, and so does every failed attempt."""

    screener: Screener
    tokenizer: Tokens
    policies: PolicyFile
    alerts: AlertEngine

    async def reveal(self, token: str, reason: str, sender: Situation) -> tuple[str, Alert, bool]:
        """Return the value that `token` stands for, the alert that was raised, and whether its key was rotated since.

        The value can be revealed until the key is retired.

        Raises:
            PersonalDataFound: the reason, which is stored, contains personal data.
            UnknownToken: the token is not known here, or is of another tenant.
            TokenRetired: the key of the token was retired.
            Unavailable: the alert cannot be recorded, so nothing is revealed.
        """
        await self.screener.refuse_findings("reason", reason)
        refusal: UnknownToken | TokenRetired | Unavailable
        try:
            value = self.tokenizer.reveal(token, self.policies.current.tenant_of(sender))
        except UnrecognizedToken:
            refusal = UnknownToken("The token stands for no value of your tenant.")
        except TokenKeyRetired:
            refusal = TokenRetired("The key of the token was retired; its value can no longer be revealed.")
        else:
            entity = token[1:].partition(".")[0]
            # Not "was revealed": an alert that could not be recorded at once may be later, and nothing was then.
            alert = await self._alert(f"Reveal of a value of the kind {entity}", reason)
            if alert.is_recorded:
                return value, alert, self.tokenizer.is_rotated(token)
            refusal = Unavailable("alerts", "The alert about the reveal cannot be recorded, so nothing is revealed.")
        await self._alert(f"A reveal was refused ({refusal.title.lower()}), and nothing was revealed", reason)
        raise refusal

    async def _alert(self, event: str, reason: str) -> Alert:
        return await self.alerts.raise_alert(AlertType.REVEAL, f"{event}; reason given: {reason}", **current_origin())
