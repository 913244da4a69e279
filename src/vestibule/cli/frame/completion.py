"""Completion of what a server knows: keys, ids and names. Silent and quick, whatever happens."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from vestibule.client import Client

# A shell waits for it at every tab.
TIMEOUT_S = 1.0
MOST = 100


def servers(incomplete: str) -> list[str]:
    """Complete the name of a server."""
    from vestibule.cli.frame.servers import ServersUnreadable, read_servers

    try:
        return _beginning(read_servers().by_name, incomplete)
    except ServersUnreadable:
        return []


def _completing(find: "Callable[[Client, str], Iterable[Any]]") -> Callable[[typer.Context, str], list[str]]:
    """Make a completion from what finds the candidates."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        # A shell would show what is printed in the middle of the line.
        try:
            with _client(ctx) as client:
                return _beginning((str(one) for one in find(client, incomplete)), incomplete)
        except Exception:  # noqa: BLE001 - no server, no token, another version: there is nothing to complete
            return []

    return complete


def _beginning(candidates: Iterable[str], incomplete: str) -> list[str]:
    found: list[str] = []
    for one in candidates:
        if one.startswith(incomplete):
            found.append(one)
        if len(found) == MOST:
            break
    return found


def _client(ctx: typer.Context) -> "Client":
    from vestibule.cli.frame.server_choice import choose_server
    from vestibule.client import Client, Retry

    # A shell completes an argument before it is known whether options follow, which then have their variables' values.
    variables = {"server": "SERVER", "token": "TOKEN", "url": "URL", "scheduler_url": "SCHEDULER_URL"}
    is_of_scheduler = "scheduler_url" in ctx.params
    server, token, url, scheduler_url = (
        ctx.params.get(name) or os.environ.get(f"VESTIBULE_{variable}", "") for name, variable in variables.items()
    )
    chosen = {"scheduler_url": scheduler_url} if is_of_scheduler else {"url": url}
    server = choose_server(server, token, **chosen)
    return Client(
        server.url, server.token, scheduler_url=server.scheduler_url, timeout_s=TIMEOUT_S, retry=Retry(attempts=1)
    )


def task_states(incomplete: str) -> list[str]:
    """Complete the state of a task."""
    return _beginning(("queued", "running", "retrying", "succeeded", "failed", "dead", "cancelled"), incomplete)


def entities(incomplete: str) -> list[str]:
    """Complete the name of an entity; those of this installation, whatever the server has."""
    try:
        from vestibule.detection import DetectionSettings
        from vestibule.detection.catalogue import list_detectors

        return _beginning(sorted({one.entity for one in list_detectors(DetectionSettings())}), incomplete)
    except Exception:  # noqa: BLE001 - a custom detector that is invalid
        return []


def bulk_actions(incomplete: str) -> list[str]:
    """Complete what can be done with many tasks."""
    return _beginning(("retry", "cancel", "drop"), incomplete)


keys = _completing(lambda client, incomplete: client.entries.keys(prefix=incomplete))
tasks = _completing(lambda client, _: (one.task_id for one in client.tasks.list()))
schedules = _completing(lambda client, _: (one.schedule_id for one in client.schedules.list()))
processors = _completing(lambda client, _: (one.name for one in client.processors.list()))
alerts = _completing(lambda client, _: (one.id for one in client.alerts.list()))
silences = _completing(lambda client, _: (one.id for one in client.silences.list()))
channels = _completing(lambda client, _: (one.name for one in client.channels.list()))
tokens = _completing(lambda client, _: (one.id for one in client.tokens.list()))
allowances = _completing(lambda client, _: (one.id for one in client.allowances.list()))
heartbeats = _completing(lambda client, _: (one.name for one in client.heartbeats.list()))
parts = _completing(lambda client, _: ("all", *(one.name for one in client.status.get().parts)))
windows = _completing(lambda client, _: (one.id for one in client.maintenance.list()))
