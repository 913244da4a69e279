"""`vestibule entry`: values under keys, and their versions."""

from datetime import timedelta
from itertools import islice
from typing import Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import duration_option, fail, read_text
from vestibule.cli.terminal.table import Column

NO_ENTRY = 0
# What `add` says that the policy did with a finding.
DONE = {
    "redact": "redacted",
    "mask": "masked",
    "hash": "hashed",
    "tokenize": "tokenized",
    "number": "numbered",
    "fake": "replaced by a fake",
    "alert": "stored unchanged, with an alert",
    "ignore": "stored unchanged",
}
Key = Annotated[str, typer.Argument(help="The key of the entry.", autocompletion=completion.keys)]
IfVersion = Annotated[int | None, typer.Option(min=1, help="Only if the entry has this version.")]

entry = Noun(
    'vestibule entry add note "hello"',
    "vestibule entry read note",
    "vestibule entry list no",
    "vestibule entry delete note",
)


@entry.verb(
    "add",
    'vestibule add note "hello"',
    "echo hello | vestibule add note - --ttl 7d",
    "vestibule add note hello --create-only --json",
)
@use_client
def add(
    session: Session,
    key: Annotated[str, typer.Argument(help="The key to store the value under.", autocompletion=completion.keys)],
    value: Annotated[str, typer.Argument(help="The value; `-` reads all of standard input, its last line feed too.")],
    ttl: Annotated[timedelta | None, duration_option(help="Time after which the entry expires.")] = None,
    if_version: IfVersion = None,
    create_only: Annotated[bool, typer.Option("--create-only", help="Only if there is no such entry.")] = False,
    receipt: Annotated[bool, typer.Option("--receipt", help="Print the signed receipt of the decision too.")] = False,
) -> None:
    """Store a value, unless the policy blocks it."""
    written = session.client.entries.add(
        key,
        read_text(value),
        ttl_s=None if ttl is None else ttl.total_seconds(),
        if_version=NO_ENTRY if create_only else if_version,
        receipt=receipt,
    )
    actions = sorted({f"{finding.entity} {DONE[finding.action]}" for finding in written.findings})
    suffix = f" ({', '.join(actions)})" if actions else ""
    signed = f"\n{written.receipt}" if receipt else ""
    session.output.done(written, f"{written.key} written as version {written.version}{suffix}{signed}")


@entry.verb("read", "vestibule read note", "vestibule read picture --raw > picture.txt")
@use_client
def read(
    session: Session,
    key: Key,
    raw: Annotated[bool, typer.Option("--raw", help="Write the value exactly as it is stored.")] = False,
) -> None:
    """Print the value under a key, with a line feed after it unless it ends with one."""
    found = session.client.entries.read(key)
    if raw:
        typer.get_binary_stream("stdout").write(found.value.encode())
    else:
        session.output.done(found, found.value.removesuffix("\n"))


@entry.verb("list", "vestibule entry list", "vestibule entry list customer/ --limit 10")
@use_client
def list_keys(
    session: Session,
    prefix: Annotated[str, typer.Argument(help="The prefix of the keys; every key if not given.")] = "",
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="How many at most; all if not given.")
    ] = None,
) -> None:
    """List the keys of stored entries in order."""
    keys = islice(session.client.entries.keys(prefix), limit)
    session.output.rows(keys, [Column("KEY", str, shrinks=True)], "No entries.")


@entry.verb("delete", "vestibule entry delete note", "vestibule entry delete note --if-version 2")
@use_client
def delete(session: Session, key: Key, if_version: IfVersion = None, yes: Yes = False) -> None:
    """Delete a stored entry."""
    ask_back(f"This deletes {key} with all its versions. Delete?", is_sure=yes)
    answer = session.client.entries.delete(key, if_version=if_version)
    if not answer.deleted:
        fail("No entry has that key.", ExitCode.NOT_FOUND)
    session.output.done(answer, f"{key} deleted")


@entry.verb(
    "reveal",
    'vestibule entry reveal note --reason "Ticket 4711"',
    'vestibule entry reveal note --reason "Ticket 4711" --json',
)
@use_client
def reveal(
    session: Session,
    key: Key,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the alert and in the audit.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="A version that is kept; the current one if not given.")
    ] = None,
) -> None:
    """Print a stored value for a person to look at; it raises an alert with the reason."""
    found = session.client.detection.reveal_entry(key, version=version, reason=reason)
    session.output.done(found, found.value.removesuffix("\n"))


@entry.verb("history", "vestibule entry history note")
@use_client
def history(session: Session, key: Key) -> None:
    """List the stored versions of an entry, newest first, with their values."""
    columns = [
        Column("VERSION", lambda one: one.version, is_right=True),
        Column("WRITTEN", lambda one: one.at),
        Column("TOKEN", lambda one: one.by),
        Column("VALUE", lambda one: one.value if one.value is not None else f"({one.kind})", shrinks=True),
    ]
    session.output.rows(session.client.entries.history(key).revisions, columns, "No versions.")
