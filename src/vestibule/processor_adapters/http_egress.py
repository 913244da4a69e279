"""The HTTP egress of processors, behind the egress guard."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from vestibule.egress.guard import DeliveryFailed, DeliveryForbidden, EgressGuard, ResponseTooLarge
from vestibule.egress.webhook_signature import signature_headers
from vestibule.processing import EgressReply, ProcessingInterrupted
from vestibule.processing.errors import AnswerTooLarge, ForwardForbidden

MOST_ANSWER_BYTES = 1024 * 1024


class GuardedHttpEgress:
    """Sends to addresses that the guard allows, and signs requests if a key is set."""

    def __init__(self, guard: EgressGuard, secret: str = "") -> None:
        self._guard = guard
        self._secret = secret.encode()

    def refusal_of(self, url: str) -> str | None:
        """Return why nothing may be sent to `url`, in words that do not repeat it; None where it may."""
        if not self._guard.hosts:
            return "no address: `VESTIBULE_FORWARD_HOSTS` names no host"
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname, parts.port
        except ValueError:
            return "an address such as https://HOST/PATH"
        if not host or "@" in parts.netloc or parts.fragment or not url.isascii() or not url.isprintable():
            return "an address such as https://HOST/PATH, without user, password and fragment, in ASCII"
        try:
            self._guard.check_scheme(parts.scheme)
            self._guard.check_host(host)
        except DeliveryForbidden:
            schemes, hosts = ", ".join(sorted(self._guard.schemes)), ", ".join(sorted(self._guard.hosts))
            return f"an address over {schemes} of one of these hosts: {hosts}"
        return None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Send `body` and return the answer, whatever its status.

        Raises:
            ForwardForbidden: nothing may be sent there.
            AnswerTooLarge: the answer is larger than what is read.
            ProcessingInterrupted: nobody answered in time.
        """
        reason = self.refusal_of(url)
        if reason is not None:
            raise ForwardForbidden("the settings do not allow the address")
        signature = signature_headers(self._secret, body) if self._secret else {}
        try:
            answer = self._guard.send(url, body, {**headers, **signature}, MOST_ANSWER_BYTES)
        except DeliveryForbidden as error:
            raise ForwardForbidden(str(error)) from error
        except ResponseTooLarge as error:
            raise AnswerTooLarge(str(error)) from error
        except DeliveryFailed as error:
            raise ProcessingInterrupted(str(error)) from error
        return EgressReply(answer.status, answer.body)
