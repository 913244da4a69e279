"""Rows of CSV: whatever the pieces in which a file arrives, its records are those that the csv module reads."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.client_service.api.scanning import rows
from vestibule.client_service.api.scanning.rows import CsvRecords, Table
from vestibule.contracts.errors import InvalidInput, TooLarge
from vestibule.service_kit.http.duplex import BodyLines

CELLS = st.text(st.sampled_from('ab ,;"\n|\t\u2028'), max_size=8)
FILES = st.lists(
    st.lists(CELLS, min_size=3, max_size=3).filter(lambda row: "".join(row).strip()), min_size=1, max_size=6
)
# As other programs write: quotes anywhere, none of them doubled.
SLOPPY = st.text(st.sampled_from('ab,"\n\u2028'), max_size=40)


class _Body:
    """The body of a request in pieces."""

    def __init__(self, content: bytes, size: int) -> None:
        self._pieces = [content[at : at + size] for at in range(0, len(content), size)]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the pieces, and then nothing, as requests do."""
        for piece in [*self._pieces, b""]:
            yield piece


async def _records(content: bytes, size: int, delimiter: str = ",", most: int = 1000) -> list[rows.CsvRecord]:
    body: Any = _Body(content, size)
    arrivals = CsvRecords(delimiter).arrivals(BodyLines(body, most).arrivals())
    return [record async for some in arrivals for record in some]


async def _fields(content: bytes, size: int, delimiter: str = ",") -> list[list[str]]:
    return [rows._fields_of(record, delimiter) for record in await _records(content, size, delimiter)]


@given(file=FILES, size=st.integers(1, 9), delimiter=st.sampled_from(",;|\t"), end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=100, deadline=None)
async def test_what_was_written_is_read(file: list[list[str]], size: int, delimiter: str, end: str) -> None:
    """Line ends, delimiters and quotes within fields come back, however the file is cut."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(file)
    assert file == await _fields(out.getvalue().encode(), size, delimiter)


@given(text=SLOPPY, size=st.integers(1, 9))
@settings(max_examples=200, deadline=None)
async def test_quotes_in_odd_places_are_read_as_the_csv_module_reads_them(text: str, size: int) -> None:
    """Only lines that are blank between two records are left out."""
    expected = [
        row for row in csv.reader(io.StringIO(text.removesuffix("\n"))) if "".join(row).strip(" ") or len(row) > 1
    ]
    kept = [row for row in await _fields(text.encode(), size) if "".join(row).strip(" ") or len(row) > 1]
    assert expected == kept


async def test_rows_are_numbered_and_name_their_first_line() -> None:
    """A blank line is no row, and a field of two lines makes the next row begin later."""
    records = await _records(b'\xef\xbb\xbfa,b\n1,2\n\n"3\n3",4\n5,6', 4)
    assert [(0, 1), (1, 2), (2, 4), (3, 6)] == [(one.row, one.line) for one in records]
    assert b"a,b" == records[0].content


async def test_a_row_that_is_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within quotes or not, and the rows after it are read."""
    monkeypatch.setattr(rows, "MAX_RECORD_BYTES", 20)
    records = await _records(b'a,b\n"' + b"x\n" * 30 + b'",2\n' + b"y" * 1001 + b"\n3,4\n", 7)
    assert [b"a,b", None, None, b"3,4"] == [one.content for one in records]
    with pytest.raises(TooLarge):
        rows._fields_of(records[1], ",")


async def test_a_row_with_more_fields_than_columns_is_not_taken_for_clean() -> None:
    """A field of no column would not be scanned; a row with fewer is scanned as far as it goes."""
    header, fewer, more, other = await _records(b"a,b\n1\n1,2,3\n\xff,1\n", 100)
    table = Table.read(header, ",", None)
    assert [(0, "a", "1")] == list(table.cells_of(fewer))
    with pytest.raises(InvalidInput):
        table.cells_of(more)
    with pytest.raises(InvalidInput):
        table.cells_of(other)


async def test_columns_are_chosen_by_their_names() -> None:
    """All of a name, and a name with a comma in quotes; one that is missing is refused and not repeated."""
    header, row = await _records(b'a,"b,c",a\n1,2,3\n', 100)
    assert [(0, "a", "1"), (2, "a", "3")] == list(Table.read(header, ",", "a").cells_of(row))
    assert [(1, "b,c", "2")] == list(Table.read(header, ",", '"b,c"').cells_of(row))
    with pytest.raises(InvalidInput) as refused:
        Table.read(header, ",", "a,jane@example.org")
    assert "jane" not in f"{refused.value.detail}{refused.value.extra}"
