"""Every command of the program does its work against a running system; a new one is missed here until it is tried."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from vestibule.cli.main import app

# These run until they are stopped, or for long; the tests of each are elsewhere.
TRIED_ELSEWHERE = {
    "up": "test_start_and_stop.py",
    "serve": "test_store_servers.py",
    "worker": "test_store_servers.py",
    "bench": "test_bench.py",
    "canary": "test_canary.py",
    "secrets install": "test_secrets_of_parts.py",
}
BINARY = b"\x89PNG\xff\xfe"


def _names(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, below in getattr(command, "commands", {}).items():
        if hasattr(below, "commands"):
            yield from _names(below, (*path, name))
        else:
            yield " ".join((*path, name))


class Program:
    """Runs commands in this process, and notes which."""

    def __init__(self, system: Any) -> None:
        self.tried: set[str] = set()
        self.known = set(_names(typer.main.get_command(app)))
        self.environment = {
            "VESTIBULE_URL": system.url,
            "VESTIBULE_DATABASE_SERVICE_URL": system.part_url(1),
            "VESTIBULE_SCHEDULER_URL": system.part_url(3),
            "VESTIBULE_DATA_DIR": str(system.data_dir),
        }

    def __call__(
        self, *words: str, code: int = 0, given: str | bytes | None = None, data_dir: Path | None = None
    ) -> str:
        """Run a command, which must exit with `code` and without a traceback, and return what it prints."""
        self.tried |= self.known & {" ".join(words[:1]), " ".join(words[:2])}
        moved = {} if data_dir is None else {"VESTIBULE_DATA_DIR": str(data_dir)}
        result = CliRunner().invoke(app, list(words), input=given, env=self.environment | moved)
        assert code == result.exit_code, f"{words}: {result.output} {result.exception!r}"
        assert isinstance(result.exception, SystemExit | None), f"{words}: {result.exception!r}"
        return result.stdout.strip() if code == 0 else result.output.strip()


@pytest.fixture(scope="module")
def program(system: Any) -> Program:
    return Program(system)


def test_entries(program: Program) -> None:
    """What is stored comes back byte for byte; a binary value is wrong usage, and never a traceback."""
    stored = "first line\nsecond line\n"
    assert "lines written as version 1" == program("add", "lines", "-", given=stored)
    assert stored.strip() == program("read", "lines")
    result = CliRunner().invoke(app, ["read", "lines", "--raw"], env=program.environment)
    assert stored.encode() == result.stdout_bytes
    assert "byte 1 is invalid" in " ".join(program("add", "lines", "-", given=BINARY, code=2).split())
    assert "lines" in program("list", "lin").splitlines()
    assert "1  " in program("history", "lines")
    assert "lines deleted" == program("delete", "lines")
    assert "Key not found" in program("read", "lines", code=1)


def test_tasks(program: Program, system: Any) -> None:
    """A task is started, waited for, listed, cancelled and retried; one that has not ended in time says so."""
    program("add", "words", "some words")
    assert "SOME WORDS" == program("run", "words", "--wait", "20")
    task_id = program("message", "-", given="more words")
    assert "byte 1 is invalid" in " ".join(program("message", "-", given=BINARY, code=2).split())
    assert "MORE WORDS" == program("task", "wait", task_id) == program("task", "show", task_id)
    assert task_id in program("task", "list", "--state", "succeeded")
    assert "another state" in program("task", "cancel", task_id, code=1)
    assert "another state" in program("task", "retry", task_id, code=1)
    waiting = program("schedule", "add", "--cron", "0 0 29 2 *", "--text", "later").split()[0]
    assert waiting in program("schedule", "list")
    assert "is deleted" in program("schedule", "delete", waiting)
    assert "No tasks." == program("dead", "list")
    for command in ("retry", "drop"):
        assert "not found" in program("dead", command, "0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e", code=1)
    assert "uppercase" in program("processors")


def test_alerts_and_availability(program: Program, system: Any, wait_until: Any) -> None:
    """A finding is followed to its end; nothing is silenced by oversight."""
    refused = program("add", "leak", "write to jane.roe.0077@example.org", code=1)
    alert_id = refused.split("alert ")[1].split()[0]
    wait_until(lambda: system.http.get(f"/alerts/{alert_id}").json()["group"], what="the alert's group")
    assert alert_id in program("alerts", "list", "--limit", "500")
    assert "PersonalData" in program("alerts", "types")
    program("alerts", "ack", alert_id)
    assert "acknowledged" in program("alerts", "show", alert_id)
    program("alerts", "resolve", alert_id)
    assert "give --type" in " ".join(program("alerts", "silence", "a drill", code=2).split())
    assert "silence " in program("alerts", "silence", "a drill", "--hours", "0.01", "--entity", "IBAN_CODE")
    program("alerts", "test", "log")
    program("heartbeat", "ping", "every-command", "--period", "86400")
    assert "every-command" in program("heartbeat", "list")
    program("heartbeat", "delete", "every-command")
    window = json.loads(program("maintenance", "start", "business_logic", "--for", "1m", "--reason", "drill", "--json"))
    assert window["id"] in program("maintenance", "list")
    program("maintenance", "end", window["id"])
    program("status")
    assert "request" in program("logs", "--since", "10m")


def test_scanning_and_policy(program: Program, tmp_path: Path) -> None:
    """Texts are scanned, a policy is checked, and a receipt is verified; a file that is missing is named."""
    assert "EMAIL_ADDRESS" in program("scan", "write to jane.roe@example.org", code=1)
    assert "no file or folder" in " ".join(program("scan", "missing.txt", code=2).split())
    assert "EMAIL_ADDRESS" in program("detectors")
    receipt = json.loads(program("add", "kept", "some text", "--json"))["receipt"]
    assert "The receipt is valid." in program("receipt", "verify", receipt)
    assert "is invalid" in program("receipt", "verify", "-", given="no receipt", code=1)
    program("receipt", "verify", "-", given=BINARY, code=2)
    keys = tmp_path / "keys.json"
    keys.write_text(program("receipt", "key"))
    assert "The receipt is valid." in program("receipt", "verify", receipt, "--key", str(keys))
    policy = tmp_path / "policy.toml"
    policy.write_text('default = "block"\n')
    for verb in ("check", "test"):
        assert "cannot be read" in program("policy", verb, str(tmp_path / "missing.toml"), code=1)
    program("policy", "check", str(policy))
    program("policy", "show")
    program("policy", "replay", "--since", "1h")
    program("config")
    program("plan", "--connections", "10")


def test_database_keys_and_tokens(program: Program, system: Any, tmp_path: Path) -> None:
    """The commands of an operator, on copies where they would change the system for others."""
    program("add", "backed-up", "some text")
    assert "is sound" in program("db", "check")
    assert "needs no migration" in program("db", "migrate", code=1)
    program("db", "backup", str(tmp_path / "backup.db"))
    program("db", "export", str(tmp_path / "entries.jsonl"))
    copy = tmp_path / "copy"
    shutil.copytree(system.data_dir / "keys", copy / "keys")
    program("db", "restore", str(tmp_path / "backup.db"), data_dir=copy)
    program("db", "import", str(tmp_path / "entries.jsonl"), data_dir=copy)
    assert "No database was created here." == program("db", "adopt", data_dir=copy)
    (tmp_path / "binary").write_bytes(BINARY)
    for source in ("binary", "missing"):
        program("db", "import", str(tmp_path / source), data_dir=copy, code=1)
        program("db", "restore", str(tmp_path / source), data_dir=copy, code=1)

    old = json.loads(program("keys", "list", "--json", data_dir=copy))
    program("keys", "rotate", data_dir=copy)
    program("keys", "rewrap")
    program("keys", "check")
    assert len(json.loads(program("keys", "list", "--json", data_dir=copy))) == len(old) + 1
    program("keys", "retire", "no-such-key", data_dir=copy, code=1)
    program("keys", "secret", data_dir=copy)

    token = program("token", "create", "--name", "every-command", "--scope", "read")
    with system.client(token) as client:
        assert 404 == client.get("/read", params={"key": "no-such-key"}).status_code
    (record,) = [line for line in program("token", "list").splitlines() if "every-command" in line]
    program("token", "revoke", record.split()[0])
    assert "kind: Secret" in program("secrets", "create")


def test_every_command_is_tried(program: Program, request: pytest.FixtureRequest) -> None:
    """Stands last: what no test above or elsewhere has run is named."""
    above = {item.name for item in request.session.items if item.path == request.path}
    if above != {name for name in globals() if name.startswith("test_")} or not program.tried:
        pytest.skip("the tests above are not in this run")
    assert not program.known - program.tried - TRIED_ELSEWHERE.keys()
    for name in TRIED_ELSEWHERE.values():
        assert list(Path(__file__).parents[1].rglob(name)), name
