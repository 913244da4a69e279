"""The entry point of the program: signals, and what is written at the end."""

import os
import subprocess
import sys

import pytest


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
sys.argv[1:] = ["--help"]
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


def test_a_command_that_called_a_server_ends_at_once_and_whole() -> None:
    """With all of its output, its exit code, and without what runs at the end of other programs."""
    code = """
import atexit, sys
import vestibule.client.http_library
import vestibule.cli.main as program
from vestibule.cli.entry_point import run

def end():
    sys.stdout.write("x" * 1_000_000)
    sys.exit(5)

program.app = end
atexit.register(print, "too late")
run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (5, "x" * 1_000_000) == (done.returncode, done.stdout)


def test_a_reader_that_closes_the_pipe_ends_the_program_silently():
    """As `vestibule entry list | head -1` does."""
    for words in (["--version"], ["--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "vestibule", *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
        )
        os.close(writer)
        assert "" == done.stderr
