"""The commands for stored entries: add, read, list, delete and history."""

from typing import Annotated

import typer

from vestibule.cli.http_client import HttpClient, IfVersion, client_service, condition_of
from vestibule.cli.options import read_text, takes

PAGE = 1000
# What `add` says that the policy did with a finding.
DONE = {
    "redact": "redacted",
    "mask": "masked",
    "hash": "hashed",
    "tokenize": "tokenized",
    "alert": "stored unchanged, with an alert",
    "ignore": "stored unchanged",
}


@takes(client_service)
def add(
    http: HttpClient,
    key: Annotated[str, typer.Argument(help="The key to store the value under.")],
    value: Annotated[str, typer.Argument(help="The value; `-` reads all of standard input, its last line feed too.")],
    ttl: Annotated[float | None, typer.Option(min=0, help="Seconds after which the entry expires.")] = None,
    if_version: IfVersion = None,
    create_only: Annotated[bool, typer.Option("--create-only", help="Only if there is no such entry.")] = False,
) -> None:
    """Store a value, unless the policy blocks it."""
    pair = {"key": key, "value": read_text(value)} | ({} if ttl is None else {"ttl_s": ttl})
    headers = condition_of(if_version) | ({"If-None-Match": "*"} if create_only else {})
    answer = http.call("POST", "/add", body=pair, headers=headers)
    done = sorted({f"{finding['entity']} {DONE[finding['action']]}" for finding in answer["findings"]})
    shown = f" ({', '.join(done)})" if done else ""
    http.show(answer, f"{answer['key']} written as version {answer['version']}{shown}")


@takes(client_service)
def read(
    http: HttpClient,
    key: Annotated[str, typer.Argument(help="The key to read.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the value exactly as it is stored.")] = False,
) -> None:
    """Print the value under a key, with a line feed after it unless it ends with one."""
    answer = http.call("GET", "/read", query={"key": key})
    value = str(answer["value"])
    if raw:
        typer.get_binary_stream("stdout").write(value.encode())
    else:
        http.show(answer, value.removesuffix("\n"))


@takes(client_service)
def list_keys(
    http: HttpClient,
    prefix: Annotated[str, typer.Argument(help="The prefix of the keys; every key if not given.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most; all if not given.")] = None,
) -> None:
    """List the keys of stored entries in order, one per line."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = http.call("GET", "/keys", query={"prefix": prefix, "limit": size, **cursor})
        found += page["keys"]
        if page.get("cursor") is None:
            break
        cursor = {"cursor": page["cursor"]}
    if found or http.as_json:
        http.show({"keys": found}, "\n".join(found))


@takes(client_service)
def delete(
    http: HttpClient,
    key: Annotated[str, typer.Argument(help="The key of the entry to delete.")],
    if_version: IfVersion = None,
) -> None:
    """Delete a stored entry. Exit code 1 if there is none."""
    answer = http.call("DELETE", "/delete", query={"key": key}, headers=condition_of(if_version))
    http.show(answer, f"{key} deleted" if answer["deleted"] else "No entry has that key.")
    if not answer["deleted"]:
        raise typer.Exit(1)


@takes(client_service)
def history(http: HttpClient, key: Annotated[str, typer.Argument(help="The key of the entry.")]) -> None:
    """Show the stored versions of an entry, newest first: time, token and value."""
    answer = http.call("GET", "/history", query={"key": key})
    lines = [
        f"{one['version']}  {one['at'][:19]}  {one.get('by', '-'):12}  {one.get('value', '(' + one['kind'] + ')')}"
        for one in answer["revisions"]
    ]
    http.show(answer, "\n".join(lines))
