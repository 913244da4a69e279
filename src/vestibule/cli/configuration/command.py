"""`vestibule config`: every setting, its effective value and where that comes from."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.configuration.effective import read_effective, variables_in_env_file
from vestibule.cli.options import AsJson, echo, fail
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.service_kit.settings import ServiceSettings, SettingDescription

COLUMNS = (
    Column("SETTING", lambda one: one.variable),
    Column("VALUE", lambda one: one.value, shrinks=True),
    Column("FROM", lambda one: one.source),
    Column("MEANING", lambda one: one.description, shrinks=True),
)
ENV_FILE = Path(".env")


def config(
    context: typer.Context,
    as_json: AsJson = False,
    changed: Annotated[bool, typer.Option("--changed/--all", help="Only settings that something sets.")] = False,
    of_up: Annotated[
        bool, typer.Option("--up", help="As the parts of `vestibule up` get them from here, not a part by itself.")
    ] = False,
) -> None:
    """Show every setting, its value and where that comes from.

    A value comes from the default, a variable, a file, or `vestibule up` (with --up). Of secrets nothing is shown but
    where an address leads. Exit code 1 where a value is invalid.
    """
    wiring = _wiring_of_up(os.environ) if of_up else {}
    settings = read_effective([*_of_commands(context), *_of_services()], os.environ, wiring)
    shown = [one for one in settings if one.is_changed or not changed]
    document = [one.as_dict() for one in shown]
    Output(as_json=as_json).rows(shown, COLUMNS, "Every setting has its default.", document)
    if names := variables_in_env_file(ENV_FILE):
        echo(f"vestibule: {ENV_FILE} is not read; it has {', '.join(names)}", err=True)
    if mistakes := list(find_mistakes()):
        fail("\n  ".join(["these settings are invalid:", *mistakes]))


def _kinds() -> "tuple[type[ServiceSettings], ...]":
    from vestibule.business_logic_service.settings import BusinessLogicSettings
    from vestibule.client_service.settings import ClientSettings, WorkerSettings
    from vestibule.console.settings import ConsoleSettings
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.scheduler_service.settings import SchedulerSettings

    of_stores = (ClientSettings, WorkerSettings, DatabaseSettings)
    return (*of_stores, BusinessLogicSettings, SchedulerSettings, ConsoleSettings)


def _of_services() -> "Iterator[SettingDescription]":
    from vestibule.service_kit.settings import describe_settings

    return describe_settings(_kinds())


def _of_commands(context: typer.Context) -> "Iterator[SettingDescription]":
    from vestibule.service_kit.settings import SettingDescription

    for command in context.find_root().command.commands.values():  # type: ignore[attr-defined]
        for option in command.params:
            if isinstance(option.envvar, str):
                default = "" if option.default in (None, False) else str(option.default)
                yield SettingDescription(option.envvar, default, option.help or "")


def find_mistakes() -> Iterator[str]:
    """Yield what is invalid in the environment, by setting and without values."""
    from vestibule.service_kit.settings import describe_mistakes

    found: dict[str, None] = {}
    for kind in _kinds():
        try:
            kind()
        except ValueError as error:
            found.update(dict.fromkeys(describe_mistakes(error).split("; ")))
    yield from found


def _wiring_of_up(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that `vestibule up` gives its parts, whatever the environment says."""
    from vestibule.cli.embedded.data_directory import DataDirectory
    from vestibule.cli.embedded.parts import Layout, shared_environment

    data_dir = environment.get("VESTIBULE_DATA_DIR", "var")
    directory = DataDirectory(Path(data_dir).expanduser().absolute())
    base_port = environment.get("VESTIBULE_BASE_PORT", "")
    socket = directory.redis / "redis.sock"
    layout = Layout(
        directory=directory,
        host=environment.get("VESTIBULE_HOST", "127.0.0.1"),
        base_port=int(base_port) if base_port.isdecimal() else 8000,
        worker_count=1,
        concurrency=1,
        has_business_logic=not environment.get("VESTIBULE_WITHOUT_BUSINESS_LOGIC"),
        redis_url=environment.get("VESTIBULE_REDIS_URL", "") or f"unix://{socket}",
    )
    shared = shared_environment(layout)
    return {name: value for name, value in shared.items() if name != "VESTIBULE_PARENT_PID"}
