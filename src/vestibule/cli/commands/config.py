"""`vestibule config`: lists every option with its environment variable."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vestibule.service_kit.settings import SettingDescription


def config(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every option with its environment variable, default and meaning."""
    options = sorted({option.variable: option for option in [*_of_commands(context), *_of_services()]}.items())
    if as_json:
        rows = [{"variable": name, "default": o.default, "description": o.description} for name, o in options]
        typer.echo(json.dumps(rows, indent=1))
        return
    width = max(len(name) for name, _ in options)
    for name, option in options:
        default = f" [{option.default}]" if option.default else ""
        typer.echo(f"{name:{width}}  {option.description}{default}")


def _of_services() -> "Iterator[SettingDescription]":
    from vestibule.business_logic_service.settings import BusinessLogicSettings
    from vestibule.client_service.settings import ClientSettings, WorkerSettings
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.scheduler_service.settings import SchedulerSettings
    from vestibule.service_kit.settings import describe_settings

    kinds = (ClientSettings, WorkerSettings, DatabaseSettings, BusinessLogicSettings, SchedulerSettings)
    return describe_settings(kinds)


def _of_commands(context: typer.Context) -> "Iterator[SettingDescription]":
    from vestibule.service_kit.settings import SettingDescription

    for command in context.find_root().command.commands.values():  # type: ignore[attr-defined]
        for option in command.params:
            if isinstance(option.envvar, str):
                default = "" if option.default in (None, False) else str(option.default)
                yield SettingDescription(option.envvar, default, option.help or "")
