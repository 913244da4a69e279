"""The commands for stored entries: list, delete and history. `vestibule keys` is about the key ring."""

from typing import Annotated, Any

import typer

from vestibule.cli.http_client import AsJson, HttpClient, IfVersion, TokenOption, UrlOption, condition_of, show

PAGE = 1000


def list_keys(
    prefix: Annotated[str, typer.Argument(help="What the keys start with; every key if not given.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most; all if not given.")] = None,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """List the keys of stored entries in order, one a line."""
    remote = HttpClient(url, token)
    found: list[str] = []
    cursor = None
    while limit is None or len(found) < limit:
        page = _page(remote, prefix, PAGE if limit is None else min(PAGE, limit - len(found)), cursor)
        found += page["keys"]
        cursor = page.get("cursor")
        if cursor is None:
            break
    if as_json or found:
        show({"keys": found}, as_json, "\n".join(found))


def delete(
    key: Annotated[str, typer.Argument(help="The key of the entry to remove.")],
    if_version: IfVersion = None,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Remove a stored entry. Exit code 1 if there was none."""
    answer = HttpClient(url, token).call("DELETE", "/delete", query={"key": key}, headers=condition_of(if_version))
    show(answer, as_json, f"{key} deleted" if answer["deleted"] else "Nothing is stored under that key.")
    if not answer["deleted"]:
        raise typer.Exit(1)


def history(
    key: Annotated[str, typer.Argument(help="The key of the entry.")],
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the stored versions of an entry, newest first: time, token and value."""
    answer = HttpClient(url, token).call("GET", "/history", query={"key": key})
    show(answer, as_json, "\n".join(_line(revision) for revision in answer["revisions"]))


def _line(revision: dict[str, Any]) -> str:
    what = revision.get("value", f"({revision['kind']})")
    return f"{revision['version']}  {revision['at'][:19]}  {revision.get('by', '-'):12}  {what}"


def _page(remote: HttpClient, prefix: str, limit: int, cursor: str | None) -> Any:
    query = {"prefix": prefix, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
    return remote.call("GET", "/keys", query=query)
