"""What callers stored controls no terminal, and reaches a pipe unchanged."""

import os
import pty
import sys

import pytest

from vestibule.cli.options import echo

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
