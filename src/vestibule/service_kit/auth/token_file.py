"""The callers' tokens: created and shown once, stored as hashes in one file that every service reads."""

import math
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from vestibule.contracts.identity import DEFAULT_TENANT, OPERATOR, TenantName
from vestibule.contracts.scopes import ALL_SCOPES
from vestibule.contracts.tokens import Quota
from vestibule.runtime.files import WatchedFile, change_alone, write_private
from vestibule.service_kit.auth.authentication import (
    Caller,
    Credentials,
    SingleToken,
    TokenLookup,
    digest_of,
)
from vestibule.service_kit.auth.token_directory import TOKEN_PREFIX, TokenDirectory
from vestibule.service_kit.metrics.catalogue import TOKEN_EXPIRY
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings

TOKEN_BYTES = 32


class TokenRecord(BaseModel):
    """The record of a token, without the token."""

    id: str
    name: str
    sha256: str
    scopes: list[str]
    tenant: TenantName = DEFAULT_TENANT
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    # Where it is set, the token is accepted only directly from this machine: over loopback, or from these addresses.
    local_addresses: list[str] | None = None
    quota: Quota | None = None

    def is_expired(self, now: datetime) -> bool:
        """Say whether its time has passed."""
        return self.expires_at is not None and self.expires_at <= now


_records = TypeAdapter(list[TokenRecord])
# What stands between two records in a file as it is written here; a line break is not within a string of JSON.
_BETWEEN = b"\n },\n {\n"
# To parse so many takes about a millisecond, in which no other thread runs.
PARSED_AT_ONCE = 200
# A change of a file of about a thousand tokens and more is read in a thread.
LARGE_FILE_BYTES = 256 * 1024


class InvalidTokenFile(Exception):
    """The token file cannot be read; the message says why and shows none of it."""


def read_records(path: Path) -> list[TokenRecord]:
    """Return the records in `path`, none where there is no such file.

    Raises:
        InvalidTokenFile: it is not a token file.
    """
    return list(_each_record(path))


def _each_record(path: Path) -> Iterator[TokenRecord]:
    try:
        for piece in _pieces(path.read_bytes()):
            yield from _records.validate_json(piece)
    except FileNotFoundError:
        return
    except (OSError, ValidationError) as error:
        raise InvalidTokenFile(
            f"{path} cannot be read as a token file ({type(error).__name__}); restore it from its backup"
        ) from None


def _pieces(content: bytes) -> Iterator[bytes]:
    """Yield lists of some records each; all in one where the file is not as it is written here."""
    records = content.split(_BETWEEN)
    for start in range(0, len(records), PARSED_AT_ONCE):
        piece = _BETWEEN.join(records[start : start + PARSED_AT_ONCE])
        begins, ends = start == 0, start + PARSED_AT_ONCE >= len(records)
        yield (b"" if begins else b"[{\n") + piece + (b"" if ends else b"\n }]")


def new_token() -> str:
    """Return a token that nobody else has."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def new_token_id() -> str:
    """Return an id for a token: ids that are made later are greater, so that lists are in the order of creation."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(3)}"


def create_token(
    path: Path,
    name: str,
    scopes: Sequence[str],
    lifetime: timedelta | None = None,
    tenant: str = DEFAULT_TENANT,
    *,
    published: str = "",
) -> tuple[str, TokenRecord]:
    """Add a token to the file and return it with its record. It is shown here and never again.

    A `published` token is known to everybody, so it is accepted from this machine only.

    Raises:
        ValueError: `tenant` is no name of a tenant.
    """
    token = published or new_token()
    now = datetime.now(UTC)
    record = TokenRecord(
        id=new_token_id(),
        name=name,
        sha256=digest_of(token),
        scopes=sorted(scopes),
        tenant=tenant,
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
        local_addresses=[] if published else None,
    )
    with change_alone(path):
        _write(path, [*read_records(path), record])
    return token, record


def rotate_token(path: Path, token_id: str, overlap: timedelta) -> tuple[str, TokenRecord] | None:
    """Give the token of that id another secret; return it with its record, None if there is no such token.

    The one before it is accepted for `overlap`, and has a record of its own until then; older ones end.
    """
    with change_alone(path):
        records = read_records(path)
        own = sorted((one for one in records if one.id == token_id), key=lambda one: one.created_at)
        if not own:
            return None
        token, now = new_token(), datetime.now(UTC)
        before, until = own[-1], now + overlap
        record = before.model_copy(update={"sha256": digest_of(token), "created_at": now})
        older = before.model_copy(update={"expires_at": min(filter(None, (before.expires_at, until)))})
        kept = [one for one in records if one.id != token_id]
        _write(path, [*kept, *([older] if overlap else []), record])
        return token, record


def revoke_token(path: Path, token_id: str) -> bool:
    """Remove the token of that id; False if there is none."""
    with change_alone(path):
        records = read_records(path)
        kept = [record for record in records if record.id != token_id]
        if len(kept) == len(records):
            return False
        _write(path, kept)
        return True


