"""The egress guard: allows only configured hosts, and connects only to the address that was checked."""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


class DeliveryFailed(OSError):
    """A delivery failed; the message has the reason without an address or the text of a response."""


class DeliveryForbidden(DeliveryFailed):
    """The address is not allowed."""


class ResponseTooLarge(DeliveryFailed):
    """The receiver accepted it, but its response is too large."""


@dataclass(frozen=True, slots=True)
class EgressResponse:
    """The response of a receiver."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class EgressGuard:
    """The allowed schemes and hosts (no host: all), and whether private addresses are allowed."""

    schemes: frozenset[str]
    hosts: frozenset[str]
    is_private_allowed: bool
    timeout_s: float

    def check_scheme(self, scheme: str) -> None:
        """Let a scheme pass or not.

        Raises:
            DeliveryForbidden: it is not allowed.
        """
        if scheme not in self.schemes:
            raise DeliveryForbidden("the scheme is not allowed")

    def check_host(self, host: str) -> None:
        """Let the name of a host pass or not; its address is another matter.

        Raises:
            DeliveryForbidden: it is not allowed.
        """
        if self.hosts and host not in self.hosts:
            raise DeliveryForbidden("the host is not allowed")

    def resolve(self, host: str, port: int) -> str:
        """Return the one address of `host` that may be connected to, and is to be connected to.

        Raises:
            DeliveryForbidden: the host, or its address, is not allowed.
            DeliveryFailed: the host has no address.
        """
        self.check_host(host)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise DeliveryFailed("the host has no address") from error
        addresses = [str(entry[4][0]) for entry in found]
        # One forbidden address among them is enough: whoever answers for the name is not to be trusted.
        if not self.is_private_allowed and not all(_is_public(address) for address in addresses):
            raise DeliveryForbidden("the host's address is not public")
        return addresses[0]

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post `body` and return when it was taken with a status of 2xx. Redirects are not followed.

        Raises:
            DeliveryFailed: it may not go there, or it was not taken.
        """
        status = self.send(url, body, headers).status
        if not 200 <= status < 300:
            raise DeliveryFailed(f"the answer was {status}")

    def send(self, url: str, body: bytes, headers: Mapping[str, str], most_bytes: int = 0) -> EgressResponse:
        """Post `body` and return the answer, whatever its status, with a body of at most `most_bytes`.

        With none, the body is not read. Redirects are not followed.

        Raises:
            DeliveryForbidden: it may not go there.
            ResponseTooLarge: the answer has more than `most_bytes`.
            DeliveryFailed: nobody answered in time.
        """
        parts = urlsplit(url)
        self.check_scheme(parts.scheme)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = self.resolve(host, port)
        return asyncio.run(_post(url, address, body, headers, self.timeout_s, most_bytes))


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_global and not parsed.is_multicast


async def _post(  # noqa: PLR0917 - as they come
    url: str, address: str, body: bytes, headers: Mapping[str, str], timeout_s: float, most_bytes: int
) -> EgressResponse:
    import aiohttp  # noqa: PLC0415 - only those who notify pay for it
    from aiohttp.abc import AbstractResolver, ResolveResult  # noqa: PLC0415

    class Pinned(AbstractResolver):
        """Answers with the address that was checked, so that a second answer of the name changes nothing."""

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
        # What is compressed could become anything that it likes.
        plain = {"Accept-Encoding": "identity", **headers}
        options: dict[str, Any] = {"timeout": timeout, "trust_env": False, "auto_decompress": False}
        async with (
            aiohttp.ClientSession(connector=connector, **options) as session,
            session.post(url, data=body, headers=plain, allow_redirects=False) as answer,
        ):
            return EgressResponse(answer.status, await _read(answer.content, most_bytes) if most_bytes else b"")
    except TimeoutError as error:
        raise DeliveryFailed("no answer in time") from error
    except aiohttp.ClientError as error:
        raise DeliveryFailed(type(error).__name__) from error


async def _read(content: Any, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_chunked(64 * 1024):
        size += len(part)
        if size > most_bytes:
            raise ResponseTooLarge("the answer is too large")
        parts.append(part)
    return b"".join(parts)


def signature_headers(secret: bytes, body: bytes) -> dict[str, str]:
    """Return `X-Vestibule-Timestamp` (Unix seconds) and `X-Vestibule-Signature` (`sha256=` and hex) for `body`."""
    now = str(int(time.time()))
    digest = hmac.new(secret, now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Vestibule-Timestamp": now, "X-Vestibule-Signature": f"sha256={digest}"}
