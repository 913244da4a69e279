"""`vestibule subject`: finds and erases everything that holds a value."""

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vestibule.cli.frame.confirmation import Yes, ask_back, is_asked
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import JobRunning
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import Duration, duration_option, echo, read_text, show_progress
from vestibule.cli.terminal.table import Column
from vestibule.contracts.errors import NotFound, ScopeMissing

if TYPE_CHECKING:
    from vestibule.client.results.subjects import Erasure, FoundPlace, SubjectSearch

POLL_S = 0.5
SOON = Duration(seconds=30)
AT_ONCE = Duration()
Job = TypeVar("Job", "SubjectSearch", "Erasure")

Value = Annotated[
    str,
    typer.Argument(help="`-`: the value is read from standard input, without its last line feed."),
]
Why = Annotated[str, typer.Option("--reason", help="Why; it stands in the alert and in the audit.")]
Wait = Annotated[timedelta, duration_option("--wait", help="How long to wait for the end.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The id that `find` and `erase` print.")]


def _form(place: "FoundPlace") -> str:
    named = " ".join(filter(None, (place.form, place.encoding)))
    return f"{named}, part" if place.is_part else named


def _place(place: "FoundPlace") -> str:
    name = place.key or place.task_id or place.schedule_id or ""
    return name if place.version is None else f"{name} version {place.version}"


PLACES = (
    Column("KIND", lambda one: one.kind),
    Column("WRITTEN", lambda one: one.at),
    Column("TOKEN", lambda one: one.by, shrinks=True),
    Column("FORM", _form, shrinks=True),
    Column("PLACE", _place, shrinks=True),
)

subject = Noun(
    'vestibule subject find - --reason "Request 4711" < value.txt',
    'vestibule subject erase - --reason "Request 4711" --dry-run < value.txt',
    'vestibule subject erase - --reason "Request 4711" < value.txt',
)


@subject.verb("find", 'vestibule subject find - --reason "Request 4711" --yes < value.txt')
@use_client
def find(session: Session, value: Value, reason: Why, wait: Wait = SOON, yes: Yes = False) -> None:
    """List where a value stands: what, since when, by whom and in which form.

    It raises an alert with the reason.

    Exit code 8: it has not ended within --wait.
    """
    wanted = _read_value(value)
    ask_back("This raises an alert with your reason. Search?", is_sure=yes)
    _show_places(session, _found(session, session.client.subjects.find(wanted, reason=reason), wait))


@subject.verb(
    "erase",
    'vestibule subject erase - --reason "Request 4711" --dry-run < value.txt',
    'vestibule subject erase - --reason "Request 4711" --yes < value.txt',
)
@use_client
def erase(
    session: Session,
    value: Value,
    reason: Why,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, and list what would be erased.")] = False,
    wait: Wait = SOON,
    yes: Yes = False,
) -> None:
    """Erase a value everywhere; print the counts and the signed receipt.

    A person sees first what would be erased.

    Exit code 8: it has not ended within --wait.
    """
    wanted = _read_value(value)
    if dry_run:
        _show_places(session, _found(session, session.client.subjects.try_erasure(wanted, reason=reason), wait))
        return
    if is_asked(is_sure=yes):
        ask_back(_preview(session, wanted, reason, wait), is_sure=yes)
    _show_erasure(session, _erased(session, session.client.subjects.erase(wanted, reason=reason), wait))


@subject.verb("show", "vestibule subject show ID", "vestibule subject ID --wait 10m")
@use_client
def show_job(session: Session, job_id: JobId, wait: Wait = AT_ONCE) -> None:
    """Show how far a search or an erasure is, and at its end what it found or erased."""
    subjects = session.client.subjects
    try:
        erasure = subjects.get_erasure(job_id)
    except (NotFound, ScopeMissing):
        # It is a search, or this token may see those alone.
        search = subjects.get_find(job_id)
        _show_places(session, _found(session, search, wait) if wait else search)
    else:
        _show_erasure(session, _erased(session, erasure, wait) if wait else erasure)


@subject.verb("receipt", "vestibule subject receipt ID > receipt.txt")
@use_client
def show_receipt(session: Session, erasure_id: JobId, wait: Wait = SOON) -> None:
    """Print the signed receipt of an erasure that has ended, for `vestibule receipt verify`."""
    erased = _erased(session, session.client.subjects.get_erasure(erasure_id), wait)
    session.output.done({"erasure_id": erased.erasure_id, "receipt": erased.receipt}, erased.receipt or "")


def _read_value(value: str) -> str:
    if value != "-":
        raise typer.BadParameter("others can see arguments; use `-`, and give the value on standard input")
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Value: ")
    return read_text(value).removesuffix("\n").removesuffix("\r")


def _found(session: Session, search: "SubjectSearch", wait: timedelta) -> "SubjectSearch":
    return _ended(search, search.find_id, session.client.subjects.get_find, wait)


def _erased(session: Session, erasure: "Erasure", wait: timedelta) -> "Erasure":
    return _ended(erasure, erasure.erasure_id, session.client.subjects.get_erasure, wait)


def _ended(job: Job, job_id: str, get: Callable[[str], Job], wait: timedelta) -> Job:
    """Return a job when it has ended, and show meanwhile how far it is.

    Raises:
        JobRunning: it has not in time.
    """
    ends_at = time.monotonic() + wait.total_seconds()
    is_shown = False
    while not job.has_ended:
        show_progress(_progress(job), is_last=False)
        is_shown = True
        if time.monotonic() >= ends_at:
            raise JobRunning(job_id, wait.total_seconds(), f"subject show {job_id} --wait 10m")
        time.sleep(POLL_S)
        job = get(job_id)
    if is_shown:
        show_progress(_progress(job), is_last=True)
    return job


def _progress(job: "SubjectSearch | Erasure") -> str:
    return f"{job.examined:,} values examined, {sum(job.counts.values()):,} places found"


def _preview(session: Session, value: str, reason: str, wait: timedelta) -> str:
    """Return the question before an erasure, with what it would erase where the token may know that."""
    try:
        found = _found(session, session.client.subjects.try_erasure(value, reason=reason), wait)
    except ScopeMissing:
        return "This erases the value everywhere, which cannot be undone. Erase?"
    return f"This erases {_counts(found.counts)}, which cannot be undone. Erase?"


def _show_places(session: Session, search: "SubjectSearch") -> None:
    session.output.rows(search.found, PLACES, "Nothing was found.", document=search)
    if session.output.as_json:
        return
    state = "" if search.has_ended else f", {search.state}"
    more = " There are more than these." if search.has_more else ""
    echo(f"{_counts(search.counts)}; {search.unreadable:,} values could not be read{state}.{more}", err=True)


def _show_erasure(session: Session, erased: "Erasure") -> None:
    fields = {
        "erasure": erased.erasure_id,
        "state": erased.state,
        "erased": _counts(erased.counts),
        "unreadable": erased.unreadable,
        "resumed": "yes, so the counts may be too low" if erased.is_resumed else None,
        "finished": erased.finished_at,
        "receipt": erased.receipt,
    }
    session.output.fields(erased, fields)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "nothing"
