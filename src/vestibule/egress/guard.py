"""The egress guard: checks outgoing addresses, connects only to what was checked, and signs webhooks."""

import asyncio
import hashlib
import hmac
import ipaddress
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

from vestibule.contracts.tasks import Cause

# How long a receiver of notifications and callbacks may take.
WEBHOOK_TIMEOUT_S = 10.0
LONGEST_RETRY_AFTER_S = 3600.0
_PORTS = {"http": 80, "https": 443}
# All that IANA gives out (RFC 4291, section 2.4), and the prefix behind which a NAT64 reaches IPv4 (RFC 6052).
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ORIGIN = re.compile(r"https?://(\*|([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[1-9][0-9]{0,4})?)")


class DeliveryFailed(OSError):
    """A delivery failed; the message has the reason without an address or the text of a response.

    `cause` is one of `contracts.tasks.Cause`. The receiver wants no other within `retry_after_s` seconds.
    """

    cause: Cause = Cause.CONNECTION_LOST

    def __init__(self, message: str, cause: Cause | None = None, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.cause = cause or self.cause
        self.retry_after_s = retry_after_s


class AddressProblem(StrEnum):
    """Why an address is refused."""

    MALFORMED = "the address is malformed"
    HAS_CREDENTIALS = "the address has credentials or a fragment"
    SCHEME = "the scheme is not allowed"
    HOST = "the host is not allowed"
    PRIVATE = "the host's address is not public"


class DeliveryForbidden(DeliveryFailed):
    """Nothing may be sent to the address; `problem` says why."""

    cause = Cause.REFUSED_BY_GUARD

    def __init__(self, problem: AddressProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class ResponseTooLarge(DeliveryFailed):
    """The receiver accepted it, but its response is too large."""

    cause = Cause.TOO_LARGE


@dataclass(frozen=True, slots=True)
class EgressResponse:
    """The response of a receiver."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EgressOrigin:
    """Scheme, host and port of an address."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the origin of `url`.

        Raises:
            DeliveryForbidden: it is malformed.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise DeliveryForbidden(AddressProblem.MALFORMED) from None
        return cls(parts.scheme, host, _PORTS.get(parts.scheme, 0) if port is None else port)


@dataclass(frozen=True, slots=True)
class EgressGuard:
    """What may be sent to: schemes, hosts (no host: all), and whether private addresses are allowed.

    An origin in `origins` is allowed besides these, also at a private address. `is_operators` says that only the
    operator names addresses, so that they may hold credentials and need not be in ASCII.
    """

    schemes: frozenset[str]
    hosts: frozenset[str]
    is_private_allowed: bool
    timeout_s: float
    origins: frozenset[EgressOrigin] = frozenset()
    is_operators: bool = False

    @classmethod
    def for_origins(cls, allowed: Iterable[str], timeout_s: float) -> Self:
        """Return a guard that allows some origins, such as `http://intake:9000`; `https://*` is every public host.

        Raises:
            ValueError: one of them is no origin over `http` or `https`.
        """
        schemes, origins = set[str](), set[EgressOrigin]()
        try:
            for text in allowed:
                if _ORIGIN.fullmatch(text) is None:
                    raise DeliveryForbidden(AddressProblem.MALFORMED)
                if text.endswith("*"):
                    schemes.add(text.partition(":")[0])
                else:
                    origins.add(EgressOrigin.of(text))
        except DeliveryForbidden:
            raise ValueError("must be origins such as https://HOST, http://HOST:PORT or https://*") from None
        return cls(frozenset(schemes), frozenset(), False, timeout_s, frozenset(origins))

    def check_address(self, url: str) -> EgressOrigin:
        """Return the origin of an address that may be sent to.

        A host name is not resolved here; `send` checks its address when it connects.

        Raises:
            DeliveryForbidden: the address is malformed or not allowed.
        """
        origin = EgressOrigin.of(url)
        is_named = origin in self.origins
        if not is_named and origin.scheme not in self.schemes:
            raise DeliveryForbidden(AddressProblem.SCHEME)
        # Parsers disagree about a backslash, and about white space around an address.
        if not origin.host or not origin.port or "\\" in url or url != url.strip():
            raise DeliveryForbidden(AddressProblem.MALFORMED)
        if not self.is_operators:
            if not url.isascii() or not url.isprintable():
                raise DeliveryForbidden(AddressProblem.MALFORMED)
            parts = urlsplit(url)
            if "@" in parts.netloc or parts.fragment:
                raise DeliveryForbidden(AddressProblem.HAS_CREDENTIALS)
        if not is_named:
            self._check_host(origin.host)
            if not self.is_private_allowed and not _is_public(origin.host):
                raise DeliveryForbidden(AddressProblem.PRIVATE)
        return origin

    def resolve(self, host: str, port: int) -> str:
        """Return the one address of `host` that may be connected to, and is to be connected to.

        Raises:
            DeliveryForbidden: the host, or its address, is not allowed.
            DeliveryFailed: the host has no address.
        """
        self._check_host(host)
        return _resolve(host, port, self.is_private_allowed)

    def _check_host(self, host: str) -> None:
        if self.hosts and host not in self.hosts:
            raise DeliveryForbidden(AddressProblem.HOST)

    def connect_address(self, origin: EgressOrigin) -> str:
        """Return the address to connect to for an origin that `check_address` returned.

        Raises:
            DeliveryForbidden: it is not public.
            DeliveryFailed: the host has no address.
        """
        return _resolve(origin.host, origin.port, self.is_private_allowed or origin in self.origins)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post `body`; succeed only if the response has a status of 2xx. Redirects are not followed.

        Raises:
            DeliveryFailed: the address is not allowed, or the receiver did not accept it.
        """
        answer = self.send(url, body, headers)
        if not 200 <= answer.status < 300:
            raise DeliveryFailed(f"the answer was {answer.status}", retry_after_s=answer.retry_after_s)

    def send(self, url: str, body: bytes, headers: Mapping[str, str], most_bytes: int = 0) -> EgressResponse:
        """Post `body` and return the response, whatever its status, with a body of at most `most_bytes`.

        With 0, the body is not read. Redirects are not followed.

        Raises:
            DeliveryForbidden: the address is not allowed.
            ResponseTooLarge: the response has more than `most_bytes`.
            DeliveryFailed: there was no response in time.
        """
        address = self.connect_address(self.check_address(url))
        return asyncio.run(_post(url, address, body, headers, self.timeout_s, most_bytes))


def seconds_until(retry_after: str) -> float:
    """Return the seconds of a header `Retry-After`, at most an hour; 0 without it, or with one that is invalid.

    Source: RFC 9110, section 10.2.3: seconds, or an HTTP date.
    """
    text = retry_after.strip()
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def signature_headers(secret: bytes, body: bytes) -> dict[str, str]:
    """Return the headers that sign a webhook: HMAC-SHA256 over the time and the body.

    `X-Vestibule-Timestamp` has Unix seconds, and `X-Vestibule-Signature` is `sha256=` and the hexadecimal digest.
    Receivers recompute it and reject an old time, so that a message can be neither forged nor replayed.
    """
    now = str(int(time.time()))
    digest = hmac.new(secret, now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Vestibule-Timestamp": now, "X-Vestibule-Signature": f"sha256={digest}"}


def _resolve(host: str, port: int, is_private_allowed: bool) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed("the host has no address", Cause.DNS) from error
    addresses = [str(entry[4][0]) for entry in found]
    # One forbidden address among them is enough: a name server that returns it cannot be trusted.
    if not is_private_allowed and not all(map(_is_public, addresses)):
        raise DeliveryForbidden(AddressProblem.PRIVATE)
    return addresses[0]


def _is_public(host: str) -> bool:
    """Return whether an IP address is public; a name counts as public until it is resolved."""
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            embedded = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if embedded is not None:
            return embedded.is_global
        return parsed.is_global and parsed in _GLOBAL_UNICAST
    return parsed.is_global and not parsed.is_multicast


async def _post(  # noqa: PLR0917 - as `send` has them
    url: str, address: str, body: bytes, headers: Mapping[str, str], timeout_s: float, most_bytes: int
) -> EgressResponse:
    import aiohttp  # noqa: PLC0415 - only processes that send need it
    from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: PLC0415

    class Pinned(AbstractResolver):
        """Returns the address that was checked, whatever a name server would answer now."""

        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002
        ) -> list[ResolveResult]:
            pinned = socket.AF_INET6 if ":" in address else socket.AF_INET
            return [{"hostname": host, "host": address, "port": port, "family": pinned, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            pass

    timeout = aiohttp.ClientTimeout(total=timeout_s)
    connector = aiohttp.TCPConnector(resolver=Pinned(), use_dns_cache=False)
    try:
        # A compressed response could expand to any size.
        plain = {"Accept-Encoding": "identity", **headers}
        options: dict[str, Any] = {"timeout": timeout, "trust_env": False, "auto_decompress": False}
        async with (
            aiohttp.ClientSession(connector=connector, **options) as session,
            session.post(url, data=body, headers=plain, allow_redirects=False) as answer,
        ):
            content = await _read(answer.content, most_bytes) if most_bytes else b""
            return EgressResponse(answer.status, content, seconds_until(answer.headers.get("Retry-After", "")))
    except TimeoutError as error:
        raise DeliveryFailed("no answer in time", Cause.TIMEOUT) from error
    except aiohttp.ClientSSLError as error:
        raise DeliveryFailed(type(error).__name__, Cause.TLS) from error
    except aiohttp.ClientError as error:
        # aiohttp has the error of the system call as the cause of its own.
        is_refused = isinstance(error.__cause__, ConnectionRefusedError)
        cause = Cause.CONNECTION_REFUSED if is_refused else Cause.CONNECTION_LOST
        raise DeliveryFailed(type(error).__name__, cause) from error


async def _read(content: Any, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_chunked(64 * 1024):
        size += len(part)
        if size > most_bytes:
            raise ResponseTooLarge("the answer is too large")
        parts.append(part)
    return b"".join(parts)
