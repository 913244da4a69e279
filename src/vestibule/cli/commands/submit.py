"""The commands that send data to a running Vestibule: add, read, run, message."""

import json
import sys
from typing import Annotated, Any

import typer

from vestibule.cli.commands.tasks import show_task
from vestibule.cli.http_client import AsJson, HttpClient, IfVersion, TokenOption, UrlOption, condition_of, show

DONE = {
    "redact": "redacted",
    "mask": "masked",
    "hash": "hashed",
    "tokenize": "tokenized",
    "alert": "stored unchanged, with an alert",
    "ignore": "stored unchanged",
}

Processor = Annotated[str, typer.Option(help="The processor to use.")]
OptionList = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        help="NAME=VALUE, an option of the processor; VALUE is JSON, or else text; may be repeated. "
        "`vestibule processors NAME` lists them.",
    ),
]
WriteTo = Annotated[str | None, typer.Option(help="The key that the result is written to.")]
Callback = Annotated[str, typer.Option(help="Webhook address that gets a signed POST when the task ends.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the task to finish.")]


def add(
    key: Annotated[str, typer.Argument(help="The key to store the value under.")],
    value: Annotated[str, typer.Argument(help="The value; `-` reads it from standard input.")],
    ttl: Annotated[float | None, typer.Option(min=0, help="Seconds after which the entry expires.")] = None,
    if_version: IfVersion = None,
    create_only: Annotated[bool, typer.Option("--create-only", help="Only if there is no such entry.")] = False,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Store a value, unless the policy blocks it."""
    text = sys.stdin.read() if value == "-" else value
    pair = {"key": key, "value": text} | ({} if ttl is None else {"ttl_s": ttl})
    headers = condition_of(if_version) | ({"If-None-Match": "*"} if create_only else {})
    answer = HttpClient(url, token).call("POST", "/add", body=pair, headers=headers)
    show(answer, as_json, f"{answer['key']} written as version {answer['version']}{_found(answer['findings'])}")


def read(
    key: Annotated[str, typer.Argument(help="The key to read.")],
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Print the value under a key."""
    answer = HttpClient(url, token).call("GET", "/read", query={"key": key})
    show(answer, as_json, str(answer["value"]))


def run(
    key: Annotated[str, typer.Argument(help="The key of the value to process.")],
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    wait: Wait = 0,
    callback: Callback = "",
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Process a stored value in the background; print the task's id, or with --wait its result."""
    remote = HttpClient(url, token)
    work = {"key": key, "processor": processor, **terms(option, write_to), **_callback_option(callback)}
    accepted = remote.call("POST", "/run", body=work)
    _follow(remote, accepted, wait, as_json)


def message(
    text: Annotated[str, typer.Argument(help="The message; `-` reads it from standard input.")],
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    sync: Annotated[
        bool | None,
        typer.Option(
            "--sync/--async",
            help="Process at once and print the reply, or in the background; the settings decide if not given.",
        ),
    ] = None,
    wait: Wait = 0,
    callback: Callback = "",
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Send a message, unless the policy blocks it."""
    remote = HttpClient(url, token)
    content = sys.stdin.read() if text == "-" else text
    mode = {} if sync is None else {"mode": "sync" if sync else "async"}
    body = {"text": content, "processor": processor, **mode, **terms(option, write_to), **_callback_option(callback)}
    answer = remote.call("POST", "/messages", body=body)
    if "reply" in answer:
        show(answer, as_json, str(answer["reply"]))
    else:
        _follow(remote, answer, wait, as_json)


def terms(options: list[str] | None, write_to: str | None) -> dict[str, Any]:
    """Return the options of a command as members of a request."""
    given = dict(_option(one) for one in options or ())
    return ({"options": given} if given else {}) | ({} if write_to is None else {"write_to": write_to})


def _option(given: str) -> tuple[str, Any]:
    name, sign, text = given.partition("=")
    if not name or not sign:
        raise typer.BadParameter("write it as NAME=VALUE", param_hint="--option")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _follow(remote: HttpClient, accepted: dict[str, Any], wait: float, as_json: bool) -> None:
    if wait:
        show_task(remote, accepted["task_id"], wait, as_json)
    else:
        show(accepted, as_json, str(accepted["task_id"]))


def _callback_option(callback: str) -> dict[str, str]:
    return {"callback": callback} if callback else {}


def _found(findings: list[dict[str, Any]]) -> str:
    done = sorted({f"{finding['entity']} {DONE[finding['action']]}" for finding in findings})
    return f" ({', '.join(done)})" if done else ""
