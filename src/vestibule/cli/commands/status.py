"""`vestibule status`: shows the state of every part of a running Vestibule."""

from typing import Any

import typer

from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL, AsJson, HttpClient, SchedulerUrlOption, TokenOption, show


def status(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Show the state of every part. Exit code 1 if one is down or a heartbeat is missing."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("GET", "/status")
    lines = [_part_line(part) for part in answer["parts"]]
    lines += [f"{one['name']:20}  {one['state']:9}  heartbeat" for one in answer["heartbeats"]]
    show(answer, as_json, "\n".join(lines))
    if any(_is_unhealthy(one) for one in [*answer["parts"], *answer["heartbeats"]]):
        raise typer.Exit(1)


def _part_line(part: dict[str, Any]) -> str:
    shares = "  ".join(f"{over} {_percent(share)}" for over, share in part["availability"].items())
    said = [part["note"] or "", "in maintenance" if part["in_maintenance"] else ""]
    return f"{part['name']:20}  {part['state']:9}  {shares}  {', '.join(filter(None, said))}".rstrip()


def _percent(share: float | None) -> str:
    return "     –" if share is None else f"{int(share * 10_000) / 100:5.4g}%"


def _is_unhealthy(one: dict[str, Any]) -> bool:
    return one["state"] in ("down", "missed", "failed") and not one.get("in_maintenance")
