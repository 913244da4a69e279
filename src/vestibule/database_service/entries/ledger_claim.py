"""Which ledger of tasks belongs to a store that keeps none itself: a second database service has no other one."""

import secrets
from pathlib import Path
from typing import Protocol, runtime_checkable

from vestibule.runtime.files import write_private
from vestibule.runtime.starts import DatabaseMark, StartRefused

# What the mark had before ledgers had identities.
_UNNAMED = "tasks"
_ID_BYTES = 8


class LedgerClaim:
    """The identity of the ledger in a file of the data directory; the store keeps that of the ledger it belongs to."""

    def __init__(self, file: Path) -> None:
        self._mark = DatabaseMark.beside(file)
        self._adopted = file.with_name(f".{file.name}.adopted")

    @property
    def identity(self) -> str:
        """The identity; a new ledger gets one."""
        known = self._mark.read()
        if known is None or known == _UNNAMED:
            known = secrets.token_hex(_ID_BYTES)
            self._mark.write(known)
        return known

    def check(self, owner: str) -> None:
        """Check that the store belongs to this ledger or to none, or was given to it with `adopt`.

        Raises:
            StartRefused: it belongs to another one.
        """
        if owner not in ("", self.identity) and not self._adopted.exists():
            raise StartRefused(
                "the tasks of this database are in the ledger (tasks.db) of another database service; only one can run"
                " with DynamoDB. Restore its data directory, or stop it and run `vestibule db adopt` here"
            )

    def settle(self) -> None:
        """Record that the store belongs to this ledger now: what was adopted is not adopted again."""
        self._adopted.unlink(missing_ok=True)

    def adopt(self) -> bool:
        """Let the next start take the store from another ledger; False where nothing has begun here."""
        has_begun = self._mark.remove()
        if has_begun:
            write_private(self._adopted, b"")
        return has_begun


@runtime_checkable
class HasLedgerBeside(Protocol):
    """A store whose tasks are in a file of its one database service."""

    @property
    def ledger_claim(self) -> LedgerClaim:
        """The claim of the file."""
        ...


def claim_of(store: object) -> LedgerClaim | None:
    """Return the claim of a store's ledger, None where the store keeps the tasks itself."""
    return store.ledger_claim if isinstance(store, HasLedgerBeside) else None
