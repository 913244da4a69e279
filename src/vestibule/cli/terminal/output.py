"""Prints what a command found or did: for people on a terminal, for programs in a pipe, or as one JSON document."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from vestibule.cli.options import echo
from vestibule.cli.terminal.colour import has_colour
from vestibule.cli.terminal.table import Column, Reader, current_time, render_fields, render_line, render_table
from vestibule.cli.terminal.times import absolute


class Output:
    """The output of one command; every command prints through it.

    | | on a terminal | in a pipe | with --json |
    |---|---|---|---|
    | `rows` | a table with headings | a line each, cells separated by tabs | an array |
    | `line` | the cells of one row | the same, separated by tabs | an object |
    | `fields` | a line each, aligned | name, tab, value | an object |
    | `done` | a sentence | the same sentence | an object |
    | nothing found | a note on standard error | nothing | an empty array |
    """

    def __init__(self, *, as_json: bool = False, is_utc: bool = False) -> None:
        self.as_json = as_json
        self._is_utc = is_utc

    def rows(self, found: Iterable[Any], columns: Sequence[Column], nothing: str, document: Any = None) -> None:
        """Print what was found; `nothing` is the note for a person where that is nothing.

        `document` is the JSON where that is more than the rows.
        """
        rows = list(found)
        if self.as_json:
            self.document(rows if document is None else document)
        elif rows:
            echo(render_table(rows, columns, self._reader()), is_escaped=True)
        else:
            self.note(nothing)

    def fields(self, document: Any, named: Mapping[str, Any], *, in_short: str | None = None) -> None:
        """Print one thing: `document` as JSON, or its named values; those that are None are left out.

        `in_short` is what a pipe gets where the thing stands for one value, as a task stands for its result.
        """
        reader = self._reader()
        if self.as_json:
            self.document(document)
        elif in_short is not None and reader.width is None:
            echo(in_short)
        else:
            echo(render_fields(list(named.items()), reader), is_escaped=True)

    def line(self, found: Any, columns: Sequence[Column]) -> None:
        """Print one of many that come over time: a row at once, without headings, or JSON on one line."""
        if self.as_json:
            self.document(found)
        else:
            echo(render_line(found, columns, self._reader()), is_escaped=True)
            sys.stdout.flush()

    def line_note(self, document: Any, text: str) -> None:
        """Tell something between the lines: JSON on one line, or a text on standard error."""
        if self.as_json:
            self.document(document)
        else:
            echo(text, err=True)

    def done(self, document: Any, sentence: str) -> None:
        """Print the outcome of an act: `document` as JSON, or a sentence."""
        if self.as_json:
            self.document(document)
        else:
            echo(sentence)

    def document(self, value: Any) -> None:
        """Print a value as one JSON document on one line."""
        echo(json.dumps(as_json_value(value), ensure_ascii=False))
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell a person something beside the result; programs do not see it."""
        if sys.stderr.isatty() and not self.as_json:
            echo(text, err=True)

    def time(self, moment: datetime | None) -> str:
        """Return a time for a sentence."""
        return "never" if moment is None else absolute(moment)

    def _reader(self) -> Reader:
        # Who demands colours in a pipe reads it with a pager, as people do.
        is_coloured = has_colour(sys.stdout)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() or is_coloured else None
        return Reader(width, is_coloured, self._is_utc, current_time())


def as_json_value(value: Any) -> Any:
    """Return a value as JSON has it: a result as the service sent it, times in RFC 3339."""
    if is_dataclass(value) and not isinstance(value, type):
        members = {one.name: getattr(value, one.name) for one in fields(value)}
        # A result of the client has the object as it came.
        value = members.get("raw") or {name: member for name, member in members.items() if member is not None}
    match value:
        case Mapping():
            shown: Any = {str(name): as_json_value(member) for name, member in value.items()}
        case list() | tuple():
            shown = [as_json_value(one) for one in value]
        case set() | frozenset():
            shown = sorted(as_json_value(one) for one in value)
        case datetime():
            shown = absolute(value)
        case timedelta():
            shown = value.total_seconds()
        case Enum():
            shown = value.value
        case _:
            shown = value
    return shown
