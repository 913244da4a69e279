"""The audit: a record of every act of a person or script, and the chain that shows a change of it.

A line of the audit has a number, the record of an act, and the hash of the line before. Its own hash is the SHA-256 of
three lines of text: the hash before, the number, and the record as canonical JSON (`canonical`). The reason that was
given is not in it, but its salted digest is: an erased reason leaves the chain as it was.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.decisions import to_us
from vestibule.contracts.entries import PRINTABLE
from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.contracts.json_types import AS_INTEGER, Timestamp

MAX_RECORDS = 100
# The hash before the first line.
NO_HASH = "0" * 64
HASH_PATTERN = r"^[0-9a-f]{64}$"
ACT_ID_PATTERN = r"^[0-9a-f]{32}$"
AUDIT_CURSOR_PATTERN = r"^[0-9]{1,18}$"
# What stands in place of a record that cannot be read.
UNREADABLE = "unreadable"

Hash = Annotated[str, StringConstraints(pattern=HASH_PATTERN)]
AuditText = Annotated[str, StringConstraints(max_length=512, pattern=PRINTABLE)]


class Act(StrEnum):
    """What persons and scripts do that is audited."""

    TOKEN_MADE = "token_made"  # noqa: S105 - the name of an act
    TOKEN_ROTATED = "token_rotated"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    POLICY_CHANGED = "policy_changed"
    ALLOWANCE_ADDED = "allowance_added"
    ALLOWANCE_REVOKED = "allowance_revoked"
    SILENCE_ADDED = "silence_added"
    SILENCE_CHANGED = "silence_changed"
    SILENCE_ENDED = "silence_ended"
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERT_RESOLVED = "alert_resolved"
    CHANNEL_TESTED = "channel_tested"
    VALUE_REVEALED = "value_revealed"
    SUBJECT_FOUND = "subject_found"
    SUBJECT_ERASED = "subject_erased"
    ERASURE_ENDED = "erasure_ended"
    TASKS_CHANGED = "tasks_changed"
    TASK_CANCELLED = "task_cancelled"
    TASK_RETRIED = "task_retried"
    TASK_DROPPED = "task_dropped"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_RESUMED = "queue_resumed"
    SCHEDULE_ADDED = "schedule_added"
    SCHEDULE_PAUSED = "schedule_paused"
    SCHEDULE_RESUMED = "schedule_resumed"
    SCHEDULE_RUN = "schedule_run"
    SCHEDULE_DELETED = "schedule_deleted"
    MAINTENANCE_ADDED = "maintenance_added"
    MAINTENANCE_ENDED = "maintenance_ended"
    HEARTBEAT_DELETED = "heartbeat_deleted"
    KEY_ADDED = "key_added"
    KEY_RETIRED = "key_retired"
    VALUES_REENCRYPTED = "values_reencrypted"
    SECRET_ROTATED = "secret_rotated"  # noqa: S105
    DATABASE_BACKED_UP = "database_backed_up"
    DATABASE_RESTORED = "database_restored"
    DATABASE_ADOPTED = "database_adopted"
    DATABASE_EXPORTED = "database_exported"
    DATABASE_IMPORTED = "database_imported"


# Acts that give out or destroy: each is recorded in the database service before it begins, or is refused.
GATED = frozenset({Act.VALUE_REVEALED, Act.SUBJECT_FOUND, Act.SUBJECT_ERASED, Act.TOKEN_MADE, Act.TOKEN_ROTATED})


class ActOutcome(StrEnum):
    """What became of an act; those that give out or destroy have a line when they begin, too."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


def _plausible(moment: datetime) -> datetime:
    # Any other has no four digits of a year in UTC.
    if not 1970 <= moment.year < 9999:
        raise ValueError("must be a time from 1970 on")
    return moment


class AuditRecord(BaseModel):
    """One act. It holds ids, names of tokens and a screened reason, and nothing else that a caller wrote."""

    model_config = ConfigDict(extra="forbid")

    act_id: str = Field(
        pattern=ACT_ID_PATTERN,
        description="The lines of one act have the same",
        examples=["9638cc59bda34a3ca9d5f4bd55eeedb0"],
    )
    time: Annotated[Timestamp, AfterValidator(_plausible)]
    act: str = Field(pattern="^[a-z_]{3,40}$", examples=["silence_added"])
    outcome: ActOutcome = ActOutcome.DONE
    problem: str | None = Field(
        default=None, pattern="^[a-z-]{1,60}$", description="Type of the problem", examples=["personal-data"]
    )
    service: str = Field(pattern="^[a-z_-]{1,30}$", description="The part that recorded it", examples=["client"])
    tenant: AuditText = SYSTEM_TENANT
    token_id: AuditText | None = None
    token_name: AuditText | None = Field(
        default=None, description="The name of the token, or `os:` and the user of a command", examples=["on-call"]
    )
    request_id: AuditText | None = None
    target: AuditText | None = Field(
        default=None, description="The id of what the act was about", examples=["9a76fd8275cf19f0"]
    )
    before: AuditText | None = Field(
        default=None, description="Of a changed policy the version before", examples=["3c81d9a07b52"]
    )
    after: AuditText | None = Field(
        default=None, description="Of a changed policy the version after", examples=["90b1f64c2a7e"]
    )
    reason: AuditText | None = Field(default=None, description="The reason that was given, until it is erased")
    reason_salt: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{32}$",
        description="Random; in the digest of the reason",
        examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"],
    )
    reason_digest: Hash | None = Field(
        default=None,
        description="The SHA-256 of the salt, a line break and the reason; it stays when both are erased",
        examples=[NO_HASH],
    )

    @property
    def at_us(self) -> int:
        """The time in microseconds since 1970."""
        return to_us(self.time)

    def sealed(self) -> Self:
        """Return the record with the digest of its reason."""
        if self.reason is None or self.reason_salt is not None:
            return self
        salt = secrets.token_hex(16)
        return self.model_copy(update={"reason_salt": salt, "reason_digest": digest_of_reason(salt, self.reason)})


