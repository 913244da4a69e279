"""The callers' tokens of the database service, as a service knows them: in memory, and in an encrypted file.

The file is for a start without the database service. `database_client/tokens.py` keeps both up to date.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ValidationError

from vestibule.contracts.tokens import FIRST_POSITION, KeptToken, Quota, StoredToken
from vestibule.encryption import Cipher, DecryptionFailed, KeyRingSource
from vestibule.runtime.files import write_private
from vestibule.service_kit.auth.authentication import Caller, Credentials
from vestibule.service_kit.settings import ServiceSettings

REALM = "known tokens"
# A token that is not known may have been created a moment ago. Whoever guesses tokens causes no more calls than these.
REFRESH_INTERVAL_S = 0.2
REFRESH_TIMEOUT_S = 0.5
TOKEN_PREFIX = "vst_"  # noqa: S105 - so that secret scanners can recognise a leaked one

# Id, name, scopes, tenant, expiry and quota. As in `token_file`, tuples of texts: the garbage collector skips them.
_Known = tuple[str, str, tuple[str, ...], str, datetime | None, Quota | None]
# The number of its last change, the digests of its secrets, its tenant, its last expiry, and its record as JSON.
_Record = tuple[int, tuple[str, ...], str, datetime | None, str]


class TokenSnapshot(BaseModel):
    """All tokens as of a position."""

    position: str
    tokens: Sequence[KeptToken]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TokenDirectory:
    """A token lookup of the tokens in the database service, as far as this process has heard of them."""

    def __init__(self, wall_clock: Callable[[], datetime] = _utc_now) -> None:
        self._wall_clock = wall_clock
        self._known: dict[str, _Known] = {}
        self._records: dict[str, _Record] = {}
        self.position = FIRST_POSITION
        self.tenants: frozenset[str] = frozenset()
        # Asks the database service for changes; set while it is followed.
        self.refresh: Callable[[], Awaitable[None]] | None = None
        self._next_expiry: datetime | None = None
        self._searched = ""
        self._refreshed_at = 0.0
        self._is_refreshing = False

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the caller that the token belongs to, unless it has expired."""
        known = self._known.get(credentials.digest)
        if known is None:
            return None
        token_id, name, scopes, tenant, expires_at, quota = known
        if expires_at is not None and expires_at <= self._wall_clock():
            return None
        return Caller(token_id, name, frozenset(scopes), tenant, expires_at=expires_at, quota=quota)

    async def find_new(self, credentials: Credentials) -> Caller | None:
        """Return what `find` returns after a look at the database service, if it is time for one."""
        now = time.monotonic()
        is_time = not self._is_refreshing and now - self._refreshed_at >= REFRESH_INTERVAL_S
        if self.refresh is None or not is_time or not credentials.token.startswith(TOKEN_PREFIX):
            return None
        self._refreshed_at, self._is_refreshing = now, True
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT_S):
                await self.refresh()
        except Exception:  # noqa: BLE001 - without an answer the token stays unknown; `follow` logs the outage
            return None
        finally:
            self._is_refreshing = False
        return self.find(credentials)

    def record_of(self, token_id: str) -> KeptToken | None:
        """Return a token, None where there is none of that id."""
        record = self._records.get(token_id)
        if record is None:
            return None
        return KeptToken(change=record[0], token=StoredToken.model_validate_json(record[-1]))

    def ids_of(self, tenants: frozenset[str] | None) -> Iterator[str]:
        """Yield the ids of the tokens of `tenants`, None for all, in their order."""
        for token_id in sorted(self._records):
            if tenants is None or self._records[token_id][2] in tenants:
                yield token_id

    def put(self, kept: KeptToken) -> None:
        """Take a token in, unless a later change of it is known."""
        token, record = kept.token, self._records.get(kept.token.id)
        if record is not None:
            if record[0] > kept.change:
                return
            self._forget(record)
        for secret in token.secrets:
            expiry = token.expiry_of(secret)
            self._known[secret.sha256] = (token.id, token.name, token.scopes, token.tenant, expiry, token.quota)
        digests = tuple(secret.sha256 for secret in token.secrets)
        text = token.model_dump_json(exclude_none=True)
        self._records[token.id] = (kept.change, digests, token.tenant, token.expires_at, text)

    def remove(self, token_id: str) -> None:
        """Forget a token that was revoked."""
        if (record := self._records.pop(token_id, None)) is not None:
            self._forget(record)

    def conclude(self, position: str) -> None:
        """Note that everything up to `position` is known."""
        self.position = position
        # As of files: also those of tokens that have expired, since what they stored may still be there.
        self.tenants = frozenset(record[2] for record in self._records.values())

    def keep_only(self, token_ids: set[str]) -> None:
        """Forget all other tokens."""
        for token_id in [one for one in self._records if one not in token_ids]:
            self.remove(token_id)

    def next_expiry(self) -> datetime | None:
        """Return the nearest expiry that is to come, None where no token expires."""
        now = self._wall_clock()
        # As of files: to go through a hundred thousand tokens takes milliseconds, in which no request is served.
        if self._searched != self.position or (self._next_expiry is not None and self._next_expiry <= now):
            coming = (expiry for *_, expiry, _ in self._records.values() if expiry is not None and expiry > now)
            self._next_expiry, self._searched = min(coming, default=None), self.position
        return self._next_expiry

    def snapshot(self) -> Callable[[], bytes]:
        """Return what renders the tokens of this moment as JSON, in a thread."""
        position, records = self.position, list(self._records.values())

        def render() -> bytes:
            tokens = ",".join(f'{{"change":{change},"token":{text}}}' for change, *_, text in records)
            return f'{{"position":"{position}","tokens":[{tokens}]}}'.encode()

        return render

    def restore(self, content: bytes) -> None:
        """Take in what a snapshot rendered. Raises: ValidationError: it is something else."""
        snapshot = TokenSnapshot.model_validate_json(content)
        for kept in snapshot.tokens:
            self.put(kept)
        self.conclude(snapshot.position)

    def _forget(self, record: _Record) -> None:
        for digest in record[1]:
            self._known.pop(digest, None)


class TokenCopy:
    """The encrypted file with the tokens that a service knows; without it, a start knows none at first."""

    def __init__(self, path: Path, ring: KeyRingSource) -> None:
        self._path = path
        self._cipher = Cipher(ring, REALM)
        self._has_failed = False

    def read_into(self, directory: TokenDirectory) -> None:
        """Take in what the file holds; a file that cannot be read is logged, and holds nothing."""
        try:
            directory.restore(self._cipher.decrypt(self._path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, DecryptionFailed, ValidationError) as error:
            self._log("read", error)

    def write(self, render: Callable[[], bytes]) -> None:
        """Replace the file by a snapshot; where that is not possible, it is logged once, and the service goes on."""
        try:
            write_private(self._path, self._cipher.encrypt(render()))
            self._has_failed = False
        except OSError as error:
            if not self._has_failed:
                self._log("write", error)
            self._has_failed = True

    @staticmethod
    def _log(step: str, error: Exception) -> None:
        # The message of a parser quotes what it read.
        reason = type(error).__name__
        structlog.get_logger("vestibule.tokens").warning("token_copy_failed", step=step, reason=reason)


def token_copy_of(settings: ServiceSettings, service: str, ring: KeyRingSource) -> TokenCopy:
    """Return the copy of a service in the data directory."""
    return TokenCopy(settings.data_dir / "known_tokens" / service, ring)