def accept_from(content: bytes, addresses: Sequence[str]) -> bytes:
    """Return a token file whose tokens for this machine only are accepted from `addresses` too.

    Raises:
        ValidationError: it is not a token file.
    """
    records = _records.validate_json(content)
    for record in records:
        if record.local_addresses is not None:
            record.local_addresses = list(addresses)
    return _dump(records)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TokenFile:
    """A token lookup of a file, reloaded within a second of a change; an invalid file changes nothing."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Read the file. `clock` (seconds) tells when to check it again, `wall_clock` which tokens have expired.

        Raises:
            InvalidTokenFile: it is not a token file.
        """
        self._wall_clock = wall_clock
        self._next_expiry: datetime | None = None
        self._searched: dict[str, _Known] | None = None
        self._tenants: frozenset[str] = frozenset()
        self._counted: dict[str, _Known] | None = None
        self.file: WatchedFile[dict[str, _Known]] = WatchedFile(
            path,
            _read_by_digest,
            broken=InvalidTokenFile,
            on_broken=_log_unreadable,
            initial=_read_by_digest(path),
            large_bytes=LARGE_FILE_BYTES,
            clock=clock,
        )

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the caller that the token belongs to, unless it has expired.

        The lookup is by hash: its timing can only reveal a prefix of a hash, which is useless.
        """
        digest = credentials.digest
        # A token that is not known may have been created since the last check.
        known = self.file.current().get(digest) or self.file.reload().get(digest)
        if known is None:
            return None
        token_id, name, scopes, tenant, expires_at, addresses, quota = known
        if expires_at is not None and expires_at <= self._wall_clock():
            return None
        if addresses is not None and not credentials.is_local and credentials.direct_address not in addresses:
            return None
        return Caller(token_id, name, frozenset(scopes), tenant, expires_at=expires_at, quota=quota)

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants of all tokens, also of those that have expired: what they stored may still be there."""
        known = self.file.current()
        # As of expiries: what goes through all tokens is done once for each state of the file.
        if known is not self._counted:
            self._tenants, self._counted = frozenset(tenant for *_, tenant, _, _, _ in known.values()), known
        return self._tenants

    def next_expiry(self) -> datetime | None:
        """Return the nearest expiry that is to come, None where no token expires."""
        known, now = self.file.current(), self._wall_clock()
        # To go through a hundred thousand tokens takes milliseconds, in which no request is served.
        if known is not self._searched or (self._next_expiry and self._next_expiry <= now):
            coming = (expires_at for *_, expires_at, _, _ in known.values() if expires_at and expires_at > now)
            self._next_expiry, self._searched = min(coming, default=None), known
        return self._next_expiry


# Id, name, scopes, tenant, expiry, local addresses and quota. The garbage collector need not examine tuples of texts:
# with a hundred thousand objects a collection would stop all for a tenth of a second.
_Known = tuple[str, str, tuple[str, ...], str, datetime | None, tuple[str, ...] | None, Quota | None]


def _read_by_digest(path: Path) -> dict[str, _Known]:
    return {one.sha256: _known(one) for one in _each_record(path)}


def _known(one: TokenRecord) -> _Known:
    addresses = None if one.local_addresses is None else tuple(one.local_addresses)
    return one.id, one.name, tuple(one.scopes), one.tenant, one.expires_at, addresses, one.quota


def _log_unreadable(error: Exception) -> None:
    structlog.get_logger("vestibule.tokens").error("token_file_unreadable", reason=str(error))


def _write(path: Path, records: Iterable[TokenRecord]) -> None:
    write_private(path, _dump(list(records)))


def _dump(records: list[TokenRecord]) -> bytes:
    return _records.dump_json(records, indent=1) + b"\n"


def caller_token_lookups(settings: ServiceSettings, directory: TokenDirectory | None = None) -> list[TokenLookup]:
    """Return the lookups of callers' tokens: `directory`, the token files, in embedded mode the development token.

    Raises:
        InvalidTokenFile: a token file cannot be read.
    """
    token_lookups: list[TokenLookup] = []
    if settings.embedded:
        everything = Caller("development", "the development token", frozenset({ALL_SCOPES, OPERATOR}))
        token_lookups.append(SingleToken(settings.dev_token.get_secret_value(), everything, is_local_only=True))
    if directory is not None:
        token_lookups.append(directory)
    # The files last: for a token that no lookup knows they are checked for changes.
    token_lookups.append(TokenFile(settings.token_file))
    if settings.mounted_token_file is not None:
        token_lookups.append(TokenFile(settings.mounted_token_file))
    return token_lookups


def measure_expiry(metrics: Metrics, lookups: Iterable[TokenLookup]) -> None:
    """Show from now on when the next token in `lookups` expires, and not which."""
    sources = [lookup for lookup in lookups if isinstance(lookup, TokenFile | TokenDirectory)]

    async def measure(metrics: Metrics) -> None:
        coming = (expiry.timestamp() for source in sources if (expiry := source.next_expiry()))
        metrics.set(TOKEN_EXPIRY, min(coming, default=math.inf))

    metrics.ask(measure)
