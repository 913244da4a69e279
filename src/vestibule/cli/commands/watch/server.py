"""`vestibule server`: the servers that this program knows by name, and how a running system is."""

import sys
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from vestibule.cli.commands.watch.logs import logs
from vestibule.cli.frame import completion
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.servers import (
    NAME,
    Server,
    Servers,
    ServersUnreadable,
    is_http_address,
    read_servers,
    servers_path,
    write_servers,
)
from vestibule.cli.frame.session import Session, use_scheduler
from vestibule.cli.options import AsJson, exit_on, fail
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.scheduler import Heartbeat, PartStatus

BAD_STATES = ("down", "missed", "failed")
SYSTEM_TENANTS = ("default", "~system")
Name = Annotated[str, typer.Argument(help="The name of the server.", autocompletion=completion.servers)]

SERVERS = (
    Column("", lambda one: "*" if one["current"] else ""),
    Column("SERVER", lambda one: one["name"]),
    Column("URL", lambda one: one["url"], shrinks=True),
    Column("SCHEDULER", lambda one: one["scheduler_url"], shrinks=True),
    Column("TOKEN", lambda one: one["has_token"]),
)

server = Noun(
    "vestibule server status",
    "vestibule server add prod https://vestibule.example.org --token - < token.txt",
    "vestibule server use prod",
    "vestibule logs -f",
)
server.verb("logs", "vestibule logs -f --level warning", "vestibule logs --request ID")(logs)


@server.verb("add", "vestibule server add prod https://vestibule.example.org --token - < token.txt")
def add_server(
    name: Annotated[str, typer.Argument(help="The name to use; of a known one, the address and token are replaced.")],
    url: Annotated[str, typer.Argument(help="The address of its client service.")],
    scheduler_url: Annotated[
        str | None,
        typer.Option(help="The address of its scheduler service; three ports above URL if not given."),
    ] = None,
    token: Annotated[str | None, typer.Option(help="`-`: the token is read from standard input.")] = None,
    as_json: AsJson = False,
) -> None:
    """Name a server with its token, for `--server NAME`; the first is used where none is named."""
    if not NAME.fullmatch(name):
        raise typer.BadParameter("letters, digits, `.`, `_` and `-`, at most 64", param_hint="NAME")
    for address, hint in ((url, "URL"), (scheduler_url, "--scheduler-url")):
        if address is not None and not is_http_address(address):
            raise typer.BadParameter("must be http://HOST[:PORT] or https://HOST[:PORT]", param_hint=hint)
    added = Server(name, url.rstrip("/"), scheduler_url, _read_token(token))
    servers = _read()
    _write(servers.with_server(added))
    Output(as_json=as_json).done(_shown(added, servers.with_server(added)), f"{name} is known, in {servers_path()}")


@server.verb("list", "vestibule server list")
def list_servers(as_json: AsJson = False) -> None:
    """List the servers that are known by name, without their tokens; `*` marks the one that is used."""
    servers = _read()
    rows = [_shown(one, servers) for one in servers.by_name.values()]
    Output(as_json=as_json).rows(rows, SERVERS, "No servers; `vestibule server add` names one.")


@server.verb("use", "vestibule server use prod")
def use_server(name: Name, as_json: AsJson = False) -> None:
    """Use a server where no command, variable or option names another."""
    servers = replace(_expect(name), current=name)
    _write(servers)
    Output(as_json=as_json).done(_shown(servers.by_name[name], servers), f"{name} is used")


@server.verb("remove", "vestibule server remove prod")
def remove_server(name: Name, as_json: AsJson = False) -> None:
    """Forget a server and its token."""
    servers = _expect(name)
    _write(servers.without_server(name))
    Output(as_json=as_json).done(_shown(servers.by_name[name], servers), f"{name} is removed")


class StatusRow(NamedTuple):
    """A part or a heartbeat in the table of the status."""

    name: str
    state: str
    last: datetime | None
    hour: str | None
    day: str | None
    month: str | None
    note: str


STATUS = (
    Column("PART", lambda one: one.name),
    Column("STATE", lambda one: one.state),
    Column("LAST ANSWER", lambda one: one.last),
    Column("HOUR", lambda one: one.hour, is_right=True),
    Column("DAY", lambda one: one.day, is_right=True),
    Column("MONTH", lambda one: one.month, is_right=True),
    Column("NOTE", lambda one: one.note, shrinks=True),
)


@server.verb("status", "vestibule status", "vestibule status --json")
@use_scheduler
def status(session: Session) -> None:
    """Show the state and availability of every part.

    Exit code 1 if one is down or a heartbeat is missing.
    """
    found = session.client.status.get()
    rows = [*map(_part_row, found.parts), *map(_heartbeat_row, found.heartbeats)]
    session.output.rows(rows, STATUS, "No parts.", document=found)
    is_down = any(one.state in BAD_STATES and not one.in_maintenance for one in found.parts)
    if is_down or any(one.state in BAD_STATES for one in found.heartbeats):
        raise typer.Exit(ExitCode.FAILED.value)


def _part_row(part: "PartStatus") -> StatusRow:
    shares = part.availability
    notes = [part.note or "", "in maintenance" if part.in_maintenance else ""]
    percents = (_percent(shares.hour), _percent(shares.day), _percent(shares.month))
    return StatusRow(part.name, part.state, part.last_answer_at, *percents, ", ".join(filter(None, notes)))


def _heartbeat_row(one: "Heartbeat") -> StatusRow:
    name = one.name if one.tenant in SYSTEM_TENANTS else f"{one.tenant}/{one.name}"
    return StatusRow(f"heartbeat:{name}", one.state, one.last_at, None, None, None, "")


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{int(share * 10_000) / 100:.4g}%"


def _shown(one: Server, servers: Servers) -> dict[str, object]:
    return {
        "name": one.name,
        "url": one.url,
        "scheduler_url": one.scheduler_url,
        "has_token": one.token is not None,
        "current": one.name == servers.current,
    }


def _read() -> Servers:
    with exit_on(ServersUnreadable):
        return read_servers()


def _write(servers: Servers) -> None:
    with exit_on(ServersUnreadable):
        write_servers(servers)


def _expect(name: str) -> Servers:
    servers = _read()
    if name not in servers.by_name:
        fail(f"no server {name!r} is known; `vestibule server list` shows all", ExitCode.NOT_FOUND)
    return servers


def _read_token(given: str | None) -> str | None:
    if given is None:
        return None
    if given != "-":
        raise typer.BadParameter("others can see arguments; use `-`, and give the token on standard input")
    if sys.stdin.isatty():
        from getpass import getpass

        token = getpass("Token: ")
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise typer.BadParameter("standard input has no token", param_hint="--token")
    return token.strip()
