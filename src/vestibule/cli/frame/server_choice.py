"""Chooses the server that a command speaks to, and the token that it sends there."""

import os
from dataclasses import replace
from urllib.parse import urlsplit

import typer

from vestibule.cli.frame.servers import Server, is_http_address, read_servers
from vestibule.cli.options import DEVELOPMENT_TOKEN

SERVER_VARIABLE, URL_VARIABLE = "VESTIBULE_SERVER", "VESTIBULE_URL"
SCHEDULER_VARIABLE, TOKEN_VARIABLE = "VESTIBULE_SCHEDULER_URL", "VESTIBULE_TOKEN"
BASE_PORT_VARIABLE = "VESTIBULE_BASE_PORT"
# The ports of `vestibule up`.
BASE_PORT = 8000
SCHEDULER_OFFSET = 3
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def choose_server(name: str = "", token: str = "", *, url: str = "", scheduler_url: str = "") -> Server:
    """Return the server for a command; an option wins over a variable, that over `vestibule server use`, that over
    the one of this machine.

    The token of a known server is sent to its addresses alone. A given token wins over it, unless the server was chosen
    by the option and the token by a variable: that is for another one.

    Raises:
        typer.BadParameter: no server has that name, an address is malformed, or a token is missing.
        ServersUnreadable: the file of servers is damaged.
    """
    is_chosen = bool(name) and name != os.environ.get(SERVER_VARIABLE)
    given = url or scheduler_url
    is_addressed = bool(given) and given != os.environ.get(URL_VARIABLE if url else SCHEDULER_VARIABLE)
    if is_chosen and is_addressed:
        raise typer.BadParameter("either --server or --url")
    if given and not is_chosen:
        return _with_token(_addressed(url, scheduler_url), token)
    known = _known_server(name)
    if known is None:
        return _with_token(_local(), token)
    is_for_another = is_chosen and token == os.environ.get(TOKEN_VARIABLE) and known.token is not None
    return _with_token(known, "" if is_for_another else token)


def _known_server(name: str) -> Server | None:
    servers = read_servers()
    wanted = name or servers.current
    if wanted is None:
        return None
    if wanted not in servers.by_name:
        listed = ", ".join(servers.by_name) or "none"
        raise typer.BadParameter(f"no server {wanted!r} is known; known: {listed}", param_hint="--server")
    known = servers.by_name[wanted]
    return known if known.scheduler_url else replace(known, scheduler_url=_scheduler_beside(known.url))


def _scheduler_beside(url: str) -> str | None:
    """Return the address of the scheduler service as `vestibule up` has it; None for a URL without a port."""
    parts = urlsplit(url)
    if parts.port is None or parts.path:
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port + SCHEDULER_OFFSET}"


def _addressed(url: str, scheduler_url: str) -> Server:
    for address in filter(None, (url, scheduler_url)):
        if not is_http_address(address):
            raise typer.BadParameter("must be http://HOST[:PORT] or https://HOST[:PORT]", param_hint="--url")
    scheduler = scheduler_url or os.environ.get(SCHEDULER_VARIABLE) or None
    return Server("", (url or _local().url).rstrip("/"), scheduler)


def base_port() -> int:
    """Return the first port of `vestibule up`, whose option --base-port has the same variable."""
    given = os.environ.get(BASE_PORT_VARIABLE, "")
    return int(given) if given.isdecimal() else BASE_PORT


def _local() -> Server:
    port = base_port()
    return Server("", f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + SCHEDULER_OFFSET}")


def _with_token(server: Server, given: str) -> Server:
    token = given or server.token
    if not token:
        addresses = filter(None, (server.url, server.scheduler_url))
        if not all(urlsplit(address).hostname in LOCAL_HOSTS for address in addresses):
            raise typer.BadParameter("required for another machine; set VESTIBULE_TOKEN", param_hint="--token")
        token = DEVELOPMENT_TOKEN
    return replace(server, token=token)
