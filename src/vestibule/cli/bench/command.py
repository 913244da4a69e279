"""`vestibule bench`: measures the latency and throughput of a running Vestibule."""

from typing import Annotated, Any

import typer

from vestibule.cli.http_client import DEFAULT_URL, AsJson, HttpClient, TokenOption, show

MOST_CONNECTIONS = 500
LONGEST_S = 60.0
BUSY_SHARE = 0.8


def bench(
    url: Annotated[
        str, typer.Argument(envvar="VESTIBULE_URL", help=f"Address of the client service. [default: {DEFAULT_URL}]")
    ] = "",
    route: Annotated[str, typer.Option(help="add, read, run, messages or scan.")] = "add",
    connections: Annotated[int, typer.Option(min=1, max=MOST_CONNECTIONS, help="Concurrent requests.")] = 20,
    seconds: Annotated[float, typer.Option(min=0.1, max=LONGEST_S, help="Duration of the load.")] = 5,
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Measure a running Vestibule under load on one route; stored entries expire after an hour.

    It waits where it is told to come again. Exit codes: 0 all were answered as they should be, 1 some were not.
    """
    import asyncio

    from vestibule.cli.bench.load import ROUTES, measure

    if route not in ROUTES:
        raise typer.BadParameter(f"one of {', '.join(ROUTES)}", param_hint="--route")
    remote = HttpClient(url, token)
    figures = asyncio.run(measure(remote.url, remote.token, route, connections, seconds)).as_dict()
    show({"route": route, "connections": connections, "seconds": seconds, **figures}, as_json, _summary(route, figures))
    are_all_served = all(status.startswith("2") for status in figures["statuses"]) and not figures["unanswered"]
    raise typer.Exit(0 if figures["statuses"] and are_all_served else 1)


def _summary(route: str, figures: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in figures["statuses"].items())
    lines = [
        f"{route}: {figures['requests_per_s']:,.0f} requests/s",
        f"times: p50 {figures['p50_ms']} ms, p95 {figures['p95_ms']} ms, p99 {figures['p99_ms']} ms, "
        f"longest {figures['max_ms']} ms",
        f"answers: {statuses or 'none'}; {figures['unanswered']:,} unanswered",
        f"this program itself took {figures['own_cpu_share']:.0%} of a core",
    ]
    if figures["own_cpu_share"] > BUSY_SHARE:
        lines.append("That is all it can do: the other side may well be faster. Run several, from other machines.")
    return "\n".join(lines)
