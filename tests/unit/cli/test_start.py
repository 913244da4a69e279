"""What a command loads before it does its work; a timed test would be wrong on a busy machine, modules are not."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

RUN = """
import json, os, sys
# The program leaves at once, and would not print what is asked here.
os._exit = sys.exit
from vestibule.cli.entry_point import run
sys.argv[0] = "vestibule"
try:
    run()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
COMMANDS = "vestibule.cli.commands."
# Each takes longer than a command may, or is loaded for nothing.
HEAVY = {
    *("rich", "pygments", "click", "pydantic", "fastapi", "starlette", "celery", "redis", "aiohttp", "structlog"),
    *("sqlalchemy", "cryptography", "opentelemetry", "jinja2", "asyncio", "vestibule.detection", "vestibule.alerts"),
    *("vestibule.client_service", "vestibule.service_kit", "importlib.metadata"),
}
POLICY = {
    **{"version": "1", "since": None, "file": None, "dry_run": False, "keep_clean": False},
    **{"rules": [], "hidden_rules": 0, "retention": [], "cursor": None},
}


def _loaded(*words: str, url: str = "") -> tuple[int, set[str]]:
    """Return the exit code of a command, and the modules that it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        env={"VESTIBULE_URL": url, "VESTIBULE_SCHEDULER_URL": url, "XDG_CONFIG_HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, set(json.loads(done.stderr.splitlines()[-1]))


@contextmanager
def _server(answer: object) -> Iterator[str]:
    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_ignored: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_version_loads_no_command() -> None:
    """Not even what parses the command line."""
    code, modules = _loaded("--version")
    assert 0 == code
    assert set() == modules & {*HEAVY, "typer", "httpx", "vestibule.cli.main", "inspect"}


def test_the_help_of_the_program_loads_no_command() -> None:
    """It has the sentences of all."""
    code, modules = _loaded("--help")
    assert 0 == code
    assert [] == [name for name in modules if name.startswith((COMMANDS, "vestibule.client", "httpx"))]


@pytest.mark.parametrize(
    ("words", "answer", "modules"),
    [
        (["read", "note"], {"key": "note", "value": "hello", "version": 1}, {"data", "data.entry"}),
        (["task", "list"], {"tasks": []}, {"work", "work.task", "work.options", "work.selection"}),
        (["task", "list", "--json"], {"tasks": []}, {"work", "work.task", "work.options", "work.selection"}),
        (["heartbeat", "list"], [], {"watch", "watch.heartbeat"}),
        (["alerts"], {"alerts": [], "cursor": None, "stopped_at": None, "replica": "a"}, {"watch", "watch.alert"}),
        (["silence", "list"], [], {"watch", "watch.silence"}),
        (["channel", "list"], [], {"watch", "watch.channel"}),
        (["decision", "list"], {"decisions": []}, {"watch", "watch.decision"}),
        (["decision", "counts"], {"counts": []}, {"watch", "watch.decision"}),
        (["trace", "an-id"], {"id": "an-id", "events": []}, {"watch", "watch.trace"}),
        (["allowance", "list"], [], {"govern", "govern.allowance"}),
        (["receipt", "get", "a"], {"decision_id": "a", "receipt": "r"}, {"govern", "govern.receipt"}),
        (["audit", "list"], {"lines": []}, {"govern", "govern.audit"}),
        (["token", "list", "--url", "URL"], {"tokens": [], "cursor": None}, {"govern", "govern.token"}),
        (["policy", "show", "--url", "URL", "--json"], POLICY, {"govern", "govern.policy"}),
    ],
)
def test_a_command_that_speaks_to_a_server_loads_its_own_module(
    words: list[str], answer: object, modules: set[str]
) -> None:
    """And the HTTP library without what that loads for a program of its own, and without TLS."""
    with _server(answer) as url:
        code, loaded = _loaded(*(url if word == "URL" else word for word in words), url=url)
    assert 0 == code
    assert modules == {name.removeprefix(COMMANDS) for name in loaded if name.startswith(COMMANDS)}
    assert "httpx" in loaded
    assert set() == loaded & HEAVY


@pytest.mark.parametrize("words", [["serve", "nothing"], ["worker", "--concurrency", "0"]])
def test_a_part_of_the_system_loads_no_other_command(words: list[str]) -> None:
    """Each runs for long, and many times on one machine."""
    code, loaded = _loaded(*words)
    assert 2 == code
    assert [] == [name for name in loaded if name.startswith((COMMANDS, "vestibule.client", "httpx"))]
