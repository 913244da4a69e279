"""The options that choose tasks, and the change of many tasks at once."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.options import duration_option, take_time

# The filters of `client.tasks.list` that are given.
TaskSelection = dict[str, Any]
AllTenants = Annotated[bool, typer.Option("--all-tenants", help="Of all tenants; needs the scope operator.")]


def select_tasks(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="In this state; may be repeated.", autocompletion=completion.task_states),
    ] = None,
    processor: Annotated[
        str | None, typer.Option("--processor", help="Of this processor.", autocompletion=completion.processors)
    ] = None,
    token_id: Annotated[str | None, typer.Option("--token-id", help="Of the token with this id.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Made from the value under this key.", autocompletion=completion.keys)
    ] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="Last failed for this cause, such as timeout.")] = None,
    older_than: Annotated[
        timedelta | None, duration_option("--older-than", help="Submitted at least so long ago.")
    ] = None,
    due_before: Annotated[
        datetime | None, typer.Option(parser=take_time, metavar="TIME", help="Waiting for a time before this one.")
    ] = None,
    all_tenants: AllTenants = False,
) -> TaskSelection:
    """Return the filters that are given."""
    given = {
        "state": state,
        "processor": processor,
        "token": token_id,
        "key": key,
        "cause": cause,
        "older_than_s": older_than.total_seconds() if older_than else None,
        "due_before": due_before,
        "all_tenants": all_tenants,
    }
    return {name: value for name, value in given.items() if value not in (None, "", [], False)}
