"""`vestibule trace`: all that happened to one request, task, decision, alert or job."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame.noun import with_examples
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import echo
from vestibule.cli.terminal.table import Column
from vestibule.cli.terminal.times import absolute, duration

if TYPE_CHECKING:
    from vestibule.client.results.decisions import TraceEvent

# Members that have a column of their own, or a form of their own in the last one.
SHOWN = frozenset({"raw", "at", "kind", "findings"})
# The least telling ones, which stand at the end: a narrow terminal cuts them.
LAST = ("token_name", "tenant", "replica")


@dataclass(frozen=True, slots=True)
class TraceRow:
    """An event in the table of a trace."""

    at: str
    after: timedelta
    kind: str
    what: str


TRACE = (
    Column("AT", lambda one: one.at),
    Column("AFTER", lambda one: one.after, is_right=True),
    Column("EVENT", lambda one: one.kind),
    Column("WHAT", lambda one: one.what, shrinks=True),
)


@with_examples("vestibule trace ID", "vestibule trace ID --json")
@use_client
def trace(
    session: Session,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="The id of a request, task, decision, alert, erasure or bulk job.")
    ],
) -> None:
    """Show all that happened to a request, task, decision, alert or job, in one order."""
    found = session.client.traces.get(wanted)
    began = found.events[0].at if found.events else None
    rows = [TraceRow(absolute(one.at), one.at - (began or one.at), one.kind, _what(one)) for one in found.events]
    session.output.rows(rows, TRACE, "Nothing happened.", document=found)
    if session.output.as_json:
        return
    if found.omitted:
        echo(f"{found.omitted:,} later events are left out.", err=True)
    for missing in found.incomplete or ():
        echo(f"Incomplete: {missing.part}: {missing.reason}", err=True)


def _what(event: "TraceEvent") -> str:
    """Return the members of an event in one line, and its findings."""
    names = [one.name for one in fields(event) if one.name not in SHOWN and getattr(event, one.name) is not None]
    told = [f"{one.entity}:{one.action} in {one.field}" for one in event.findings or ()]
    told += [f"{name}={_word(getattr(event, name))}" for name in sorted(names, key=_is_late)]
    return "  ".join(told)


def _is_late(name: str) -> bool:
    return name in LAST or name.endswith("_id")


def _word(value: object) -> str:
    match value:
        case list():
            return ",".join(map(str, value))
        case datetime():
            return absolute(value)
        case timedelta():
            return duration(value)
        case _:
            return str(value)
