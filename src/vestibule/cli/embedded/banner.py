"""Announces that everything is ready: a banner with addresses and lines to try, and a notification for systemd."""

import shlex
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vestibule.cli.embedded.parts import Layout

USUAL_BASE_PORT = 8000
READY = b"READY=1"

# `sed` extracts the task's id from the answer to /run, so that the line waits for the task that it starts.
_TASK_ID = r"""sed -E 's/.*"task_id": ?"([^"]+)".*/\1/'"""


def render_banner(layout: Layout, took_s: float, token: str) -> str:
    """Return the text; `token` stands in the shell lines and may name a variable."""
    places = {name: address.url for name, address in layout.services.items()}
    places["client"] += f"  (all routes: {layout.client.url}/docs)"
    places["scheduler"] += f"  (status page: {layout.scheduler.url}/status/page, the token is the password)"
    if "console" in places:
        places["console"] += "  (sign in with the token)"
    places["logs"] = str(layout.directory.app_log)
    places["error reports"] = str(layout.directory.error_reports)
    variables = []
    if layout.base_port != USUAL_BASE_PORT:
        variables += [f"VESTIBULE_BASE_PORT={layout.base_port}"]
        variables += [f"VESTIBULE_DATA_DIR={shlex.quote(str(layout.directory.path))}"]
    if token.startswith("$"):
        variables.append(f'VESTIBULE_TOKEN="{token}"')
    if variables:
        places["for `vestibule`"] = f"export {' '.join(variables)}"
    if shutil.which("vestibule") is None:
        places["`vestibule`"] = str(Path(sys.executable).with_name("vestibule"))
    width = max(map(len, places))
    listed = "\n".join(f"  {name:{width}}  {place}" for name, place in places.items())
    return f"""
Vestibule is ready ({took_s:.1f} s).

{listed}

Store a value, process it, process it and see the result:

{chr(10).join(try_lines(layout.client.url, token))}

The last one with curl alone:

{curl_and_wait(layout.client.url, token)}

The development token is accepted from this machine only (loopback). Ctrl-C stops everything.
"""


def try_lines(url: str, token: str) -> list[str]:
    """Return three lines for a shell; each works once the first has run."""
    header = f'-H "Authorization: Bearer {token}"'
    return [
        f'curl -X POST "{url}/add?key=test1&value=hello" {header}',
        f'curl -X POST "{url}/run?key=test1" {header}',
        "vestibule run test1 --wait 10",
    ]


def curl_and_wait(url: str, token: str) -> str:
    """Return a line for a shell that does with curl what the last of the three does."""
    header = f'-H "Authorization: Bearer {token}"'
    run = f'curl -s -X POST "{url}/run?key=test1" {header}'
    return f'{run} | {_TASK_ID} | xargs -I ID curl -s "{url}/tasks/ID?wait=10" {header}'


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
