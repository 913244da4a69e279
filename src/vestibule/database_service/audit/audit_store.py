"""The port of audit stores: lines are added at the end, and never change.

To add one, add one module to `stores/` that offers an `AUDIT` for a store of entries; nothing else names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vestibule.contracts.audit import AuditHead, AuditLine, AuditOrder, AuditPage, AuditQuery, AuditRecord
from vestibule.contracts.decisions import to_us
from vestibule.database_service.entries.store import Store


class AuditStore(Protocol):
    """Stores the audit. Every method raises `Unavailable` where the store cannot answer for certain."""

    async def prepare(self) -> None:
        """Create missing tables in the open store."""
        ...

    async def add(self, records: Sequence[AuditRecord]) -> int:
        """Add a line for each act in their order, in one transaction, and return how many are new.

        An act that has a line with this outcome is not added again, and neither is a change to the policy that is in
        force already.
        """
        ...

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return lines in the order that is asked for."""
        ...

    async def head(self) -> AuditHead:
        """Return the last line."""
        ...

    async def reasons(self, tenant: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Return reasons of a tenant with the numbers of their lines, from the one after `after` on."""
        ...

    async def erase_reasons(self, numbers: Sequence[int]) -> int:
        """Erase the reasons of these lines, and return how many there were; the chain stays as it is."""
        ...


@dataclass(frozen=True, slots=True)
class AuditStoreKind:
    """What a module of `stores/` offers: the stores of entries that it belongs to, and how to build it over one."""

    stores: tuple[type[Store], ...]
    build: Callable[[Store], AuditStore]


def conditions_of(query: AuditQuery, mark: Callable[[int], str], is_in: str) -> tuple[str, list[Any]]:
    """Return what follows `WHERE`, with the order and the limit, and the values of its parameters.

    `mark` writes a parameter by its number, and `is_in` the condition that a tenant is among those of one.
    """
    found: list[tuple[str, Any]] = []
    if query.tenants is not None:
        found.append((is_in, query.tenants))
    if query.since is not None:
        found.append(("a.at_us >= {}", to_us(query.since)))
    if query.until is not None:
        found.append(("a.at_us < {}", to_us(query.until)))
    if query.token is not None:
        found.append(("{0} IN (a.token_id, a.token_name)", query.token))
    if query.act is not None:
        found.append(("a.act = {}", query.act))
    if query.outcome is not None:
        found.append(("a.outcome = {}", query.outcome.value))
    is_newest = query.order is AuditOrder.NEWEST
    if query.cursor is not None:
        found.append((f"a.seq {'<' if is_newest else '>'} {{}}", int(query.cursor)))
    conditions = [text.format(mark(number)) for number, (text, _) in enumerate(found, 1)]
    where = " AND ".join(conditions) or "1 = 1"
    # One more says whether there is another page.
    order = f"ORDER BY a.seq {'DESC' if is_newest else ''} LIMIT {query.limit + 1}"
    return f"WHERE {where} {order}", [value for _, value in found]


def page_of(rows: Sequence[Sequence[Any]], limit: int) -> AuditPage:
    """Return the page of rows: number, hash before, hash, record, reason and salt of each."""
    lines = [
        AuditLine.read(row[0], row[1], row[2], row[3], None if row[4] is None else (row[4], row[5]))
        for row in rows[:limit]
    ]
    return AuditPage(lines=lines, cursor=str(lines[-1].seq) if len(rows) > limit else None)
