"""Commands that work on the files of an installation, or over the API of a running system."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame.problems import end_with_problem
from vestibule.cli.frame.server_choice import choose_server
from vestibule.cli.frame.servers import ServersUnreadable, read_servers
from vestibule.cli.frame.session import CONNECTION, ServerOption, Session, TokenOption, Utc
from vestibule.cli.options import DATA_DIR, AsJson, DataDir, exit_on, fail, takes
from vestibule.cli.terminal.output import Output
from vestibule.contracts.errors import VestibuleError

if TYPE_CHECKING:
    from vestibule.client import Client

DATA_DIR_VARIABLE = "VESTIBULE_DATA_DIR"
# Without a variable: where VESTIBULE_URL is set for other commands, these still work on files.
UrlOption = Annotated[
    str,
    typer.Option("--url", help="Work over the API of the client service at this address.", rich_help_panel=CONNECTION),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar=DATA_DIR_VARIABLE,
        help="Work on the files of this data directory. [default without a server: var]",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Installation:
    """Where a command works: over `client`, or on the files of `data_dir` where that is None; and where it prints."""

    output: Output
    data_dir: Path
    session: Session | None = None

    @property
    def client(self) -> "Client | None":
        """The client of the running system; None where the command works on files."""
        return None if self.session is None else self.session.client

    @property
    def name(self) -> str:
        """The name of the place in a sentence."""
        return str(self.data_dir) if self.session is None else self.session.server.name or self.session.server.url


def use_installation(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an `Installation` as its first argument, and the options that choose it and the output."""
    return takes(_choose)(_ending(command))


def use_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an `Installation` without a server, and the options that choose the folder and the output."""
    return takes(_choose_files)(_ending(command))


def _ending(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(place: Installation, **given: Any) -> None:
        try:
            command(place, **given)
        except VestibuleError as error:
            end_with_problem(error, as_json=place.output.as_json)
        finally:
            if place.session is not None:
                place.session.close()

    return run


def _choose(
    url: UrlOption = "",
    server: ServerOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
    as_json: AsJson = False,
    is_utc: Utc = False,
) -> Installation:
    output = Output(as_json=as_json, is_utc=is_utc)
    folder = data_dir or DATA_DIR
    if not _is_over_api(url, server, data_dir):
        return Installation(output, folder)
    with exit_on(ServersUnreadable):
        chosen = choose_server(server, token, url=url)
    return Installation(output, folder, Session(chosen, output))


def _choose_files(data_dir: DataDir = DATA_DIR, as_json: AsJson = False, is_utc: Utc = False) -> Installation:
    return Installation(Output(as_json=as_json, is_utc=is_utc), data_dir)


def _is_over_api(url: str, server: str, data_dir: Path | None) -> bool:
    """Return whether a server is meant: options win over variables, these over `vestibule server use`."""
    is_folder_chosen = data_dir is not None and str(data_dir) != os.environ.get(DATA_DIR_VARIABLE)
    is_server_chosen = bool(url) or (bool(server) and server != os.environ.get("VESTIBULE_SERVER"))
    if is_folder_chosen and is_server_chosen:
        raise typer.BadParameter("either --data-dir, or --url or --server")
    if is_folder_chosen or is_server_chosen:
        return is_server_chosen
    if server or data_dir is not None:
        return bool(server)
    try:
        return read_servers().current is not None
    except ServersUnreadable as error:
        fail(error)
