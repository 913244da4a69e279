"""Key-value pairs between the client service and the database service."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import DEFAULT_TENANT, RESERVED, SENDER_PATTERN, TENANT_PATTERN
from vestibule.contracts.json_types import Count, Number

MAX_KEY_BYTES = 512
MAX_VALUE_BYTES = 1024 * 1024
# `str.isprintable`, as far as every reader of JSON Schema can say it: no unassigned character, and none above U+FFFF.
PRINTABLE = (
    r"^[^\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb\ufffe\uffff]*$"
)
MAX_BATCH = 1000
# The most plain writes that share a request between services.
MAX_WRITES = 500
TOO_LARGE = "too_large"
EVENT_STREAM = "text/event-stream"
MAX_TTL_S = 10 * 365 * 24 * 3600


def within_value_limit(text: str) -> str:
    """Return `text` if it is within the size limit of a value.

    Raises:
        PydanticCustomError: of the type `TOO_LARGE`, which is answered like a body that is too large.
    """
    # A lone surrogate has no UTF-8 form; it counts like any character here.
    if len(text.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES:
        raise PydanticCustomError(
            TOO_LARGE, "must be at most {limit} bytes in UTF-8", {"limit": f"{MAX_VALUE_BYTES:,}"}
        )
    return text


def _valid_value(text: str) -> str:
    try:
        is_within_limit = len(text.encode()) <= MAX_VALUE_BYTES
    except UnicodeEncodeError:
        within_value_limit(text)
        raise ValueError("must be valid Unicode, without lone surrogates") from None
    return text if is_within_limit else within_value_limit(text)


def _valid_key(text: str) -> str:
    # With the least length below, Pydantic has refused lone surrogates.
    if len(text.encode()) > MAX_KEY_BYTES:
        raise ValueError(f"must be at most {MAX_KEY_BYTES:,} bytes in UTF-8")
    if not text.isprintable():
        raise ValueError("must consist of printable characters")
    return text


Key = Annotated[
    str,
    Field(
        min_length=1,
        description="1 to 512 bytes of printable UTF-8",
        examples=["test1"],
        # What `_valid_key` checks, for readers of the schema.
        json_schema_extra={"maxLength": MAX_KEY_BYTES, "pattern": PRINTABLE},
    ),
    AfterValidator(_valid_key),
]
# What a query compares with keys: no store takes it if no key could be so.
KeyBound = Annotated[
    str,
    Field(json_schema_extra={"maxLength": MAX_KEY_BYTES, "pattern": PRINTABLE}),
    AfterValidator(_valid_key),
]
Value = Annotated[
    str,
    Field(description="Text of at most 1 MiB in UTF-8", examples=["hello"]),
    AfterValidator(_valid_value),
]
TtlSeconds = Annotated[Number, Field(gt=0, le=MAX_TTL_S, description="Seconds after which the entry expires")]
ExpiresAt = Annotated[datetime | None, Field(description="When the entry expires; absent if it does not")]


class Pair(BaseModel):
    """A key and the text to store under it."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    value: Value
    ttl_s: TtlSeconds | None = None


class Written(BaseModel):
    """The reply to a write; the value is on disk."""

    key: str
    version: int = Field(description="1 for the first write of a key, one more for each that follows", examples=[1])
    expires_at: ExpiresAt = None


class Entry(BaseModel):
    """A stored pair with the version it was written as."""

    key: str = Field(examples=["test1"])
    value: str = Field(examples=["hello"])
    version: int = Field(examples=[1])
    expires_at: ExpiresAt = None


class Deleted(BaseModel):
    """The reply to a delete."""

    key: str
    deleted: bool = Field(description="False if there was no entry")


class ChangeKind(StrEnum):
    """The kind of a change."""

    WRITTEN = "written"
    DELETED = "deleted"
    EXPIRED = "expired"


class Revision(BaseModel):
    """A change of an entry: when, and by which token."""

    version: int = Field(examples=[1])
    kind: ChangeKind
    at: datetime
    by: str | None = Field(default=None, description="The id of the token; absent if it was a service")
    value: str | None = Field(default=None, description="Absent if it was deleted or has expired")
    expires_at: ExpiresAt = None


class History(BaseModel):
    """The history of an entry since its last deletion or expiry, newest first."""

    key: str
    revisions: list[Revision]


class BatchPair(Pair):
    """A pair of a batch."""

    expected_version: Count | None = Field(
        default=None, description="The version that the entry must have now; 0 for no entry"
    )


class WriteBatch(BaseModel):
    """Pairs that are stored together or not at all."""

    model_config = ConfigDict(extra="forbid")

    pairs: list[BatchPair] = Field(min_length=1, max_length=MAX_BATCH)

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if len({pair.key for pair in self.pairs}) < len(self.pairs):
            raise ValueError("must name each key once")
        return self


class WrittenBatch(BaseModel):
    """The reply to a batch that is on disk, in the order of the request."""

    written: list[Written]


