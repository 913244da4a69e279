"""Verifies at the start that the store is the one that was used before, and that the key ring is its own.

The store has one entry of the service itself: the identity of the store, and the ids of the keys of the ring, encrypted
like any value. A mark in the data directory has the identity too, so that an empty store is not taken for a new one.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel

from vestibule.contracts.entries import ALWAYS, ANY, Condition
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.entries.ledger_claim import LedgerClaim
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.tenant_view import tenant_prefix
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import DataKeyRetired, DecryptionFailed, KeyRingSource
from vestibule.runtime.starts import WAY_OUT, DatabaseMark, StartRefused

IDENTITY_KEY = tenant_prefix(f"{RESERVED}store") + "identity"
IF_ABSENT = Condition(none_match=frozenset({ANY}))
RETRY_INTERVAL_S = 0.5


class StoreIdentity(BaseModel):
    """The entry: a random id of the store, the ids of all keys that the ring has had, and that of its ledger."""

    store: str
    keys: frozenset[str]
    ledger: str = ""


class StoreVerification:
    """Verifies the store once. Until then the service is not ready."""

    def __init__(
        self, store: EncryptedStore, ring: KeyRingSource, mark: DatabaseMark | None, claim: LedgerClaim | None = None
    ) -> None:
        """Take the parts; without a `mark` the loss of all data is not noticed. A ledger in a file has a `claim`."""
        self._store = store
        self._claim = claim
        self._ring = ring
        self._mark = mark
        # For the readiness of the service.
        self.is_verified = False
        self._reason = ""

    async def verify(self) -> bool:
        """Verify the store; a new one gets its identity. Return False where it does not answer yet.

        Raises:
            StartRefused: the store or the key ring is not the one that was used before.
        """
        try:
            with _explaining_decryption():
                await self._check_identity()
        except Unavailable as error:
            if error.detail != self._reason:
                structlog.get_logger("vestibule.store").warning("store_not_verified", reason=error.detail)
            self._reason = error.detail
            return False
        self.is_verified = True
        return True

    async def _check_identity(self) -> None:
        try:
            await self._store.check_encryption(IDENTITY_KEY)
        except DataKeyRetired:  # with `--force`: what it encrypted is lost on purpose
            await self._record_identity(ALWAYS)
            return
        entry = await self._store.read(IDENTITY_KEY)
        known = self._mark.read() if self._mark else None
        if entry is None:
            if known is not None:
                raise StartRefused(f"the database is empty, and it had data; {WAY_OUT}")
            await self._record_identity(IF_ABSENT)
            return
        identity = StoreIdentity.model_validate_json(entry.value)
        if known not in (None, identity.store):
            raise StartRefused(
                "the database is another one than before; restore the right one, or run `vestibule db adopt` to keep it"
            )
        keys = frozenset(key.id for key in self._ring.current().keys)
        if missing := identity.keys - keys:
            raise StartRefused(f"the key ring lacks the key {min(missing)}, which this database was used with; {_RING}")
        if self._claim:
            self._claim.check(identity.ledger)
        current = identity.model_copy(update={"keys": keys, "ledger": self._ledger() or identity.ledger})
        if current != identity:
            # Of several services that start at once, one has the store.
            condition = Condition.of_version(entry.version)
            with suppress(PreconditionFailed):
                await self._store.write(Write(IDENTITY_KEY, current.model_dump_json(), condition=condition))
            await self._check_identity()
            return
        if self._claim:
            self._claim.settle()
        if self._mark:
            self._mark.write(identity.store)

    def _ledger(self) -> str:
        return self._claim.identity if self._claim else ""

    async def _record_identity(self, condition: Condition) -> None:
        # Entries that were imported before the first start.
        for key in (await self._store.keys("", 1, None)).keys:
            with suppress(DataKeyRetired):
                await self._store.check_encryption(key)
        keys = frozenset(key.id for key in self._ring.current().keys)
        known = self._mark.read() if self._mark else None
        identity = StoreIdentity(store=known or secrets.token_hex(8), keys=keys, ledger=self._ledger())
        with suppress(PreconditionFailed):  # of several services that start at once, another was first
            await self._store.write(Write(IDENTITY_KEY, identity.model_dump_json(), condition=condition))
        # Read back, which also sets the mark.
        await self._check_identity()


def mark_of(settings: DatabaseSettings) -> DatabaseMark | None:
    """Return the mark of the store that the settings name, None for one that keeps nothing.

    A store on a server has a mark in the data directory for each address, without user and password.
    """
    parts = urlsplit(settings.database_url)
    if parts.scheme == "sqlite":
        return DatabaseMark.beside(settings.sqlite_path)
    if parts.scheme == "memory":
        return None
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}"
    digest = hashlib.sha256(place.encode()).hexdigest()[:12]
    return DatabaseMark(settings.data_dir / f".{parts.scheme}-{digest}.created")


_RING = "restore the key ring of this database, or start with another database"


@contextmanager
def _explaining_decryption() -> Iterator[None]:
    try:
        yield
    except DecryptionFailed as error:
        raise StartRefused(f"the key ring does not decrypt what is stored ({error}); {_RING}") from error
