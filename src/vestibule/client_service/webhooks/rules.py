"""Whether and where callbacks may go, and by which key they are signed."""

import hmac
from urllib.parse import urlsplit

from vestibule.contracts.errors import InvalidInput, WebhooksDisabled
from vestibule.egress.guard import DeliveryFailed, EgressGuard

# A callback that is not taken is sent again for so long.
GIVE_UP_AFTER_S = 86_400.0


class WebhookRules:
    """The settings of callbacks, at work."""

    def __init__(self, secret: str, guard: EgressGuard, give_up_after_s: float = GIVE_UP_AFTER_S) -> None:
        self._secret = secret.encode()
        self.guard = guard
        self.give_up_after_s = give_up_after_s

    def check(self, url: str) -> str:
        """Refuse an address to which nothing could be sent, and return what it says beside where it leads.

        Its host is resolved when something is sent there.

        Raises:
            InvalidInput: it is none, is not allowed, or callbacks are switched off.
        """
        if not self._secret:
            raise _refuse("nothing: callbacks need VESTIBULE_CALLBACK_SECRET here")
        try:
            parts = urlsplit(url)
            host, has_login = parts.hostname or "", parts.username is not None
            _ = parts.port
        except ValueError:
            raise _refuse("a URL") from None
        if not host or has_login or parts.fragment or not url.isascii() or not url.isprintable():
            raise _refuse("a URL with a host, without a login and a fragment")
        try:
            self.guard.check_scheme(parts.scheme)
        except DeliveryFailed:
            raise _refuse("a scheme that is allowed: VESTIBULE_ALERT_EGRESS_SCHEMES") from None
        if self.guard.hosts and host not in self.guard.hosts:
            raise _refuse("a host that is allowed: VESTIBULE_ALERT_EGRESS_HOSTS")
        return parts._replace(scheme="", netloc="").geturl()

    def key_of(self, tenant: str) -> str:
        """Return the key by which a tenant's callbacks are signed; no tenant can make those of another.

        Raises:
            WebhooksDisabled: there is no secret for them.
        """
        if not self._secret:
            raise WebhooksDisabled("Callbacks need VESTIBULE_CALLBACK_SECRET here.")
        return hmac.digest(self._secret, f"callbacks of {tenant}".encode(), "sha256").hex()


def _refuse(expected: str) -> InvalidInput:
    mistake = {"where": "body/callback", "kind": "callback", "expected": expected}
    return InvalidInput("The request is not valid. Look at: body/callback.", errors=[mistake])
