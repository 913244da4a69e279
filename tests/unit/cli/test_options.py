"""What callers stored controls no terminal, and reaches a pipe unchanged; times and durations are read in one way."""

import os
import pty
import sys
from datetime import UTC, datetime, timedelta

import pytest
import typer

from vestibule.cli.options import Duration, echo, parse_duration, parse_since, take_duration, take_time

HOSTILE = "\x1b]0;owned\x07\x9b31mred\x7f \u202egnp.exe\u202c \u2066x\u2069 a\rb"
SHOWN = r"\u001b]0;owned\u0007\u009b31mred\u007f \u202egnp.exe\u202c \u2066x\u2069 a\u000db"


def _on_terminal(monkeypatch: pytest.MonkeyPatch, text: str, name: str = "stdout") -> str:
    """Return what `echo` writes to a terminal."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, name, terminal)
        echo(text, err=name == "stderr")
        terminal.flush()
        written = os.read(master, 4096).decode()
        monkeypatch.undo()
    os.close(master)
    return written.replace("\r\n", "\n")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_terminal_gets_control_characters_escaped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No title is set, no colour, no direction; lines and tabs stay, and so does all other text."""
    assert f"{SHOWN}\n" == _on_terminal(monkeypatch, HOSTILE, name)
    assert "a\n  b \u00e9 \u4e2d \U0001f469\u200d\U0001f680\n" == _on_terminal(
        monkeypatch, "a\n  b \u00e9 \u4e2d \U0001f469\u200d\U0001f680", name
    )


def test_a_pipe_gets_the_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads a value gets the value."""
    echo(HOSTILE)
    echo(HOSTILE, err=True)
    captured = capsys.readouterr()
    assert (f"{HOSTILE}\n", f"{HOSTILE}\n") == (captured.out, captured.err)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("90s", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800), ("2w", 1_209_600)),
        *(("10", 10), ("0.5", 0.5), ("1.5h", 5_400), (" 5 M ", 300), ("0s", 0)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected: float) -> None:
    """A number alone is in seconds."""
    assert timedelta(seconds=expected) == take_duration(text)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        *(
            (Duration(), "0s"),
            (Duration(seconds=30), "30s"),
            (Duration(seconds=90), "90s"),
            (Duration(minutes=5), "5m"),
        ),
        *((Duration(hours=1), "1h"), (Duration(hours=36), "36h"), (Duration(days=1), "1d"), (Duration(days=14), "14d")),
    ],
)
def test_a_default_is_shown_as_an_option_takes_it(length: Duration, expected: str) -> None:
    """Whoever reads the help can give it as it stands there."""
    assert expected == str(length)
    assert length == take_duration(expected)


@pytest.mark.parametrize("text", ["", "h", "-1s", "1y", "1h30m", "99999999w", "1e3", "inf", "nan", "1 2", "٣s" * 2])
def test_what_is_no_duration_is_wrong_usage(text: str) -> None:
    """The message says what is one."""
    with pytest.raises(typer.BadParameter, match="such as 30m"):
        take_duration(text)


def test_a_time_is_in_utc_unless_it_says_otherwise() -> None:
    """A date is its beginning; a duration is so long ago; a bare number is neither."""
    assert (
        datetime(2026, 1, 31, 14, 5, tzinfo=UTC) == take_time("2026-01-31T14:05") == take_time("2026-01-31T15:05+01:00")
    )
    assert datetime(2026, 1, 31, tzinfo=UTC) == parse_since("2026-01-31")
    assert timedelta(minutes=9) < datetime.now(UTC) - parse_since("10m") < timedelta(minutes=11)
    assert parse_duration("10") is None
    with pytest.raises(typer.BadParameter, match="2h"):
        parse_since("10")
