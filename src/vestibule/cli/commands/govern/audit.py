"""`vestibule audit`: lists, verifies and exports the audit: who did what, and why."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.audit_formats import AuditFormat, rendered
from vestibule.cli.frame import completion
from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed, failing_on
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import echo, parse_since, take_time
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.cli.audit_sinks import AuditSink
    from vestibule.contracts.audit import AuditHead, AuditLine

PAGE = 500
FOLLOW_EVERY_S = 1.0
LONGEST_PAUSE_S = 30.0

LIST = (
    Column("LINE", lambda one: one.seq, is_right=True),
    Column("TIME", lambda one: one.time),
    Column("ACT", lambda one: one.act),
    Column("OUTCOME", lambda one: one.outcome),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("TOKEN", lambda one: one.token_name or one.token_id, shrinks=True),
    Column("TARGET", lambda one: one.target, shrinks=True),
    Column("REASON", lambda one: one.reason or one.problem, shrinks=True),
)

audit = Noun(
    "vestibule audit list --outcome refused --since 7d",
    "vestibule audit head > head.json",
    "vestibule audit verify --head head.json",
    "vestibule audit export --to audit.jsonl --format ecs",
)


def _complete_acts(incomplete: str) -> list[str]:
    from vestibule.contracts.audit import Act

    return [act.value for act in Act if act.value.startswith(incomplete)]


@audit.verb(
    "list",
    "vestibule audit list --outcome refused --since 7d",
    "vestibule audit list --act silence_added --by on-call --json",
)
@use_client
def list_lines(
    session: Session,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")] = 50,
    since: Annotated[
        datetime | None,
        typer.Option(parser=parse_since, metavar="TIME", help="Since then: 90s, 2h, 7d ago, or a UTC time."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=take_time, metavar="TIME", help="Before this UTC time.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Only acts of the token with this id or name.", autocompletion=completion.tokens),
    ] = None,
    act: Annotated[
        str | None, typer.Option(help="Only acts of this kind, such as silence_added.", autocompletion=_complete_acts)
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="begun, done, refused or failed.")] = None,
) -> None:
    """List what persons and scripts did, newest first."""
    found = session.client.audit.list(
        since=since, until=until, token=by, act=act, outcome=outcome, page_size=min(limit, PAGE)
    )
    session.output.rows(islice(found, limit), LIST, "No acts.")


@audit.verb("head", "vestibule audit head > head.json")
@use_client
def show_head(session: Session) -> None:
    """Print the signed number and hash of the last line as JSON.

    Keep it elsewhere, for `verify --head`.
    """
    session.output.document(session.client.audit.head())


@audit.verb(
    "verify",
    "vestibule audit verify --head head.json",
    "vestibule audit verify audit.jsonl --head head.json --key key.json",
)
@use_client
def verify(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help="An export; the running system's audit if not given.")] = None,
    head: Annotated[
        Path | None, typer.Option(help="A head that `vestibule audit head` printed: finds what is missing at the end.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Public keys of receipts; read from the client service if not given.")
    ] = None,
) -> None:
    """Check that no line was changed, removed or inserted; name the first such.

    Exit code 1: there is one.
    """
    from vestibule.contracts.audit import ChainBroken, verify_chain

    kept = None if head is None else _read_head(session, head, key)
    lines = _fetch_lines(session) if file is None else _read_lines(file)
    with failing_on(ChainBroken, before="the audit is broken at "):
        last = verify_chain(lines, kept, is_from_start=file is None)
    answer = {"ok": True, "seq": last.seq, "hash": last.hash, "head": None if kept is None else kept.seq}
    since = "" if kept is None else f", and contains the head that was kept, line {kept.seq}"
    session.output.done(answer, f"The audit is whole up to line {last.seq}{since}.")


@audit.verb(
    "export",
    "vestibule audit export --to audit.jsonl --format ecs --yes",
    "vestibule audit export --to tcp://siem:514 --format ocsf --position siem.position --follow",
)
@use_client
def export(
    session: Session,
    target: Annotated[
        str,
        typer.Option("--to", help="A file, tcp://, udp:// or unix: of a syslog server, or an http(s):// address."),
    ],
    form: Annotated[AuditFormat, typer.Option("--format", help="The format of the events.")] = AuditFormat.ECS,
    position: Annotated[
        Path | None,
        typer.Option(help="The file with the number of the last exported line. [default for a file: beside it]"),
    ] = None,
    is_followed: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until stopped.")] = False,
    yes: Yes = False,
) -> None:
    """Export lines, the oldest first, and go on where the last export stopped.

    A line may arrive twice, never not.

    Needs the scope `operator` for the lines of all tenants. HTTP addresses have to be allowed for notifications.
    """
    sink = _open_sink(target)
    if position is None:
        if ":" in target:
            raise typer.BadParameter("required unless the target is a file", param_hint="--position")
        position = Path(f"{target}.position")
    cursor = _read_position(position)
    ask_back(f"This gives out the audit, with its reasons and names, to {target}. Export?", is_sure=yes)
    exported, cursor = _send_all(session, sink, form, position, cursor, is_followed=is_followed)
    session.output.done({"exported": exported, "position": cursor}, f"{exported:,} lines are exported to {target}.")


def _open_sink(target: str) -> "AuditSink":
    from vestibule.cli.audit_sinks import open_sink
    from vestibule.egress.guard import DeliveryForbidden

    with failing_on(ValueError, DeliveryForbidden, before="--to: "):
        return open_sink(target)


def _send_all(
    session: Session, sink: "AuditSink", form: AuditFormat, position: Path, cursor: str, *, is_followed: bool
) -> tuple[int, str]:
    """Send page after page and keep the position; return how many lines were sent, and the number of the last."""
    from vestibule.cli.audit_sinks import SinkFailed
    from vestibule.runtime.files import write_private

    exported, failures = 0, 0
    while True:
        lines = _page_after(session, cursor)
        try:
            if lines:
                sink.send([rendered(line.raw, form) for line in lines])
                cursor, exported, failures = str(lines[-1].seq), exported + len(lines), 0
                write_private(position, f"{cursor}\n".encode())
        except SinkFailed as error:
            if not is_followed:
                raise CommandFailed(str(error)) from None
            failures += 1
            echo(f"vestibule: {error}; trying again", err=True)
        if not is_followed and len(lines) < PAGE:
            return exported, cursor
        if failures or len(lines) < PAGE:
            time.sleep(min(LONGEST_PAUSE_S, FOLLOW_EVERY_S * 2 ** min(failures, 10)))


def _page_after(session: Session, cursor: str) -> Any:
    return session.client.audit.list(order="oldest", page_size=PAGE, cursor=cursor).page().lines


def _fetch_lines(session: Session) -> "Iterator[AuditLine]":
    from vestibule.contracts.audit import AuditLine

    last = session.client.audit.head().seq
    cursor = "0"
    while int(cursor) < last:
        page = _page_after(session, cursor)
        if not page:
            return
        yield from (AuditLine.model_validate(line.raw) for line in page)
        cursor = str(page[-1].seq)


def _read_lines(file: Path) -> "Iterator[AuditLine]":
    from vestibule.cli.audit_formats import read_line

    with failing_on(OSError, UnicodeDecodeError, before=f"{file}: "), file.open(encoding="utf-8") as content:
        for number, text in enumerate(content, 1):
            try:
                yield read_line(json.loads(text))
            except (ValueError, AttributeError, TypeError):
                raise CommandFailed(f"line {number} of {file} is no line of an audit") from None


def _read_head(session: Session, head: Path, key: Path | None) -> "AuditHead":
    from vestibule.client.receipts import AUDIT_HEAD_KIND, ReceiptInvalid, verify_receipt
    from vestibule.contracts.audit import AuditHead

    try:
        signature = json.loads(head.read_text(encoding="utf-8"))["signature"]
        keys = json.loads(key.read_text(encoding="utf-8")) if key else session.client.receipts.keys().raw
        return AuditHead.model_validate(verify_receipt(signature, keys, (AUDIT_HEAD_KIND,)))
    except OSError as error:
        raise CommandFailed(f"cannot read {error.filename}: {error.strerror}") from None
    except ReceiptInvalid as error:
        raise CommandFailed(f"{head} is not signed by this key: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise CommandFailed(f"{head} is no head of an audit, as `vestibule audit head` prints it") from None


def _read_position(position: Path) -> str:
    try:
        text = position.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return "0"
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{position} cannot be read: {type(error).__name__}") from None
    if not text.isdecimal():
        raise CommandFailed(f"{position} has no number of a line")
    return text
