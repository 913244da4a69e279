"""What commands print: tables for people, tabs for programs, JSON, and times as each reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vestibule.cli.terminal.colour import has_colour
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column, Reader, display_width, plain, render_fields, render_table
from vestibule.cli.terminal.times import absolute, duration, relative

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
COLUMNS = (
    Column("NAME", lambda row: row[0], shrinks=True),
    Column("STATE", lambda row: row[1]),
    Column("AT", lambda row: row[2]),
    Column("COUNT", lambda row: row[3], is_right=True),
)
ROWS = [
    ("short", "dead", NOW - timedelta(minutes=3), 1),
    ("a name that is long\tand has\na second line", "succeeded", None, 12_345),
    ("名前が長い" * 8, "other", NOW + timedelta(hours=2), None),
    ("\x1b[31mred\x1b[0m", "running", NOW, 0),
]


def _person(width: int, *, has_colour: bool = False, is_utc: bool = False) -> Reader:
    return Reader(width, has_colour, is_utc, NOW)


PROGRAM = Reader(None, False, False, NOW)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_fits_the_terminal(width: int) -> None:
    """Whatever is in it; what does not fit is cut where the column may be, and everything is on one line."""
    lines = render_table(ROWS, COLUMNS, _person(width)).splitlines()
    assert len(ROWS) + 1 == len(lines)
    assert max(map(display_width, lines)) <= width
    assert ("…" in lines[3]) == (width < 130)


def test_columns_are_cut_further_where_the_terminal_is_still_too_narrow() -> None:
    """A table is as wide as the terminal, or as what no column may cut."""
    columns = (Column("ID", lambda row: row), *(Column(name, lambda row: row, shrinks=True) for name in ("ONE", "TWO")))
    lines = render_table(["a" * 36], columns, _person(52)).splitlines()
    assert "a" * 36 + "  aaaaa…  aaaaa…" == lines[1]
    assert 48 == display_width(render_table(["a" * 36], columns, _person(20)).splitlines()[1])


def test_an_escaped_value_has_the_room_that_it_takes() -> None:
    """What controls a terminal is longer when it is escaped, and is not cut for that."""
    columns = (Column("VALUE", lambda row: row, shrinks=True),)
    assert "\\u202eabc\\u001b[2J" == render_table(["\u202eabc\x1b[2J"], columns, _person(80)).splitlines()[1]
    assert "\\u202eab…" == render_table(["\u202eabc\x1b[2J"], columns, _person(9)).splitlines()[1]


def test_a_table_has_headings_and_relative_times() -> None:
    """Numbers stand at the right."""
    table = render_table(ROWS[:2], COLUMNS, _person(200)).splitlines()
    assert ["NAME", "STATE", "AT", "COUNT"] == table[0].split()
    assert "3 min ago" in table[1]
    assert table[2].endswith("12,345")
    assert "2026-01-31T11:57:00Z" in render_table(ROWS, COLUMNS, _person(200, is_utc=True))


def test_states_are_coloured_and_values_control_no_terminal() -> None:
    """The only sequences are our own."""
    table = render_table(ROWS, COLUMNS, _person(200, has_colour=True))
    assert "\x1b[31mdead\x1b[0m" in table
    assert "\x1b[36mrunning\x1b[0m" in table
    assert "\\u001b[31mred\\u001b[0m" in table


def test_a_program_gets_full_values_between_tabs() -> None:
    """A row is a line and has as many cells as there are columns; no headings."""
    lines = render_table(ROWS, COLUMNS, PROGRAM).split("\n")
    cells = [line.split("\t") for line in lines]
    assert [4] * len(ROWS) == [len(row) for row in cells]
    assert ["short", "dead", "2026-01-31T11:57:00Z", "1"] == cells[0]
    assert ["a name that is long\\tand has\\na second line", "succeeded", "", "12345"] == cells[1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (timedelta(minutes=1.5), "90"),
        (["a", "b"], "a,b"),
        ("back\\slash", "back\\\\slash"),
        (0.5, "0.5"),
    ],
)
def test_a_program_reads_plain_values(value: Any, expected: str) -> None:
    """Lists have commas, and escapes can be undone."""
    assert expected == plain(value)


def test_fields_without_a_value_are_left_out() -> None:
    """A time has its distance beside it."""
    fields = [("state", "dead"), ("error", None), ("submitted", NOW - timedelta(days=2))]
    assert "state      dead\nsubmitted  2026-01-29T12:00:00Z (2 d ago)" == render_fields(fields, _person(80))
    assert "state\tdead\nsubmitted\t2026-01-29T12:00:00Z" == render_fields(fields, PROGRAM)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        *((timedelta(seconds=0.2), "now"), (timedelta(seconds=59), "59 s ago"), (timedelta(seconds=60), "1 min ago")),
        *((timedelta(hours=23), "23 h ago"), (timedelta(days=13), "13 d ago"), (timedelta(days=20), "2 wk ago")),
        *(
            (timedelta(days=100), "2025-10-23"),
            (timedelta(minutes=-5), "in 5 min"),
            (timedelta(days=-100), "2026-05-11"),
        ),
    ],
)
def test_a_time_is_told_by_its_distance(distance: timedelta, expected: str) -> None:
    """One that is far away is a date."""
    assert expected == relative(NOW - distance, NOW)


def test_a_time_is_in_utc() -> None:
    """Whatever zone it came in."""
    assert "2026-01-31T11:00:00Z" == absolute(datetime.fromisoformat("2026-01-31T12:00:00+01:00"))
    assert "2026-01-31T12:00:00.250Z" == absolute(NOW.replace(microsecond=250_000))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 s"), (0.09, "90 ms"), (1.5, "1.5 s"), (90, "1 min 30 s"), (90_061, "1 d 1 h")]
)
def test_a_duration_has_two_units(seconds: float, expected: str) -> None:
    """The largest two that it has."""
    assert expected == duration(seconds)


@dataclass(frozen=True, slots=True)
class _Result:
    name: str
    at: datetime = NOW
    note: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


def test_json_is_what_the_service_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """One document on one line; of what has no such object, the members that are not None."""
    columns = [Column("NAME", lambda one: one.name)]
    output = Output(as_json=True)
    output.rows([_Result("a", raw={"name": "a", "newer": [1]}), _Result("b")], columns, "Nothing.")
    assert [{"name": "a", "newer": [1]}, {"name": "b", "at": "2026-01-31T12:00:00Z", "raw": {}}] == json.loads(
        capsys.readouterr().out
    )
    output.rows([], columns, "Nothing.")
    output.done({"ä": 1}, "It is done.")
    assert ("[]\n" + '{"ä": 1}\n', "") == tuple(capsys.readouterr())


def test_an_empty_list_prints_nothing_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither on standard output nor on standard error."""
    Output().rows([], COLUMNS, "Nothing.")
    assert ("", "") == tuple(capsys.readouterr())


class _Stream:
    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("variables", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_the_environment_decides_about_colours(
    variables: dict[str, str], is_terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the conventions of no-color.org and bixense.com/clicolors."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream: Any = _Stream(is_terminal)
    assert expected == has_colour(stream)
