"""Records the picture of the README: starts a Vestibule, uses it as the README says, and draws what was printed.

usage: .venv/bin/python docs/images/record.py

It listens on free ports, or on those of VESTIBULE_BASE_PORT; the picture shows the default ones.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
COMMANDS = (
    "vestibule add test1 hello",
    "vestibule run test1 --wait 10",
    'vestibule add note "write to jane@example.org"',
    "cat var/error_reports/*PersonalData*.txt",
)
WIDTH = 118
DEFAULT_BASE_PORT = 8000
PORTS = 4


def main() -> None:
    """Record and write `first-minute.svg`."""
    console = Console(record=True, width=WIDTH, file=Path("/dev/null").open("w"))  # noqa: SIM115 - as long as we live
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        output = home / "output"
        base_port = int(os.environ.get("VESTIBULE_BASE_PORT") or free_base_port())
        os.environ["VESTIBULE_BASE_PORT"] = str(base_port)
        with output.open("w") as sink:
            command = [sys.executable, "-m", "vestibule", "up"]
            system = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=home)  # noqa: S603
        try:
            while "Ctrl-C stops" not in output.read_text():
                if system.poll() is not None:
                    sys.exit(output.read_text())
                time.sleep(0.1)
            show(console, "make up", banner(output.read_text(), home, base_port))
            for line in COMMANDS:
                show(console, line, run(line, home))
        finally:
            system.send_signal(signal.SIGINT)
            system.wait()
    drawing = console.export_svg(title="Vestibule")
    # The drawing would fetch its font from elsewhere; any fixed-width font will do.
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    (HERE / "first-minute.svg").write_text(drawing)


def banner(text: str, home: Path, base_port: int) -> str:
    """Return what was printed for people, without log lines, with relative paths and the default ports."""
    lines = [line for line in text.splitlines() if not line.startswith("{") and "curl" not in line]
    shown = "\n".join(lines[: next(n for n, line in enumerate(lines) if "error reports" in line) + 1]).strip()
    shown = shown.replace(f"{home.resolve()}/", "")
    if base_port != DEFAULT_BASE_PORT:
        # The line that names the variables to set is cut off; it makes the first column wider by one.
        shown = re.sub(r"^(  .{14}) ", r"\1", shown, flags=re.MULTILINE)
    for offset in range(PORTS):
        shown = shown.replace(f":{base_port + offset}", f":{DEFAULT_BASE_PORT + offset}")
    return shown


def free_base_port() -> int:
    """Return a port that is free together with the three that follow it."""
    for first in range(18_000, 30_000, PORTS):
        try:
            for port in range(first, first + PORTS):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise SystemExit("no four free ports in a row")


def run(line: str, home: Path) -> str:
    """Return what the command line prints."""
    line = line.replace("vestibule ", f"{shlex.quote(str(Path(sys.executable).parent / 'vestibule'))} ", 1)
    done = subprocess.run(["sh", "-c", line], cwd=home, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return (done.stdout + done.stderr).strip()


def show(console: Console, command: str, printed: str) -> None:
    """Draw a command and what it printed."""
    console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
    console.print(Text(printed))
    console.print()


if __name__ == "__main__":
    main()
