"""The HTTP client of the command line: calls a running Vestibule and prints answers and problems."""

import json
import os
import time
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

# As `vestibule up` lays them out; the variable of its option is heeded here too.
_BASE_PORT = os.environ.get("VESTIBULE_BASE_PORT", "")
BASE_PORT = int(_BASE_PORT) if _BASE_PORT.isdecimal() else 8000
DEFAULT_URL, DEFAULT_DATABASE_URL, DEFAULT_SCHEDULER_URL = (
    f"http://127.0.0.1:{BASE_PORT + offset}" for offset in (0, 1, 3)
)
DEVELOPMENT_TOKEN = "SECRET_TOKEN"  # noqa: S105 - published on purpose; a server takes it from loopback only
LONGEST_WAIT_S = 30.0
ENDS = ("succeeded", "failed", "cancelled", "dead")
TIMEOUT_S = 35.0

UrlOption = Annotated[
    str, typer.Option("--url", envvar="VESTIBULE_URL", help=f"Address of the client service. [default: {DEFAULT_URL}]")
]
SchedulerUrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="VESTIBULE_SCHEDULER_URL",
        help=f"Address of the scheduler service. [default: {DEFAULT_SCHEDULER_URL}]",
    ),
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="VESTIBULE_TOKEN",
        help="Token; better set as a variable, since others on this machine can see options. "
        "[default on this machine: the development token]",
    ),
]
IfVersion = Annotated[int | None, typer.Option(min=1, help="Only if the entry has this version.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class HttpClient:
    """Calls a service of a running Vestibule; a problem is printed and ends the program with code 1."""

    def __init__(self, url: str, token: str, default_url: str = DEFAULT_URL) -> None:
        self.url = (url or default_url).rstrip("/")
        is_local = urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")
        self.token = token or (DEVELOPMENT_TOKEN if is_local else "")
        if not self.token:
            raise typer.BadParameter("set VESTIBULE_TOKEN", param_hint="--token")

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Return the JSON body of a successful answer."""
        import httpx

        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        try:
            answer = httpx.request(
                method, self.url + path, params=query, json=body, headers=sent, timeout=TIMEOUT_S, trust_env=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"no answer from {self.url} ({type(error).__name__}); is it running? `make up` starts it")
        if not answer.is_success:
            _show_problem(answer.status_code, answer.text)
        return answer.json()

    def task(self, task_id: str, wait_s: float) -> Any:
        """Return the status of a task when it has ended, or after `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            query = {"wait": min(left_s, LONGEST_WAIT_S)}
            status = self.call("GET", f"/tasks/{quote(task_id, safe='')}", query=query)
            if status["state"] in ENDS or time.monotonic() >= deadline:
                return status


def condition_of(version: int | None) -> dict[str, str]:
    """Return the header that asks for a version of an entry."""
    return {} if version is None else {"If-Match": f'"{version}"'}


def show(answer: Any, as_json: bool, text: str) -> None:
    """Print an answer for a program or for a person."""
    typer.echo(json.dumps(answer, ensure_ascii=False) if as_json else text)


def fail(reason: str) -> NoReturn:
    """Print the reason on standard error and exit with code 1."""
    typer.echo(f"vestibule: {reason}", err=True)
    raise typer.Exit(1)


def _show_problem(status: int, text: str) -> NoReturn:
    try:
        problem = json.loads(text)
        title, detail = problem["title"], problem["detail"]
    except (ValueError, KeyError, TypeError):
        fail(f"the answer was {status} and no problem document; is this a Vestibule?")
    lines = [f"{title}: {detail}"]
    for mistake in problem.get("errors", ()):
        lines.append(f"  {mistake.get('where')}: {mistake.get('expected')}")
    for finding in problem.get("findings", ()):
        place = f"characters {finding['start']} to {finding['end']} of the {finding.get('field', 'text')}"
        lines.append(f"  {finding['entity']} at {place}, score {finding['score']}")
    if "alert_id" in problem:
        lines.append(f"  alert {problem['alert_id']}")
    fail("\n".join(lines))
