"""The port of token registers: records of tokens by id, a log of their changes, and when each was last used.

To add one, add one module to `registers/` that offers a `REGISTER` for a store; nothing else names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vestibule.contracts.tokens import TokenUse
from vestibule.database_service.entries.store import Store

# Older changes are forgotten; who has seen none since reads all tokens again.
CHANGES_KEPT = 10_000
# The use of a token that was removed without being revoked here, as one of a file.
USES_KEPT_S = 400 * 86_400.0


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is stored: the number of its last change, and its encrypted record."""

    id: str
    change: int
    record: str


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """Tokens that have changed, ids of those that are gone, and the position of the last of these changes."""

    position: str
    rows: Sequence[TokenRow]
    gone: Sequence[str]
    has_more: bool


class TokenRegister(Protocol):
    """Stores tokens. An answer to a change means that it is on disk.

    A position is the number of a change and its mark, which tells it from a change of the same number in another copy
    of the database. Every method raises `Unavailable` where the register cannot answer for certain.
    """

    async def prepare(self) -> None:
        """Create missing tables in the open store."""
        ...

    async def position(self) -> str:
        """Return the position of the last change."""
        ...

    async def page(self, limit: int, after: str | None) -> list[TokenRow]:
        """Return at most `limit` tokens whose ids are after `after`, in that order."""
        ...

    async def changes(self, position: str, limit: int) -> ChangedRows | None:
        """Return what at most `limit` changes after `position` have led to; None if it is no position of this log."""
        ...

    async def replace(self, token_id: str, record: str | None, expected: int | None) -> bool:
        """Write the record of a token, or remove it with its use, if its last change is `expected`; say whether."""
        ...

    async def reencrypt(self, row: TokenRow, record: str) -> bool:
        """Write the same token encrypted anew, unless it has changed meanwhile; this is no change of the log."""
        ...

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Add to the uses of tokens: the later time counts, and refused requests add up."""
        ...

    async def find_uses(self, token_ids: Sequence[str]) -> list[TokenUse]:
        """Return the uses of those of the tokens that have some."""
        ...


@dataclass(frozen=True, slots=True)
class RegisterKind:
    """What a module of `registers/` offers: the kinds of store that it belongs to, and how to build it over one."""

    stores: tuple[type[Store], ...]
    build: Callable[[Store], TokenRegister]


def parse_position(position: str) -> tuple[int, str]:
    """Return number and mark of a position."""
    number, _, mark = position.partition(".")
    return int(number), mark
