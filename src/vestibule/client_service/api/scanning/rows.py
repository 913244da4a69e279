"""`POST /scan` with rows of CSV: each cell is scanned by itself, in the context of the name of its column.

Source: RFC 4180; as most programs write it, quotes within a field that does not begin with one are text.
"""

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import Request
from starlette.responses import Response

from vestibule.client_service.api.scanning.options import invalid
from vestibule.client_service.api.scanning.streams import MAX_RECORD_BYTES, Answer, StreamedScan, opened_stream, respond
from vestibule.client_service.api.scanning.text_scan import TextScan
from vestibule.contracts.errors import InvalidInput, TooLarge
from vestibule.policy import Outcome
from vestibule.service_kit.http.duplex import BodyLine, BodyLines

MAX_COLUMNS = 10_000
DELIMITERS = {",": ",", ";": ";", "|": "|", "\t": "\t", "tab": "\t"}
_BOM = b"\xef\xbb\xbf"


class CsvRecord(NamedTuple):
    """A record: its number, 0 for the header, its first line, and its bytes; None where it is longer than allowed."""

    row: int
    line: int
    content: bytes | None


class CsvRecords:
    """Finds the records in lines: a field in quotes may contain line ends."""

    def __init__(self, delimiter: str) -> None:
        self._opening = f'{delimiter}"'.encode()
        self._rows = 0
        self._begun_at = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_open = self._is_too_long = False

    async def arrivals(self, lines: AsyncIterator[list[BodyLine]]) -> AsyncIterator[list[CsvRecord]]:
        """Yield the records that have arrived meanwhile, until the lines end."""
        async for arrived in lines:
            if records := [record for line in arrived if (record := self._take(line)) is not None]:
                yield records
        if self._is_open:
            yield [self._complete()]

    def _take(self, line: BodyLine) -> CsvRecord | None:
        """Return the record that a line completes, if any."""
        begins = not self._is_open
        if begins:
            if line.content is not None and not line.content.strip():
                return None
            self._begun_at = line.number
        if line.content is None:
            # Whether a quote is open after it is unknown; most are no longer.
            self._is_open, self._is_too_long = False, True
            return self._complete()
        content = line.content.removeprefix(_BOM) if line.number == 1 else line.content
        self._is_open = _is_open_after(content, self._opening, is_open=self._is_open)
        self._size += len(content) + 1
        self._is_too_long = self._is_too_long or self._size > MAX_RECORD_BYTES
        if self._is_too_long:
            self._pieces.clear()
        else:
            self._pieces.append(content)
        return None if self._is_open else self._complete()

    def _complete(self) -> CsvRecord:
        content = None if self._is_too_long else b"\n".join(self._pieces)
        record = CsvRecord(self._rows, self._begun_at, content)
        self._rows += 1
        self._pieces, self._size, self._is_open, self._is_too_long = [], 0, False, False
        return record


