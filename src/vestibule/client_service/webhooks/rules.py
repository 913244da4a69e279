"""Whether and where callbacks may go, and by which key they are signed."""

import hmac
from urllib.parse import urlsplit

from vestibule.contracts.errors import InvalidInput, WebhooksDisabled
from vestibule.egress.guard import DeliveryFailed, EgressGuard


class WebhookRules:
    """The settings of callbacks, at work."""

    def __init__(self, secret: str, guard: EgressGuard, give_up_after_s: float) -> None:
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
            raise _refuse("no callback: VESTIBULE_CALLBACK_SECRET is not set")
        try:
            parts = urlsplit(url)
            host, has_login = parts.hostname or "", parts.username is not None
            _ = parts.port
        except ValueError:
            raise _refuse("a URL") from None
        if not host or has_login or parts.fragment or not url.isascii() or not url.isprintable():
            raise _refuse("a URL with a host and without credentials or fragment")
        try:
            self.guard.check_scheme(parts.scheme)
        except DeliveryFailed:
            raise _refuse("a scheme that VESTIBULE_ALERT_OUTGOING_SCHEMES allows") from None
        if self.guard.hosts and host not in self.guard.hosts:
            raise _refuse("a host that VESTIBULE_ALERT_OUTGOING_HOSTS allows")
        return parts._replace(scheme="", netloc="").geturl()

    def key_of(self, tenant: str) -> str:
        """Return the key by which a tenant's callbacks are signed; no tenant can make those of another.

        Raises:
            WebhooksDisabled: there is no secret for them.
        """
        if not self._secret:
            raise WebhooksDisabled("Callbacks are disabled; set VESTIBULE_CALLBACK_SECRET to enable them.")
        return hmac.digest(self._secret, f"callbacks of {tenant}".encode(), "sha256").hex()


def _refuse(expected: str) -> InvalidInput:
    mistake = {"where": "body/callback", "kind": "callback", "expected": expected}
    return InvalidInput("The request is not valid. Check: body/callback.", errors=[mistake])
