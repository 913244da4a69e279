"""The servers that the program knows by name: a private file with an address and a token of each, and which is used."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ServersUnreadable(Exception):
    """The file of servers is damaged, or cannot be read or written; says why, and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server by its name. The token never appears in `repr`."""

    name: str
    url: str
    scheduler_url: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Servers:
    """All servers by name, and the name of the one that is used where none is given."""

    by_name: Mapping[str, Server] = field(default_factory=dict)
    current: str | None = None

    def with_server(self, server: Server) -> "Servers":
        """Return these servers and one more, or with another address of one; the first is used at once."""
        return replace(self, by_name={**self.by_name, server.name: server}, current=self.current or server.name)

    def without_server(self, name: str) -> "Servers":
        """Return these servers without one; if that was used, none is."""
        kept = {known: server for known, server in self.by_name.items() if known != name}
        return replace(self, by_name=kept, current=None if self.current == name else self.current)


def servers_path() -> Path:
    """Return the path of the file, by the XDG base directory specification."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification has relative paths ignored.
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "vestibule" / "servers.json"


def read_servers() -> Servers:
    """Return the servers of the file; none where there is no file.

    Raises:
        ServersUnreadable: it is damaged, or cannot be read.
    """
    path = servers_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(content)
    except FileNotFoundError:
        return Servers()
    except OSError as error:
        raise ServersUnreadable(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ServersUnreadable(
            f"{path} is damaged; mend it, or remove it and add the servers again with `vestibule server add`"
        ) from None


def write_servers(servers: Servers) -> None:
    """Replace the file, which only its owner can read.

    Raises:
        ServersUnreadable: it cannot be written.
    """
    from vestibule.runtime.files import write_private

    path = servers_path()
    members = {
        name: {"url": one.url, "scheduler_url": one.scheduler_url, "token": one.token}
        for name, one in servers.by_name.items()
    }
    kept = {name: {key: value for key, value in one.items() if value is not None} for name, one in members.items()}
    content = json.dumps({"current": servers.current, "servers": kept}, indent=1) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, content.encode())
    except OSError as error:
        raise ServersUnreadable(f"{path} cannot be written: {error.strerror}") from None


def is_http_address(url: str) -> bool:
    """Return whether this is an address of an HTTP service."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _parsed(content: Any) -> Servers:
    by_name = {name: _server(name, members) for name, members in content["servers"].items()}
    current = content["current"]
    if current is not None and current not in by_name:
        raise ValueError
    return Servers(by_name, current)


def _server(name: str, members: Any) -> Server:
    url, scheduler_url, token = members["url"], members.get("scheduler_url"), members.get("token")
    if not NAME.fullmatch(name) or not is_http_address(url):
        raise ValueError
    if not isinstance(scheduler_url, str | None) or not isinstance(token, str | None):
        raise ValueError
    return Server(name, url, scheduler_url, token)
