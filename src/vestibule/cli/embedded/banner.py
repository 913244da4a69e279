"""The banner when everything is ready: the addresses, and three curl lines to try."""

import shlex

from vestibule.cli.embedded.parts import Layout

USUAL_BASE_PORT = 8000

# `sed` takes the task's id out of the answer to /run, so that the last line can wait for the very task it starts.
_TASK_ID = r"""sed -E 's/.*"task_id": ?"([^"]+)".*/\1/'"""


def render_banner(layout: Layout, took_s: float, token: str) -> str:
    """Return the text; `token` is what the shell lines present, which may name a variable of the shell."""
    places = {name: address.url for name, address in layout.services.items()}
    places["client"] += f"  (all routes: {layout.client.url}/docs)"
    places["scheduler"] += f"  (how all is: {layout.scheduler.url}/status/page, the token as password)"
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
    """Return three lines for a shell, each of which works as it is once the first has run."""
    header = f'-H "Authorization: Bearer {token}"'
    run = f'-X POST "{url}/run?key=test1" {header}'
    return [
        f'curl -X POST "{url}/add?key=test1&value=hello" {header}',
        f"curl {run}",
        f'curl -s {run} | {_TASK_ID} | xargs -I ID curl -s "{url}/tasks/ID?wait=10" {header}',
    ]
