"""The HTTP client of the command line: calls a running Vestibule and prints answers and problems."""

import json
import os
import time
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import typer

from vestibule.cli.options import DEVELOPMENT_TOKEN, AsJson, fail, show

# The ports of `vestibule up`, whose option --base-port has the same variable.
_BASE_PORT = os.environ.get("VESTIBULE_BASE_PORT", "")
BASE_PORT = int(_BASE_PORT) if _BASE_PORT.isdecimal() else 8000
DEFAULT_URL, DEFAULT_DATABASE_URL, DEFAULT_SCHEDULER_URL = (
    f"http://127.0.0.1:{BASE_PORT + offset}" for offset in (0, 1, 3)
)
LONGEST_WAIT_S = 30.0
FINAL_STATES = ("succeeded", "failed", "cancelled", "dead")
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
        help="Token; prefer the variable, since other users of this machine can see options. "
        "[default on this machine: the development token]",
    ),
]
IfVersion = Annotated[int | None, typer.Option(min=1, help="Only if the entry has this version.")]


class HttpClient:
    """Calls a service of a running Vestibule; a problem is printed and ends the program with code 1."""

    def __init__(self, url: str, token: str, default_url: str = DEFAULT_URL, *, as_json: bool = False) -> None:
        self.url = (url or default_url).rstrip("/")
        self._token = token
        self.as_json = as_json

    @property
    def token(self) -> str:
        """The token of the caller. Raises: typer.BadParameter for a bad URL, or another machine without a token."""
        try:
            parts = urlsplit(self.url)
            host = parts.hostname
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--url") from None
        if parts.scheme not in ("http", "https") or not host:
            raise typer.BadParameter("must be http://HOST[:PORT] or https://HOST[:PORT]", param_hint="--url")
        is_local = host in ("127.0.0.1", "localhost", "::1")
        if not self._token and not is_local:
            raise typer.BadParameter("required for another machine; set VESTIBULE_TOKEN", param_hint="--token")
        return self._token or DEVELOPMENT_TOKEN

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
        except UnicodeEncodeError:
            raise typer.BadParameter("an argument is not a UTF-8 text") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"no answer from {self.url} ({type(error).__name__}); is it running? `vestibule up` starts it")
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
            if status["state"] in FINAL_STATES or time.monotonic() >= deadline:
                return status

    def show(self, answer: Any, text: str) -> None:
        """Print an answer as JSON where --json is given, else as text."""
        show(answer, self.as_json, text)


def client_service(url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> HttpClient:
    """Make the client of a command that calls the client service, for `takes`."""
    return HttpClient(url, token, as_json=as_json)


def scheduler_service(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> HttpClient:
    """Make the client of a command that calls the scheduler service, for `takes`."""
    return HttpClient(url, token, DEFAULT_SCHEDULER_URL, as_json=as_json)


def condition_of(version: int | None) -> dict[str, str]:
    """Return the header that makes a request conditional on the version of an entry."""
    return {} if version is None else {"If-Match": f'"{version}"'}


def _show_problem(status: int, text: str) -> NoReturn:
    try:
        problem = json.loads(text)
        title, detail = problem["title"], problem["detail"]
    except (ValueError, KeyError, TypeError):
        fail(f"the answer is {status} without a problem document; is this address a Vestibule?")
    lines = [f"{title}: {detail}"]
    for mistake in problem.get("errors", ()):
        lines.append(f"  {mistake.get('where')}: {mistake.get('expected')}")
    for finding in problem.get("findings", ()):
        place = f"characters {finding['start']} to {finding['end']} of the {finding.get('field', 'text')}"
        lines.append(f"  {finding['entity']} at {place}, score {finding['score']}")
    if "alert_id" in problem:
        lines.append(f"  alert {problem['alert_id']}")
    fail("\n".join(lines))
