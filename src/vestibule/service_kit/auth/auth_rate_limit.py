"""Rate limit of failed authentication: counts unknown tokens by client address, in bounded memory.

Known callers are counted only where they lack a scope, which raises an alert and never limits them. The processes of a
service on one machine count together, replicas each for itself.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from math import ceil
from typing import NamedTuple

from vestibule.contracts.errors import TooManyAuthFailures

WINDOW_S = 60
# The least recently seen addresses are evicted first. One entry takes about 200 bytes.
MAX_ADDRESSES = 10_000
# An IPv6 client usually has a whole /64.
PREFIX_V6 = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddress(NamedTuple):
    """The address of a client: the connected host, and the addresses that a proxy forwards."""

    host: str
    forwarded_for: str = ""


class Counted(StrEnum):
    """What a process tells the others of its service about an address or a token."""

    FAILED = "failed"
    LIMITED = "limited"
    DENIED = "denied"
    REPORTED = "reported"


class _Failures:
    __slots__ = ("began", "count", "is_reported")

    def __init__(self, began: float) -> None:
        self.began = began
        self.count = 0
        self.is_reported = False


class AuthRateLimit:
    """Refuses requests from an address with `per_minute` unknown tokens within a minute."""

    def __init__(
        self,
        per_minute: int,
        trusted_proxies: Sequence[Network],
        on_limited: Callable[[str, int], Awaitable[None]],
        now_s: Callable[[], float] = time.monotonic,
        *,
        on_denied: Callable[[int], Awaitable[None]],
        on_counted: Callable[[Counted, str], None] = lambda _what, _name: None,
    ) -> None:
        """Take the parts: `on_limited` gets the address and the limit, once a minute for each address over it.

        `on_denied` gets the limit, once a minute for each token that is refused as often for lack of a scope.
        `on_counted` gets what the other processes have to be told: `count_elsewhere` takes it there.
        """
        self._per_minute = per_minute
        self._trusted_proxies = trusted_proxies
        self._on_limited = on_limited
        self._now_s = now_s
        self._on_denied = on_denied
        self._on_counted = on_counted
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._denied: OrderedDict[str, _Failures] = OrderedDict()

    async def count_denied(self, token_id: str) -> None:
        """Count a request of a known token that lacks the scope."""
        denied = self._failures_of(token_id, self._denied)
        if denied.count < self._per_minute:
            self._on_counted(Counted.DENIED, token_id)
        denied.count += 1
        if denied.count >= self._per_minute and not denied.is_reported:
            denied.is_reported = True
            self._on_counted(Counted.REPORTED, token_id)
            await self._on_denied(self._per_minute)

    async def count(self, client_address: ClientAddress) -> str:
        """Count an unknown token, and return the address that it is counted for.

        Raises:
            TooManyAuthFailures: its address has shown too many.
        """
        address = address_of(client_address, self._trusted_proxies)
        failures = self._failures_of(address, self._failures)
        if failures.count < self._per_minute:
            # Beyond that, all know that it is limited.
            self._on_counted(Counted.FAILED, address)
        failures.count += 1
        if failures.count < self._per_minute:
            return address
        if not failures.is_reported:
            failures.is_reported = True
            self._on_counted(Counted.LIMITED, address)
            await self._on_limited(address, self._per_minute)
        left_s = max(1, ceil(failures.began + WINDOW_S - self._now_s()))
        raise TooManyAuthFailures("Too many requests with unknown tokens came from this address. Retry later.", left_s)

    def count_elsewhere(self, what: Counted, name: str) -> None:
        """Take in what another process has counted of an address or a token."""
        is_address = what in (Counted.FAILED, Counted.LIMITED)
        failures = self._failures_of(name, self._failures if is_address else self._denied)
        if what in (Counted.FAILED, Counted.DENIED):
            failures.count += 1
        else:
            failures.is_reported = True

    def _failures_of(self, name: str, all_failures: OrderedDict[str, _Failures]) -> _Failures:
        now_s = self._now_s()
        failures = all_failures.get(name)
        if failures is None or now_s - failures.began >= WINDOW_S:
            failures = all_failures[name] = _Failures(now_s)
            if len(all_failures) > MAX_ADDRESSES:
                all_failures.popitem(last=False)
        all_failures.move_to_end(name)
        return failures


def address_of(client_address: ClientAddress, trusted: Sequence[Network]) -> str:
    """Return the last address that no trusted proxy added: a client can forge those before it."""
    chain = [name.strip() for name in client_address.forwarded_for.split(",") if name.strip()]
    address = client_address.host
    while chain and _is_within(address, trusted):
        address = chain.pop()
    return _shortened(address)


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def _shortened(address: str) -> str:
    parsed = _parse(address)
    if parsed is None:
        # A socket file, or something else that a proxy sends: one entry for all bounds memory.
        return "unknown"
    return str(ipaddress.ip_network((parsed, PREFIX_V6), strict=False)) if parsed.version == 6 else str(parsed)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
