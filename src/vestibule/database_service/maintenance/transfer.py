"""Exports the entries of a store and imports them into another, a page at a time, as lines of JSON."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice

from pydantic import BaseModel, ConfigDict, ValidationError

from vestibule.contracts.entries import Entry
from vestibule.contracts.errors import TooLarge
from vestibule.database_service.entries.store import Store

PAGE = 200
FORMAT = 1


class TransferRefused(Exception):
    """The file to import is not a valid export; says which line."""


class ExportHeader(BaseModel):
    """The first line of an export."""

    model_config = ConfigDict(extra="forbid")

    vestibule_export: int = FORMAT
    encrypted: bool


async def export_entries(store: Store) -> AsyncIterator[Entry]:
    """Yield every entry in the order of the keys. Entries written meanwhile may be included or not."""
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


async def import_entries(store: Store, entries: Iterable[Entry]) -> AsyncIterator[tuple[int, int]]:
    """Store entries with their versions; yield, page by page, how many were read and how many were newer than here."""
    read = kept = 0
    remaining = iter(entries)
    while page := list(islice(remaining, PAGE)):
        kept += await store.put(page)
        read += len(page)
        yield read, kept


def parse_header(line: str) -> ExportHeader:
    """Return the header of an export.

    Raises:
        TransferRefused: it is none, or of a later Vestibule.
    """
    try:
        header = ExportHeader.model_validate_json(line)
    except ValidationError:
        raise TransferRefused("line 1 is not the header of an export") from None
    if header.vestibule_export != FORMAT:
        raise TransferRefused(f"an export of format {header.vestibule_export}; this Vestibule knows {FORMAT}")
    return header


def parse_entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of the lines after the header.

    Raises:
        TransferRefused: a line is none; the message repeats nothing of it.
    """
    for number, line in enumerate(lines, start=2):
        try:
            yield Entry.model_validate_json(line)
        except ValidationError:
            raise TransferRefused(f"line {number} is not an entry") from None
