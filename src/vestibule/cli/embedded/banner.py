"""Announces that everything is ready: a banner with addresses and three curl lines, and a notification for systemd."""

import shlex
import socket
from collections.abc import Mapping
from contextlib import suppress

from vestibule.cli.embedded.parts import Layout

USUAL_BASE_PORT = 8000
READY = b"READY=1"

# `sed` extracts the task's id from the answer to /run, so that the last line waits for the task that it starts.
_TASK_ID = r"""sed -E 's/.*"task_id": ?"([^"]+)".*/\1/'"""


def render_banner(layout: Layout, took_s: float, token: str) -> str:
    """Return the text; `token` stands in the shell lines and may name a variable."""
    places = {name: address.url for name, address in layout.services.items()}
    places["client"] += f"  (all routes: {layout.client.url}/docs)"
    places["scheduler"] += f"  (status page: {layout.scheduler.url}/status/page, the token is the password)"
    places["logs"] = str(layout.directory.app_log)
    places["error reports"] = str(layout.directory.error_reports)
    if layout.base_port != USUAL_BASE_PORT:
        variables = (
            f"VESTIBULE_BASE_PORT={layout.base_port} VESTIBULE_DATA_DIR={shlex.quote(str(layout.directory.path))}"
        )
        places["for `vestibule`"] = f"export {variables}"
    width = max(map(len, places))
    listed = "\n".join(f"  {name:{width}}  {place}" for name, place in places.items())
    return f"""
Vestibule is ready ({took_s:.1f} s).

{listed}

Store a value, process it, process it and see the result:

{chr(10).join(try_lines(layout.client.url, token))}

The development token is accepted from this machine only (loopback). Ctrl-C stops everything.
"""


def try_lines(url: str, token: str) -> list[str]:
    """Return three lines for a shell; each works once the first has run."""
    header = f'-H "Authorization: Bearer {token}"'
    run = f'-X POST "{url}/run?key=test1" {header}'
    return [
        f'curl -X POST "{url}/add?key=test1&value=hello" {header}',
        f"curl {run}",
        f'curl -s {run} | {_TASK_ID} | xargs -I ID curl -s "{url}/tasks/ID?wait=10" {header}',
    ]


def notify_ready(environment: Mapping[str, str]) -> None:
    """Send the notification of `Type=notify` to systemd, if the environment names its socket. Source: sd_notify(3).

    Errors are ignored: systemd has a timeout of its own.
    """
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    # A leading @ means the abstract namespace, whose names begin with NUL.
    address = f"\0{name[1:]}" if name.startswith("@") else name
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.sendto(READY, address)