def _is_open_after(line: bytes, opening: bytes, *, is_open: bool) -> bool:
    """Say whether a field in quotes goes on after a line."""
    if b'"' not in line:
        return is_open
    at = 0
    if not is_open and line.startswith(b'"'):
        is_open, at = True, 1
    while True:
        if not is_open:
            begins = line.find(opening, at)
            if begins < 0:
                return False
            is_open, at = True, begins + len(opening)
        ends = line.find(b'"', at)
        if ends < 0:
            return True
        at = ends + 1
        if line[at : at + 1] == b'"':
            at += 1  # two quotes are one within the field
        else:
            is_open = False


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a header row: how many there are, and those to scan, by their places."""

    delimiter: str
    width: int
    chosen: Mapping[int, str]

    @classmethod
    def read(cls, header: CsvRecord, delimiter: str, wanted: str | None) -> "Table":
        """Return the columns of a header row; `wanted` are the names of those to scan, separated by commas.

        Raises:
            InvalidInput, TooLarge: the row is not valid, or does not have these columns.
        """
        names = _fields_of(header, delimiter)
        if len(names) > MAX_COLUMNS:
            raise invalid("body", "columns", f"at most {MAX_COLUMNS:,} columns")
        if wanted is None:
            return cls(delimiter, len(names), dict(enumerate(names)))
        asked = next(csv.reader([wanted]), [])
        if missing := [number for number, name in enumerate(asked) if name not in names]:
            places = [(f"query/columns/{number}", "unknown_column", "a name in the header row") for number in missing]
            raise invalid(*places[0], more=places[1:10])
        return cls(delimiter, len(names), {at: name for at, name in enumerate(names) if name in asked})

    def cells_of(self, record: CsvRecord) -> Iterator[tuple[int, str, str]]:
        """Yield place, name and content of each cell to scan.

        Raises:
            InvalidInput, TooLarge: the row is not valid.
        """
        fields = _fields_of(record, self.delimiter)
        if len(fields) > self.width:
            # What belongs to no column would not be scanned.
            raise InvalidInput(f"The row has more fields than the header row, which has {self.width}.")
        return ((at, name, fields[at]) for at, name in self.chosen.items() if at < len(fields) and fields[at])


def _fields_of(record: CsvRecord, delimiter: str) -> list[str]:
    if record.content is None:
        raise TooLarge(f"A row may have at most {MAX_RECORD_BYTES:,} bytes; a quote at its end may be missing.")
    try:
        return next(csv.reader([record.content.decode()], delimiter=delimiter), [])
    except UnicodeDecodeError:
        raise InvalidInput("The row is not in UTF-8.") from None
    except csv.Error:
        raise InvalidInput(
            f"The row is not CSV, or a field has more than {csv.field_size_limit():,} characters."
        ) from None


async def scan_rows(request: Request, query: Mapping[str, Any]) -> Response:
    """Answer each row of the body by a line.

    Raises:
        InvalidInput, RequestValidationError, TooLarge: the options or the header row are not valid. What is wrong with
            another row is its answer.
        TooManyWaiting: the token has as many streams as it may.
    """
    if "field" in query:
        raise invalid("query/field", "csv", "absent: the name of its column is the field of a cell")
    delimiter = DELIMITERS.get(query.get("delimiter", ","))
    if delimiter is None:
        raise invalid("query/delimiter", "delimiter", "`,`, `;`, `|` or `tab`")
    async with opened_stream(request) as (wiring, caller, held):
        scan = await TextScan.prepare(wiring, caller, query, {})
        arrivals = CsvRecords(delimiter).arrivals(BodyLines(request, MAX_RECORD_BYTES).arrivals())
        first = await anext(arrivals, None)
        if first is None:
            raise invalid("body", "missing", "a header row")
        table = Table.read(first[0], delimiter, query.get("columns"))

        async def answer(record: CsvRecord, _place: Answer) -> Answer:
            return await _scan_row(scan, table.cells_of(record))

        streamed = StreamedScan(wiring, caller, request.state.request_id, _place_of, answer)
        return respond(streamed, _after(first[1:], arrivals), held)


async def _scan_row(scan: TextScan, cells: Iterable[tuple[int, str, str]]) -> Answer:
    findings: list[Any] = []
    values: dict[str, str | None] = {}
    members: Answer = {"findings": findings}
    if scan.options.treat:
        members |= {"outcome": Outcome.LET_IN, "values": values}
    for at, name, text in cells:
        found = await scan.scan(text, name)
        findings += ({"column": name, "column_number": at + 1, **finding} for finding in found["findings"])
        if "outcome" in found:
            members["policy"] = found["policy"]
            if found["findings"]:
                values[str(at + 1)] = found["text"]
            if members.get("outcome") != Outcome.BLOCKED:
                members["outcome"] = found["outcome"]
    return members


def _place_of(record: CsvRecord) -> Answer:
    return {"row": record.row, "line": record.line}


async def _after(
    first: Sequence[CsvRecord], arrivals: AsyncIterator[list[CsvRecord]]
) -> AsyncIterator[Sequence[CsvRecord]]:
    yield first
    async for records in arrivals:
        yield records
