"""`vestibule bench`: measures the latency and throughput of a running Vestibule."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame.noun import with_examples
from vestibule.cli.frame.server_choice import choose_server
from vestibule.cli.frame.servers import ServersUnreadable
from vestibule.cli.frame.session import ServerOption, TokenOption
from vestibule.cli.options import AsJson, duration_option, exit_on
from vestibule.cli.terminal.output import Output

if TYPE_CHECKING:
    import aiohttp

MOST_CONNECTIONS = 500
SHORTEST_S, LONGEST_S = 0.1, 60.0
BUSY_SHARE = 0.8

TEXT = "the quick brown fox jumps over the lazy dog and on"
KEYS = 1_000
# Stored entries expire after this time.
TTL_S = 3_600
TIMEOUT_S = 10.0

Request = tuple[str, str, Any]


def _key(number: int) -> str:
    return f"vestibule-bench/{number % KEYS}"


ROUTES: dict[str, Callable[[int], Request]] = {
    "add": lambda number: ("POST", "/add", {"key": _key(number), "value": TEXT, "ttl_s": TTL_S}),
    "read": lambda _number: ("GET", f"/read?key={_key(0)}", None),
    "run": lambda _number: ("POST", "/run", {"key": _key(0)}),
    "messages": lambda _number: ("POST", "/messages", {"text": TEXT}),
    "scan": lambda _number: ("POST", "/scan", {"text": TEXT}),
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
        return {
            "requests_per_s": round(len(self.took_s) / self.elapsed_s, 1),
            **{f"p{share}_ms": round(self.percentile_ms(share / 100), 2) for share in (50, 95, 99)},
            "max_ms": round(self.percentile_ms(1), 2),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "unanswered": self.unanswered,
            "own_cpu_share": round(self.own_cpu_s / self.elapsed_s, 2),
        }


@with_examples("vestibule bench", "vestibule bench http://127.0.0.1:8000 --route scan --for 10s --connections 50")
def bench(
    url: Annotated[
        str,
        typer.Argument(
            envvar="VESTIBULE_URL",
            help="Address of the client service; by default that of `vestibule up` on this machine.",
        ),
    ] = "",
    route: Annotated[str, typer.Option(help="add, read, run, messages or scan.")] = "add",
    connections: Annotated[int, typer.Option(min=1, max=MOST_CONNECTIONS, help="Concurrent requests.")] = 20,
    length: Annotated[
        timedelta, duration_option("--for", "--seconds", help="Duration of the load, a minute at most.")
    ] = timedelta(seconds=5),
    server: ServerOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Measure a running Vestibule under load on one route; stored entries expire after an hour.

    After a 429 or 503 a connection waits as long as `Retry-After` says. Exit codes: 0 all answers were 2xx, 1 some
    were not.
    """
    import asyncio

    if route not in ROUTES:
        raise typer.BadParameter(f"one of {', '.join(ROUTES)}", param_hint="--route")
    seconds = length.total_seconds()
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise typer.BadParameter(f"from {SHORTEST_S:g} to {LONGEST_S:g} s", param_hint="--for")
    with exit_on(ServersUnreadable):
        chosen = choose_server(server, token, url=url)
    figures = asyncio.run(measure(chosen.url, chosen.token or "", route, connections, seconds)).as_dict()
    document = {"route": route, "connections": connections, "seconds": seconds, **figures}
    Output(as_json=as_json).done(document, "\n".join(_lines(route, figures)))
    are_all_served = all(status.startswith("2") for status in figures["statuses"]) and not figures["unanswered"]
    raise typer.Exit(0 if figures["statuses"] and are_all_served else 1)


def _lines(route: str, figures: dict[str, Any]) -> list[str]:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in figures["statuses"].items())
    lines = [
        f"{route}: {figures['requests_per_s']:,.0f} requests/s",
        f"latency: p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms, p99 {figures['p99_ms']} ms, "
        f"max {figures['max_ms']} ms",
        f"answers: {statuses or 'none'}; {figures['unanswered']:,} unanswered",
        f"this program used {figures['own_cpu_share']:.0%} of a core",
    ]
    if figures["own_cpu_share"] > BUSY_SHARE:
        lines.append("This program is the bottleneck, not the service. Run several, from other machines.")
    return lines


async def measure(url: str, token: str, route: str, connections: int, seconds: float) -> Measured:
    """Send a load to one route and return its measurements."""
    import asyncio

    request_of, measured = ROUTES[route], Measured()
    async with open_session(url, token, connections) as session:
        # The entry that the routes which read ask for.
        await send(session, ROUTES["add"](0), Measured())
        numbers = iter(range(1, 1 << 62))
        began, cpu_began = time.perf_counter(), time.process_time()
        until = began + seconds

        async def keep_sending() -> None:
            while time.perf_counter() < until:
                await send(session, request_of(next(numbers)), measured)

        await asyncio.gather(*(keep_sending() for _ in range(connections)))
        measured.elapsed_s = time.perf_counter() - began
        measured.own_cpu_s = time.process_time() - cpu_began
    return measured


@asynccontextmanager
async def open_session(url: str, token: str, connections: int) -> "AsyncIterator[aiohttp.ClientSession]":
    """Return a session with at most that many persistent connections."""
    import aiohttp

    async with aiohttp.ClientSession(
        url,
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def send(session: "aiohttp.ClientSession", request: Request, measured: Measured) -> None:
    """Send one request and record its outcome."""
    import asyncio

    import aiohttp

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
        # The service is overloaded; sending at once would make it worse.
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
