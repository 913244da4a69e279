"""Which webhook addresses are allowed, and the keys that sign the payloads."""

import hmac
from urllib.parse import urlsplit

from vestibule.contracts.errors import InvalidInput, WebhooksDisabled
from vestibule.egress.guard import AddressProblem, DeliveryForbidden, EgressGuard

# Undelivered webhooks are retried for this long.
GIVE_UP_AFTER_S = 86_400.0


class WebhookRules:
    """Validates webhook addresses and derives the signing keys."""

    def __init__(self, secret: str, guard: EgressGuard, give_up_after_s: float = GIVE_UP_AFTER_S) -> None:
        self._secret = secret.encode()
        self.guard = guard
        self.give_up_after_s = give_up_after_s

    def check(self, url: str) -> str:
        """Validate an address, and return its host, path and query, which are screened as text.

        The host is left out where the settings name the origin. It is resolved when the webhook is delivered.

        Raises:
            InvalidInput: it is malformed or not allowed, or webhooks are switched off.
        """
        if not self._secret:
            raise _refuse("no callback: VESTIBULE_CALLBACK_SECRET is not set")
        try:
            origin = self.guard.check_address(url)
        except DeliveryForbidden as error:
            if error.problem in (AddressProblem.MALFORMED, AddressProblem.HAS_CREDENTIALS):
                raise _refuse("a URL with a host and without credentials or fragment") from None
            raise _refuse("an address that VESTIBULE_CALLBACK_ORIGINS allows") from None
        path = urlsplit(url)._replace(scheme="", netloc="").geturl()
        return path if origin in self.guard.origins else f"{origin.host} {path}"

    def key_of(self, tenant: str) -> str:
        """Return the key that signs a tenant's webhooks; no tenant can derive the key of another.

        Raises:
            WebhooksDisabled: no secret is configured.
        """
        if not self._secret:
            raise WebhooksDisabled("Callbacks are disabled; set VESTIBULE_CALLBACK_SECRET to enable them.")
        return hmac.digest(self._secret, f"callbacks of {tenant}".encode(), "sha256").hex()


def _refuse(expected: str) -> InvalidInput:
    mistake = {"where": "body/callback", "kind": "callback", "expected": expected}
    return InvalidInput("The request is not valid. Check: body/callback.", errors=[mistake])
