"""Guessing tokens comes to an end for the address that guesses, and for nobody else."""

from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from vestibule.contracts.errors import TooManyAuthFailures
from vestibule.service_kit.auth import auth_rate_limit
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit, ClientAddress, Counted
from vestibule.service_kit.settings import ServiceSettings

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


class _Engine:
    """A limit of three a minute, with a clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.told: list[str] = []
        self.denied: list[int] = []
        self.limit = AuthRateLimit(3, PROXIES, self._tell, lambda: self.now_s, on_denied=self._tell_denied)

    async def _tell(self, address: str, _limit: int) -> None:
        self.told.append(address)

    async def _tell_denied(self, limit: int) -> None:
        self.denied.append(limit)

    async def failures(self, host: str, forwarded_for: str = "", times: int = 1) -> list[int | None]:
        """Return for each try None where it passed, or the seconds after which it may come again."""
        return [await self._try(ClientAddress(host, forwarded_for)) for _ in range(times)]

    async def _try(self, client_address: ClientAddress) -> int | None:
        try:
            await self.limit.count(client_address)
        except TooManyAuthFailures as error:
            return error.retry_after_s
        return None


async def test_the_third_try_in_a_minute_is_too_many() -> None:
    """Two pass, the rest is told to wait until the minute ends, and one alert says so; then it starts anew."""
    prefilter = _Engine()
    assert [None, None, 60, 60] == await prefilter.failures("203.0.113.9", times=4)
    prefilter.now_s += 50
    assert [10] == await prefilter.failures("203.0.113.9")
    assert [None] == await prefilter.failures("203.0.113.10")
    prefilter.now_s += 10
    assert [None, None, 60] == await prefilter.failures("203.0.113.9", times=3)
    assert ["203.0.113.9"] * 2 == prefilter.told


async def test_a_token_that_is_denied_again_and_again_is_told_once_a_minute() -> None:
    """It is counted by itself, and never limited."""
    engine = _Engine()
    for token_id in ("a", "b", "a", "a", "b", "a"):
        await engine.limit.count_denied(token_id)
    assert [3] == engine.denied
    engine.now_s += 60
    for _ in range(4):
        await engine.limit.count_denied("a")
    assert [3, 3] == engine.denied
    assert [None] == await engine.failures("203.0.113.9")


@pytest.mark.parametrize(
    ("host", "forwarded_for", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # whoever is no proxy is not believed
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # what stands before it is a claim
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fd00::1", "", "fd00::/64"),
        ("10.0.0.1", "nonsense", "unknown"),
        ("", "", "unknown"),
    ],
)
async def test_the_address_is_the_last_that_can_be_believed(host: str, forwarded_for: str, expected: str) -> None:
    """Nobody escapes by a header of their own, and whoever has a network of version 6 is one."""
    prefilter = _Engine()
    await prefilter.failures(host, forwarded_for, times=3)
    assert [expected] == prefilter.told


async def test_many_addresses_do_not_take_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are too many addresses, those that were not heard of for longest are forgotten."""
    monkeypatch.setattr(auth_rate_limit, "MAX_ADDRESSES", 100)
    prefilter = _Engine()
    await prefilter.failures("203.0.113.9", times=2)
    for number in range(1, 100):
        await prefilter.failures(f"198.51.100.{number}")
    assert [60] == await prefilter.failures("203.0.113.9")
    await prefilter.failures("198.51.100.200")
    assert [None, None] == await prefilter.failures("198.51.100.1", times=2)


async def test_a_limited_stranger_costs_no_alert(service: Any) -> None:
    """From the 30th within a minute on an address gets 429 with `Retry-After`; known tokens and others get through."""
    async with service.client(token="wrong", address="203.0.113.9") as client:
        answers = [await client.get("/things/one") for _ in range(50)]
    assert [401] * 29 + [429] * 21 == [answer.status_code for answer in answers]
    assert (29, ["203.0.113.9"]) == (len(service.auth_failures), service.limited)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "/problems/too-many-auth-failures" == answers[-1].json()["type"]


async def test_who_is_known_is_never_limited(tmp_path: Path, service: Any) -> None:
    """A caller with a token is served though the same address guesses."""
    served = type(service)(ServiceSettings(data_dir=tmp_path, embedded=True, auth_failures_per_minute=2))
    async with served.client(token="wrong") as client:
        assert [401, 429, 429] == [(await client.get("/things/one")).status_code for _ in range(3)]
    async with served.client() as client:
        assert [200] * 5 == [(await client.get("/things/one")).status_code for _ in range(5)]


class _Processes:
    """Two processes of a service, which tell each other what they count."""

    def __init__(self) -> None:
        self.reported: list[str] = []
        self.limits = [
            AuthRateLimit(4, [], self._report, on_denied=self._deny, on_counted=partial(self._tell, other))
            for other in (1, 0)
        ]

    def _tell(self, other: int, what: Counted, name: str) -> None:
        self.limits[other].count_elsewhere(what, name)

    async def _report(self, address: str, _limit: int) -> None:
        self.reported.append(address)

    async def _deny(self, _limit: int) -> None:
        self.reported.append("denied")


async def test_the_processes_of_a_service_count_together() -> None:
    """By turns both count to the limit, which then holds in both, and is reported once."""
    processes = _Processes()
    address = ClientAddress("203.0.113.7")
    passed = 0
    for number in range(8):
        try:
            await processes.limits[number % 2].count(address)
            passed += 1
        except TooManyAuthFailures:
            pass
    assert (3, ["203.0.113.7"]) == (passed, processes.reported)


async def test_denied_tokens_are_reported_once_over_the_processes() -> None:
    """A token that lacks a scope is counted by both, and reported by one."""
    processes = _Processes()
    for number in range(10):
        await processes.limits[number % 2].count_denied("t1")
    assert ["denied"] == processes.reported
