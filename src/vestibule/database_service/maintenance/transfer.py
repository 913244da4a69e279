"""Takes entries out of one store and into another, a page at a time, as lines of JSON."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice

from pydantic import BaseModel, ConfigDict, ValidationError

from vestibule.contracts.entries import Entry
from vestibule.contracts.errors import TooLarge
from vestibule.database_service.entries.store import Store

PAGE = 200
FORMAT = 1


class TransferRefused(Exception):
    """What is to be imported is no export; says which line."""


class Head(BaseModel):
    """The first line of an export."""

    model_config = ConfigDict(extra="forbid")

    vestibule_export: int = FORMAT
    encrypted: bool


async def take_out(store: Store) -> AsyncIterator[Entry]:
    """Yield every entry in the order of the keys. What is written meanwhile may be among them or not."""
    cursor: str | None = None
    while True:
        page = await store.keys("", PAGE, cursor)
        try:
            found = await store.read_many(page.keys) if page.keys else []
        except TooLarge:
            found = [await store.read(key) for key in page.keys]
        for entry in found:
            if entry is not None:
                yield entry
        cursor = page.cursor
        if cursor is None:
            return


async def bring_in(store: Store, entries: Iterable[Entry]) -> AsyncIterator[tuple[int, int]]:
    """Keep entries with their versions; yield, page by page, how many came and how many were newer than here."""
    came = kept = 0
    remaining = iter(entries)
    while page := list(islice(remaining, PAGE)):
        kept += await store.put(page)
        came += len(page)
        yield came, kept


def parse_head(line: str) -> Head:
    """Return the head of an export.

    Raises:
        TransferRefused: it is none, or of a later Vestibule.
    """
    try:
        head = Head.model_validate_json(line)
    except ValidationError:
        raise TransferRefused("line 1 is not the head of an export") from None
    if head.vestibule_export != FORMAT:
        raise TransferRefused(f"an export of format {head.vestibule_export}; this Vestibule knows {FORMAT}")
    return head


def parse_entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of the lines after the head.

    Raises:
        TransferRefused: a line is none; the message repeats nothing of it.
    """
    for number, line in enumerate(lines, start=2):
        try:
            yield Entry.model_validate_json(line)
        except ValidationError:
            raise TransferRefused(f"line {number} is not an entry") from None
