"""The way of a command to a running Vestibule: which server, with which token, and how its errors end the program."""

import functools
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.problems import end_with_problem
from vestibule.cli.frame.server_choice import (
    SCHEDULER_VARIABLE,
    SERVER_VARIABLE,
    TOKEN_VARIABLE,
    URL_VARIABLE,
    choose_server,
)
from vestibule.cli.frame.servers import Server, ServersUnreadable
from vestibule.cli.options import AsJson, exit_on
from vestibule.cli.terminal.output import Output
from vestibule.contracts.errors import VestibuleError

if TYPE_CHECKING:
    from vestibule.client import Client

CONNECTION = "Connection"

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        envvar=SERVER_VARIABLE,
        help="Name of a server, as `vestibule server list` shows it.",
        rich_help_panel=CONNECTION,
        autocompletion=completion.servers,
    ),
]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        envvar=URL_VARIABLE,
        help="Address of the client service; by default that of `vestibule up` on this machine.",
        rich_help_panel=CONNECTION,
    ),
]
SchedulerUrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        envvar=SCHEDULER_VARIABLE,
        help="Address of the scheduler service; by default that of `vestibule up` on this machine.",
        rich_help_panel=CONNECTION,
    ),
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        envvar=TOKEN_VARIABLE,
        help="Token; prefer the variable or `vestibule server add`, since other users of this machine can see options; "
        "by default the development token on this machine.",
        rich_help_panel=CONNECTION,
    ),
]
Utc = Annotated[bool, typer.Option("--utc", help="Print times in UTC, not how long ago they were.")]


class Session:
    """What a command works with: `client` calls the server, and `output` prints."""

    def __init__(self, server: Server, output: Output) -> None:
        self.server = server
        self.output = output

    @cached_property
    def client(self) -> "Client":
        """The client; it is loaded where a command uses it."""
        from vestibule.client import Client

        return Client(self.server.url, self.server.token, scheduler_url=self.server.scheduler_url)

    def close(self) -> None:
        """Close the connections of the client, if it was used."""
        if "client" in self.__dict__:
            self.client.close()


def use_client(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a `Session` as its first argument, and the options that choose a server and the output."""
    return _with_session(command, "url")


def use_scheduler(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a `Session` whose option `--url` is the address of the scheduler service."""
    return _with_session(command, "scheduler_url")


def _with_session(command: Callable[..., None], addressed: str) -> Callable[..., None]:
    @functools.wraps(command)
    def run(*, server: str, token: str, as_json: bool, is_utc: bool, **given: Any) -> None:
        with exit_on(ServersUnreadable):
            chosen = choose_server(server, token, **{addressed: given.pop(addressed)})
        if addressed == "scheduler_url" and chosen.scheduler_url is None:
            raise typer.BadParameter(f"{chosen.name} has no address of a scheduler service; add it again with one")
        session = Session(chosen, Output(as_json=as_json, is_utc=is_utc))
        try:
            command(session, **given)
        except VestibuleError as error:
            end_with_problem(error, as_json=as_json)
        except UnicodeEncodeError:
            raise typer.BadParameter("an argument is not a UTF-8 text") from None
        except ValueError as error:
            # The client refuses what cannot be sent, such as an empty id.
            raise typer.BadParameter(str(error)) from None
        finally:
            session.close()

    own = list(inspect.signature(command).parameters.values())[1:]
    shared = {
        addressed: (UrlOption if addressed == "url" else SchedulerUrlOption, ""),
        "server": (ServerOption, ""),
        "token": (TokenOption, ""),
        "as_json": (AsJson, False),
        "is_utc": (Utc, False),
    }
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in shared.items()
    ]
    # Typer reads the options of a command from these two.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
