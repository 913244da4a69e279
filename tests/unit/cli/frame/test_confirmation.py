"""A person on a terminal is asked before something is destroyed or given out; a script is not."""

import fcntl
import os
import subprocess
import sys
import termios
from typing import Any

import pytest

ACT = (
    "import sys, typer\n"
    "from vestibule.cli.frame.confirmation import ask_back\n"
    "try:\n"
    "    ask_back('Destroy it?', is_sure='--yes' in sys.argv)\n"
    "except typer.Exit as ended:\n"
    "    sys.exit(ended.exit_code)\n"
    "print('destroyed')\n"
)


def _run(answer: str, *words: str, piped: str | None = None, has_terminal: bool = True) -> tuple[int, str, str]:
    """Run the act on a terminal, with an answer that is typed; return its exit code, output and what is shown."""
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    done = subprocess.Popen(
        [sys.executable, "-c", ACT, *words],
        stdin=theirs if piped is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal if has_terminal else None,  # noqa: PLW1509 - one thread, one call
    )
    os.write(ours, answer.encode())
    printed, _ = done.communicate(None if piped is None else piped.encode(), timeout=60)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode() if words == () else ""
    os.close(ours)
    return done.returncode, printed.decode(), shown


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y\n", (0, "destroyed\n")), ("YES\n", (0, "destroyed\n")), ("n\n", (1, "")), ("\n", (1, "")), ("\x04", (1, ""))],
    ids=["y", "yes", "n", "enter", "end of input"],
)
def test_nothing_but_yes_does_it(answer: str, expected: Any) -> None:
    """The question stands on the terminal."""
    code, printed, shown = _run(answer)
    assert expected == (code, printed)
    assert "Destroy it? [y/N]" in shown


def test_the_answer_is_typed_where_standard_input_is_the_value() -> None:
    """What comes in a pipe is no answer."""
    assert (1, "") == _run("n\n", piped="y\n")[:2]
    assert (0, "destroyed\n") == _run("y\n", piped="a value\n")[:2]


def test_who_cannot_be_asked_has_to_say_it_beforehand() -> None:
    """There is a terminal to read, and none that answers."""
    code, printed, shown = _run("", piped="a value\n", has_terminal=False)
    assert (1, "") == (code, printed)
    assert "--yes" in shown
    assert (0, "destroyed\n") == _run("", "--yes", piped="a value\n", has_terminal=False)[:2]


def test_a_script_is_not_asked() -> None:
    """It has done without the question before."""
    done = subprocess.run([sys.executable, "-c", ACT], capture_output=True, text=True, timeout=60, check=False)
    assert (0, "destroyed\n", "") == (done.returncode, done.stdout, done.stderr)
