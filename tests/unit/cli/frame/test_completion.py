"""Completion: of names that a server knows, in three shells, and silence where there is none."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

KEYS = ["note", "notice", "other"]
PROGRAM = "import sys; sys.argv[0] = 'vestibule'; from vestibule.cli.entry_point import run; run()"


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = [key for key in KEYS if f"prefix={key[:2]}" in self.path or "prefix" not in self.path]
        content = json.dumps({"keys": found}).encode()
        self.send_response(200 if self.headers["Authorization"] == "Bearer SECRET_TOKEN" else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_ignored: object) -> None:
        """Be quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that knows some keys."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _completed(shell: str, line: str, folder: Path, **variables: str) -> str:
    """Return what a shell gets for a line; the last word is what is completed."""
    words = line.split(" ")
    environment = {
        "PATH": os.environ["PATH"],
        "XDG_CONFIG_HOME": str(folder),
        "_VESTIBULE_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_key_is_completed_in_every_shell(shell: str, url: str, tmp_path: Path) -> None:
    """By the server that the command would speak to."""
    shown = _completed(shell, "vestibule read no", tmp_path, VESTIBULE_URL=url)
    assert [True, True, False] == [key in shown for key in KEYS]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("vestibule ta", {"task"}),
        ("vestibule task re", {"retry"}),
        ("vestibule task list --state su", {"succeeded"}),
        ("vestibule entry list --server p", {"prod"}),
        ("vestibule server use p", {"prod"}),
    ],
)
def test_names_are_completed_without_a_server(line: str, expected: set[str], tmp_path: Path) -> None:
    """Commands, states, and the servers that are known."""
    known = tmp_path / "vestibule" / "servers.json"
    known.parent.mkdir()
    known.write_text('{"current": null, "servers": {"prod": {"url": "https://prod.example.org", "token": "t"}}}')
    assert expected == set(_completed("bash", line, tmp_path).split())


@pytest.mark.parametrize("variables", [{"VESTIBULE_URL": "nonsense"}, {"VESTIBULE_URL": "http://127.0.0.1:1"}, {}])
def test_without_an_answer_nothing_is_completed(variables: dict[str, str], tmp_path: Path) -> None:
    """Silently; a damaged file of servers is no reason to speak either."""
    if not variables:
        (tmp_path / "vestibule").mkdir()
        (tmp_path / "vestibule" / "servers.json").write_text("damaged")
    assert "" == _completed("bash", "vestibule read no", tmp_path, **variables).strip()


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    """A shell waits for the completion."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        shown = _completed(
            "bash", "vestibule read no", tmp_path, VESTIBULE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        # A second, and the start of the program on a busy machine.
        assert ("", True) == (shown.strip(), time.monotonic() - started < 15)