def digest_of_reason(salt: str, reason: str) -> str:
    """Return the digest that stands in the chain for a reason."""
    return hashlib.sha256(f"{salt}\n{reason}".encode()).hexdigest()


def canonical(record: AuditRecord) -> str:
    """Return the record as it is hashed: JSON with sorted names, no spaces, no absent members and no reason."""
    content = record.model_dump(mode="json", exclude_none=True, exclude={"reason", "reason_salt", "time"})
    content["time"] = record.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def hash_of(previous: str, seq: int, record: str) -> str:
    """Return the hash of a line; `record` is canonical."""
    return hashlib.sha256(f"{previous}\n{seq}\n{record}".encode()).hexdigest()


class AuditLine(AuditRecord):
    """A line of the audit: an act with its place in the chain."""

    seq: int = Field(ge=1, description="Its number; there are no gaps")
    previous: str = Field(description="The hash of the line before", examples=[NO_HASH])
    hash: str = Field(description="The hash of this line", examples=[NO_HASH])

    @property
    def record(self) -> AuditRecord:
        """The act alone."""
        return AuditRecord.model_construct(**self.model_dump(exclude={"seq", "previous", "hash"}))

    @staticmethod
    def read(seq: int, previous: str, line_hash: str, record: str, reason: "tuple[str, str] | None") -> "AuditLine":
        """Return a stored line; where its record cannot be read, one of the act `unreadable`, which fails to verify."""
        given = {} if reason is None else {"reason": reason[0], "reason_salt": reason[1]}
        try:
            known = AuditRecord.model_validate({**orjson.loads(record), **given})
        except (ValueError, TypeError):
            moment = datetime.fromtimestamp(0, UTC)
            known = AuditRecord.model_construct(
                act_id="0" * 32, time=moment, act=UNREADABLE, outcome=ActOutcome.FAILED, service=UNREADABLE
            )
        return AuditLine.model_construct(**known.__dict__, seq=seq, previous=previous, hash=line_hash)


class AuditOrder(StrEnum):
    """The order of lines."""

    NEWEST = "newest"
    OLDEST = "oldest"


class AuditQuery(BaseModel):
    """Which lines are wanted. A member that is absent matches everything."""

    model_config = ConfigDict(extra="forbid")

    tenants: list[AuditText] | None = Field(default=None, description="Only of these tenants")
    since: Timestamp | None = None
    until: Timestamp | None = None
    token: AuditText | None = Field(default=None, description="Id or name of a token")
    act: AuditText | None = None
    outcome: ActOutcome | None = None
    order: AuditOrder = AuditOrder.NEWEST
    cursor: str | None = Field(default=None, pattern=AUDIT_CURSOR_PATTERN)
    limit: Annotated[int, Field(ge=1, le=500), AS_INTEGER] = 100


class AuditPage(BaseModel):
    """Lines, and where the next page starts."""

    lines: list[AuditLine]
    cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; absent on the last", examples=["4711"]
    )


class AuditHead(BaseModel):
    """The last line of the audit; the number is 0 where there is none."""

    seq: int = Field(ge=0, examples=[4711])
    hash: str = Field(examples=[NO_HASH])


class AuditBatch(BaseModel):
    """Acts to record, in their order."""

    model_config = ConfigDict(extra="forbid")

    records: list[AuditRecord] = Field(min_length=1, max_length=MAX_RECORDS)


class ChainBroken(ValueError):
    """A line is not what was recorded; `seq` is its number."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"line {seq}: {why}")
        self.seq = seq


def verify_chain(lines: Iterable[AuditLine], kept: AuditHead | None = None, *, is_from_start: bool = True) -> AuditHead:
    """Check lines, the oldest first, and return the last one. `kept` is a head that was noted before.

    Raises:
        ChainBroken: a line was changed, removed or inserted; it is the first such.
    """
    last = AuditHead(seq=0, hash=NO_HASH)
    has_kept = kept is None or kept.seq == 0
    for line in lines:
        is_first = last.seq == 0
        if is_first and not is_from_start:
            last = AuditHead(seq=line.seq - 1, hash=line.previous)
        if line.seq != last.seq + 1:
            raise ChainBroken(last.seq + 1, f"it is missing; the next one has the number {line.seq}")
        _check_line(line, last)
        if kept is not None and line.seq == kept.seq:
            if line.hash != kept.hash:
                raise ChainBroken(line.seq, "its hash is not that of the head that was kept")
            has_kept = True
        last = AuditHead(seq=line.seq, hash=line.hash)
    if not has_kept and kept is not None and kept.seq > last.seq:
        raise ChainBroken(last.seq + 1, f"it is missing; the head that was kept is line {kept.seq}")
    return last


def _check_line(line: AuditLine, last: AuditHead) -> None:
    if line.previous != last.hash:
        raise ChainBroken(line.seq, "it does not follow from the line before")
    if line.act == UNREADABLE or line.hash != hash_of(line.previous, line.seq, canonical(line.record)):
        raise ChainBroken(line.seq, "its content was changed")
    if line.reason is None:
        return
    if line.reason_salt is None or line.reason_digest != digest_of_reason(line.reason_salt, line.reason):
        raise ChainBroken(line.seq, "its reason was changed")
