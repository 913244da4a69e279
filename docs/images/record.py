"""Records the picture of the README: starts a Vestibule, uses it as the README says, and draws what was printed.

usage: .venv/bin/python docs/images/record.py
"""

import re
import shlex
import signal
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


def main() -> None:
    """Record and write `first-minute.svg`."""
    console = Console(record=True, width=WIDTH, file=Path("/dev/null").open("w"))  # noqa: SIM115 - as long as we live
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        output = home / "output"
        with output.open("w") as sink:
            command = [sys.executable, "-m", "vestibule", "up"]
            system = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=home)  # noqa: S603
        try:
            while "Ctrl-C stops" not in output.read_text():
                time.sleep(0.1)
            show(console, "make up", announcement(output.read_text().replace(f"{home.resolve()}/", "")))
            for line in COMMANDS:
                show(console, line, run(line, home))
        finally:
            system.send_signal(signal.SIGINT)
            system.wait()
    drawing = console.export_svg(title="Vestibule")
    # The drawing would fetch its font from elsewhere; any fixed-width font will do.
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    (HERE / "first-minute.svg").write_text(drawing)


def announcement(text: str) -> str:
    """Return what was printed for people, without the log lines around it."""
    lines = [line for line in text.splitlines() if not line.startswith("{") and "curl" not in line]
    return "\n".join(lines[: next(n for n, line in enumerate(lines) if "error reports" in line) + 1]).strip()


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