class BatchedWrite(BaseModel):
    """The unconditional write of a pair, with the principal and the request that it belongs to."""

    model_config = ConfigDict(extra="forbid")

    pair: Pair
    tenant: Annotated[str, StringConstraints(pattern=f"^{RESERVED}?{TENANT_PATTERN}$")] = DEFAULT_TENANT
    sender: Annotated[str, StringConstraints(pattern=f"^{SENDER_PATTERN}$")] | None = None
    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None


class BatchedWrites(BaseModel):
    """Writes of several requests, in the order of arrival; the later of two under one key wins."""

    model_config = ConfigDict(extra="forbid")

    writes: list[BatchedWrite] = Field(min_length=1, max_length=MAX_WRITES)


class BatchedWriteOutcome(BaseModel):
    """The outcome of one write: the version on disk, or the problem type and the detail of why nothing was written."""

    version: int | None = None
    expires_at: ExpiresAt = None
    problem: str | None = Field(default=None, description="The name of the problem type", examples=["unavailable"])
    detail: str | None = None


class BatchedWriteOutcomes(BaseModel):
    """The outcome of each write, in the order of the request."""

    outcomes: list[BatchedWriteOutcome]


class ReadBatch(BaseModel):
    """Keys to read at one moment."""

    model_config = ConfigDict(extra="forbid")

    keys: list[Key] = Field(min_length=1, max_length=MAX_BATCH)


class EntryBatch(BaseModel):
    """The entries under some keys, in the order of the request; null if there is none."""

    entries: list[Entry | None]


class ReencryptionPage(BaseModel):
    """The encryption keys of some entries, and where the next page starts."""

    entries: int = Field(default=0, description="Entries examined")
    by_key: dict[str, int] = Field(
        default={}, description="Readable values, earlier versions among them, by the id of the key that encrypted them"
    )
    not_opened: list[str] = Field(default=[], description="Reasons why entries could not be decrypted, one for each")
    reencrypted: int = Field(default=0, description="Values that were re-encrypted with the active key")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


class StoreDescription(BaseModel):
    """The kind of the store, and what it keeps of entries that were changed or deleted."""

    kind: str = Field(examples=["sqlite"])
    keep_versions: int
    keep_deleted_days: float


class KeyPage(BaseModel):
    """Keys in order, and where the next page starts."""

    keys: list[str]
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


# Conditions of a change, as the headers `If-Match` and `If-None-Match` state them (RFC 9110, sections 8.8.3 and 13.1).
ANY = "*"
MATCH, NONE_MATCH = "If-Match", "If-None-Match"
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"\s*{_TAG}\s*(?:,\s*{_TAG}\s*)*")

Tags = frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags of which an entry must have one, and those of which it may have none; `*` is every tag."""

    match: Tags | None = None
    none_match: Tags | None = None

    @classmethod
    def parse(cls, match: str | None, none_match: str | None) -> Self:
        """Return the condition that two headers state.

        Raises:
            InvalidInput: one of them is malformed.
        """
        refused = None if none_match is None else frozenset(_strip_weak(tag) for tag in _parse(NONE_MATCH, none_match))
        return cls(None if match is None else _parse(MATCH, match), refused)

    @classmethod
    def of_version(cls, version: int | None) -> Self:
        """Return the condition that an entry has `version`; 0 means no entry, None any state."""
        if version is None:
            return cls()
        return cls(none_match=frozenset({ANY})) if version == 0 else cls(match=frozenset({etag_of(version)}))

    def allows(self, version: int | None) -> bool:
        """Return whether an entry with `version` may be changed; None means that there is no entry."""
        if self.match is not None and not _names(self.match, version):
            return False
        return self.none_match is None or not _names(self.none_match, version)

    def as_headers(self) -> dict[str, str]:
        """Return the headers that state the condition."""
        stated = {MATCH: self.match, NONE_MATCH: self.none_match}
        return {name: ", ".join(sorted(tags)) for name, tags in stated.items() if tags is not None}


# Compared by identity in fast paths; any other condition without tags allows everything too.
ALWAYS = Condition()


def etag_of(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def _parse(name: str, header: str) -> Tags:
    if header.strip() == ANY:
        return frozenset({ANY})
    if not _TAGS.fullmatch(header):
        mistake = {"where": f"header/{name}", "kind": "entity_tag", "expected": '`*`, or entity tags such as `"3"`'}
        raise InvalidInput(f"The header `{name}` is not valid.", errors=[mistake])
    return frozenset(re.findall(_TAG, header))


def _strip_weak(tag: str) -> str:
    # `If-None-Match` compares weakly; `If-Match` compares strongly, so a weak tag matches nothing there.
    return tag.removeprefix("W/")


def _names(tags: Tags, version: int | None) -> bool:
    return version is not None and (ANY in tags or etag_of(version) in tags)
