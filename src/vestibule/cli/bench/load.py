"""The load of `vestibule bench`: persistent connections, each with one request at a time, for a bounded time."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TEXT = "the quick brown fox jumps over the lazy dog and on"
KEYS = 1_000
# What it stores is gone after this time.
TTL_S = 3_600
TIMEOUT_S = 10.0

Request = tuple[str, str, Any]
Ask = Callable[[int], Request]


def _key(number: int) -> str:
    return f"vestibule-bench/{number % KEYS}"


def _asking(method: str, path: str, body: Any = None) -> Ask:
    return lambda _number: (method, path, body)


ROUTES: dict[str, Ask] = {
    "add": lambda number: ("POST", "/add", {"key": _key(number), "value": TEXT, "ttl_s": TTL_S}),
    "read": _asking("GET", f"/read?key={_key(0)}"),
    "run": _asking("POST", "/run", {"key": _key(0)}),
    "messages": _asking("POST", "/messages", {"text": TEXT}),
    "scan": _asking("POST", "/scan", {"text": TEXT}),
}


@dataclass(slots=True)
class Measured:
    """The measurements of a load."""

    elapsed_s: float = 0.0
    own_cpu_s: float = 0.0
    took_s: list[float] = field(default_factory=list)
    statuses: "Counter[int]" = field(default_factory=Counter)
    unanswered: int = 0

    def percentile_ms(self, share: float) -> float:
        """Return the latency at that percentile."""
        if not self.took_s:
            return 0.0
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def as_dict(self) -> dict[str, Any]:
        """Return the figures in their JSON form."""
        answered = len(self.took_s)
        return {
            "requests_per_s": round(answered / self.elapsed_s, 1),
            **{f"p{share}_ms": round(self.percentile_ms(share / 100), 2) for share in (50, 95, 99)},
            "max_ms": round(self.percentile_ms(1), 2),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "unanswered": self.unanswered,
            "own_cpu_share": round(self.own_cpu_s / self.elapsed_s, 2),
        }


async def measure(url: str, token: str, route: str, connections: int, seconds: float) -> Measured:
    """Send a load to one route and return its measurements."""
    ask, measured = ROUTES[route], Measured()
    async with open_session(url, token, connections) as session:
        # What the routes that read ask for.
        await send(session, ROUTES["add"](0), Measured())
        numbers = iter(range(1, 1 << 62))
        began, cpu_began = time.perf_counter(), time.process_time()
        until = began + seconds

        async def keep_asking() -> None:
            while time.perf_counter() < until:
                await send(session, ask(next(numbers)), measured)

        await asyncio.gather(*(keep_asking() for _ in range(connections)))
        measured.elapsed_s = time.perf_counter() - began
        measured.own_cpu_s = time.process_time() - cpu_began
    return measured


@asynccontextmanager
async def open_session(url: str, token: str, connections: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session with at most that many persistent connections."""
    async with aiohttp.ClientSession(
        url,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def send(session: aiohttp.ClientSession, request: Request, measured: Measured) -> None:
    """Send one request and record its outcome."""
    method, path, body = request
    began = time.perf_counter()
    try:
        async with session.request(method, path, json=body, allow_redirects=False) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        measured.unanswered += 1
        await asyncio.sleep(0.1)
        return
    measured.took_s.append(time.perf_counter() - began)
    measured.statuses[answer.status] += 1
    if answer.status in {429, 503}:
        # It says that it has too much to do; whoever goes on at once makes that worse.
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
