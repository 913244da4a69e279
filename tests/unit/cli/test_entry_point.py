"""The entrance of the program: the parts of the system come without all other commands."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app

RUN = """
import sys
from vestibule.cli.entry_point import run
try:
    run()
finally:
    print("every command" if "vestibule.cli.main" in sys.modules else "this one alone", file=sys.stderr)
"""


def outcome(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_part_is_loaded_alone(command):
    """Its help is the same as in the program with all commands."""
    alone = outcome(command, "--help")
    assert (0, "this one alone\n") == (alone.returncode, alone.stderr)
    whole = CliRunner().invoke(app, [command, "--help"])
    assert described(whole.stdout) == described(alone.stdout)


def described(help_text: str) -> list[str]:
    """Return the words of a help text without its first line, which tells how the program was called, and frames."""
    return [word for line in help_text.strip().splitlines()[1:] for word in line.split() if word.isascii()]


def test_a_wrong_use_of_a_part_is_told():
    """With the exit code of wrong usage."""
    wrong = outcome("serve", "nothing")
    assert 2 == wrong.returncode
    assert "nothing" in wrong.stderr


def test_every_other_command_is_there():
    """And the version, and the help."""
    assert (0, "every command\n") == ((known := outcome("--version")).returncode, known.stderr)
    listed = outcome("--help")
    assert 0 == listed.returncode
    assert {"up", "serve", "worker", "add", "scan", "config"} <= set(described(listed.stdout))


def test_the_first_process_of_a_container_ends_while_it_starts():
    """The kernel would drop SIGTERM there where nothing handles it."""
    asked = """
import os, signal, sys
from vestibule.cli.entry_point import run

class Terminates:
    def find_spec(self, name, path, target=None):
        if name == "vestibule.cli.main":
            assert os.getpid() == 1
            os.kill(1, signal.SIGTERM)

sys.meta_path.insert(0, Terminates())
sys.argv[1:] = ["--version"]
run()
"""
    alone = ["unshare", "--pid", "--fork", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace of processes can be made here")
    done = subprocess.run([*alone, sys.executable, "-c", asked], capture_output=True, text=True, timeout=60)
    assert (143, "", "") == (done.returncode, done.stdout, done.stderr)


def test_ctrl_c_during_the_imports_prints_no_traceback():
    """They take most of the time of a short command."""
    interrupted = """
import sys
from vestibule.cli.entry_point import run

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "vestibule.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
run()
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, timeout=60)
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)
